/** Finds a Java that Kafka can run on: that of JAVA_HOME, else the first one in PATH. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const oldest = 17;
const debian = 'Debian: openjdk-17-jre-headless';

export type JavaFound = { java: string; reason?: undefined } | { java?: undefined; reason: string };

export async function findJava(env: NodeJS.ProcessEnv = process.env): Promise<JavaFound> {
  const home = env.JAVA_HOME;
  let tooOld: number | undefined;
  for (const java of [...(home ? [join(home, 'bin', 'java')] : []), 'java']) {
    const version = await versionOf(java, env);
    if (version !== undefined && version >= oldest) return { java };
    tooOld ??= version;
  }
  const found = tooOld === undefined ? 'there is no Java' : `Java is ${tooOld}`;
  return { reason: `${found}, and Kafka needs ${oldest} or newer (${debian})` };
}

async function versionOf(java: string, env: NodeJS.ProcessEnv): Promise<number | undefined> {
  try {
    const { stderr, stdout } = await run(java, ['-version'], { env });
    const major = /version "(?:1\.)?(\d+)/.exec(`${stderr}${stdout}`)?.[1];
    return major === undefined ? undefined : Number(major);
  } catch {
    return undefined;
  }
}
