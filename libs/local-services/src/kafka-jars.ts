/** The jars of a real Kafka, fetched once by Maven; or the reason why they can't be had here. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const version = '4.4.0';
const oldestJava = 17;
const fetchMs = 300_000;

export type KafkaFound = { jars: string; reason?: undefined } | { jars?: undefined; reason: string };

/**
 * @param cache a folder to keep the jars in, shared by every run
 * @param sources the folder with the pom
 */
export async function findKafka(cache: string, sources: string): Promise<KafkaFound> {
  const java = await javaVersion();
  if (java === undefined || java < oldestJava) {
    const found = java === undefined ? 'there is no Java' : `Java is ${java}`;
    return { reason: `${found}, and Kafka needs ${oldestJava} or newer (Debian: openjdk-17-jre-headless)` };
  }
  const jars = join(cache, `kafka-${version}`);
  if (existsSync(jars)) return { jars };
  try {
    await run('mvn', ['--version']);
  } catch {
    return { reason: 'there is no Maven to fetch Kafka with (Debian: maven)' };
  }
  const unfinished = `${jars}.${process.pid}`;
  mkdirSync(dirname(jars), { recursive: true });
  try {
    const copy = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${unfinished}`];
    await run('mvn', ['-q', '-B', '-f', join(sources, 'pom.xml'), ...copy], { timeout: fetchMs });
    if (!readdirSync(unfinished).some((name) => name.startsWith('kafka_')))
      throw new Error('Maven brought no kafka jar');
    renameSync(unfinished, jars);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(jars)) return { reason: `Maven could not fetch Kafka ${version}: ${firstLine(error)}` };
  }
  return { jars };
}

async function javaVersion(): Promise<number | undefined> {
  try {
    const { stderr, stdout } = await run('java', ['-version']);
    const major = /version "(\d+)/.exec(`${stderr}${stdout}`)?.[1];
    return major === undefined ? undefined : Number(major);
  } catch {
    return undefined;
  }
}

function firstLine(error: unknown): string {
  const told = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
  const line =
    told.split('\n').find((each) => each.includes('ERROR')) ?? (error instanceof Error ? error.message : String(error));
  return line.slice(0, 300);
}
