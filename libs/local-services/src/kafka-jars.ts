/**
 * Finds the jars of a real Kafka. Maven fetches them once, all or none, and is waited for as long as it moves; else there is a
 * reason why they are not here, and what to do about it. No jar is used whose digest is not the one that `jars.sha256` has.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '@strongroom/contracts';
import { lastWords, outputOf, ProgramFault, runMoving } from '@strongroom/server-processes';
import { z } from 'zod';
import { checkJars } from './checked-jars.js';
import { findJava } from './java.js';

const run = promisify(execFile);
const version = '4.4.0';
const mostWords = 300;
const notThere = z.object({ code: z.literal('ENOENT') });

export type KafkaFound =
  | { jars: string; java: string; reason?: undefined }
  /** `remedy` completes the sentence `To have a Kafka, …`. */
  | { jars?: undefined; reason: string; remedy: string };

export interface FindOptions {
  /** Called before jars are fetched, which takes some seconds, and minutes on a slow line. */
  onFetch?: () => void;
  /** What Maven does now, again and again. */
  onProgress?: (what: string) => void;
  signal?: AbortSignal;
  /** The environment whose `PATH` and `JAVA_HOME` lead to Java and Maven. */
  env?: NodeJS.ProcessEnv;
}

const startAgain = 'and start again';
const installBoth = `install Java 17 or newer and Maven (Debian: apt install openjdk-17-jre-headless maven) ${startAgain}`;
const installMaven = `install Maven (Debian: apt install maven) ${startAgain}`;
const mendMaven = `make mvn --version succeed ${startAgain}`;
const reachRegistry = `let Maven reach its registry (a proxy or a mirror stands in ~/.m2/settings.xml) ${startAgain}; what it has fetched is kept`;

/**
 * @param cache a folder to keep the jars in, shared by every run
 * @param sources the folder with the pom and the digests of the jars
 */
export async function findKafka(
  cache: string,
  sources: string,
  { onFetch, onProgress, signal, env = process.env }: FindOptions = {},
): Promise<KafkaFound> {
  const { java, reason } = await findJava(env);
  if (java === undefined) return { reason, remedy: installBoth };
  const jars = join(cache, `kafka-${version}`);
  if (existsSync(jars)) return { jars, java };
  const ofMaven = mavenEnvironment(env, java);
  const noMaven = await whyNoMaven(ofMaven);
  if (noMaven !== undefined) return noMaven;
  onFetch?.();
  const unfinished = `${jars}.${randomBytes(4).toString('hex')}`;
  mkdirSync(cache, { recursive: true });
  try {
    const copy = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${unfinished}`];
    const plain = ['-B', '-Dstyle.color=never'];
    const told = onProgress && progressOf(onProgress);
    await runMoving({
      program: 'mvn',
      args: [...plain, '-f', join(sources, 'pom.xml'), ...copy],
      env: ofMaven,
      signal,
      ...(told && { onProgress: told }),
    });
    checkJars(unfinished, join(sources, 'jars.sha256'));
    renameSync(unfinished, jars);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    // Another process may have fetched them meanwhile.
    if (!existsSync(jars)) {
      return { reason: `Maven could not fetch Kafka ${version}: ${whyOf(error)}`, remedy: reachRegistry };
    }
  }
  return { jars, java };
}

/** Maven does not start with a `JAVA_HOME` that holds no Java. Without one it takes the Java of the path, as Kafka does. */
function mavenEnvironment(env: NodeJS.ProcessEnv, java: string): NodeJS.ProcessEnv {
  if (java !== 'java' || env.JAVA_HOME === undefined) return env;
  const { JAVA_HOME: _, ...rest } = env;
  return rest;
}

async function whyNoMaven(env: NodeJS.ProcessEnv): Promise<KafkaFound | undefined> {
  try {
    await run('mvn', ['--version'], { env });
    return undefined;
  } catch (error) {
    if (notThere.safeParse(error).success)
      return { reason: 'there is no Maven to fetch Kafka with (Debian: maven)', remedy: installMaven };
    const { message, stderr } = outputOf(error);
    return { reason: `Maven does not run: ${lastWords(stderr) || message}`, remedy: mendMaven };
  }
}

/** Tells how many files Maven has fetched, the newest of them, and how much it has written. */
function progressOf(tell: (what: string) => void): (progress: { text: string; written: number }) => void {
  return ({ text, written }) => {
    const files = text.match(/Downloaded from /g)?.length ?? 0;
    const newest = [...text.matchAll(/Download(?:ing|ed) from \S+ \S*\/([^/\s]+)/g)].at(-1)?.[1];
    const megabytes = (written / 1_000_000).toFixed(1);
    tell(`${files} files, ${megabytes} MB${newest === undefined ? '' : `; ${newest}`}`);
  };
}

/** How Maven ended, when it was ended, and the first line that it calls an error: the place that is at fault comes last there. */
function whyOf(error: unknown): string {
  if (!(error instanceof ProgramFault)) return messageOf(error);
  const lines = error.text.split('\n');
  // A file that could not be had is the cause of what Maven calls the error.
  const first =
    lines.find((line) => /Could not (?:transfer|find) /.test(line)) ?? lines.find((line) => line.includes('[ERROR]'));
  if (first === undefined) return error.message;
  const words = first.replace(/^.*?\[\w+\] /, '').replace(/ -> \[Help \d+\]\s*$/, '');
  return (/Could not (?:transfer|find) .*/.exec(words)?.[0] ?? words).trim().slice(0, mostWords);
}
