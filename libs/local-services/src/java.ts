/** Finds a Java that Kafka can run on: that of JAVA_HOME, else the first one in PATH. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const oldest = 17;
const debian = 'Debian: openjdk-17-jre-headless';

export type JavaFound =
  /** `version` is all of it, such as 17.0.15. */
  { java: string; version: string; reason?: undefined } | { java?: undefined; version?: undefined; reason: string };

export async function findJava(env: NodeJS.ProcessEnv = process.env): Promise<JavaFound> {
  const home = env.JAVA_HOME;
  let tooOld: number | undefined;
  for (const java of [...(home ? [join(home, 'bin', 'java')] : []), 'java']) {
    const version = await versionOf(java, env);
    const major = version && majorOf(version);
    if (version && major && major >= oldest) return { java, version };
    tooOld ??= major || undefined;
  }
  const found = tooOld === undefined ? 'there is no Java' : `Java is ${tooOld}`;
  return { reason: `${found}, and Kafka needs ${oldest} or newer (${debian})` };
}

async function versionOf(java: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  try {
    const { stderr, stdout } = await run(java, ['-version'], { env });
    return /version "([\w.+-]+)"/.exec(`${stderr}${stdout}`)?.[1];
  } catch {
    return undefined;
  }
}

/** A Java before 9 begins with `1.` */
function majorOf(version: string): number {
  return Number(/^(?:1\.)?(\d+)/.exec(version)?.[1]);
}
