/** Finds the jars of a real Kafka. Maven fetches them once, all or none; else there is a reason why they are not here. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { outputOf } from '@strongroom/server-processes';
import { findJava } from './java.js';

const run = promisify(execFile);
const version = '4.4.0';
const fetchMs = 300_000;

export type KafkaFound = { jars: string; java: string; reason?: undefined } | { jars?: undefined; reason: string };

export interface FindOptions {
  /** Called before jars are fetched, which takes some seconds. */
  onFetch?: () => void;
  signal?: AbortSignal;
  /** The environment whose `PATH` and `JAVA_HOME` lead to Java and Maven. */
  env?: NodeJS.ProcessEnv;
}

/**
 * @param cache a folder to keep the jars in, shared by every run
 * @param sources the folder with the pom
 */
export async function findKafka(
  cache: string,
  sources: string,
  { onFetch, signal, env = process.env }: FindOptions = {},
): Promise<KafkaFound> {
  const { java, reason } = await findJava(env);
  if (java === undefined) return { reason };
  const jars = join(cache, `kafka-${version}`);
  if (existsSync(jars)) return { jars, java };
  try {
    await run('mvn', ['--version'], { env });
  } catch {
    return { reason: 'there is no Maven to fetch Kafka with (Debian: maven)' };
  }
  onFetch?.();
  const unfinished = `${jars}.${randomBytes(4).toString('hex')}`;
  mkdirSync(cache, { recursive: true });
  try {
    const copy = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${unfinished}`];
    await run('mvn', ['-q', '-B', '-f', join(sources, 'pom.xml'), ...copy], {
      env,
      timeout: fetchMs,
      ...(signal && { signal }),
    });
    if (!readdirSync(unfinished).some((name) => name.startsWith('kafka_')))
      throw new Error('it brought no jar of Kafka');
    renameSync(unfinished, jars);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    // Another process may have fetched them meanwhile.
    if (!existsSync(jars)) return { reason: `Maven could not fetch Kafka ${version}: ${firstLine(error)}` };
  }
  return { jars, java };
}

/** The first line that Maven calls an error. */
function firstLine(error: unknown): string {
  const { message, stdout } = outputOf(error);
  const line = stdout.split('\n').find((each) => each.includes('[ERROR]'));
  return (line?.replace('[ERROR] ', '') ?? message).trim().slice(0, 300);
}
