/**
 * Quartz, which runs on Java: its jars are fetched by Maven once, and their digests compared with `jars.sha256`. Where there is no Java, no
 * compiler or no Maven, or where Maven can't fetch, there is a reason and no peer.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { checkJars } from '../../../dist/libs/local-services/src/checked-jars.js';

const here = dirname(fileURLToPath(import.meta.url));
const longestFetchMs = 180_000;

/** @returns the class path, or why there is none */
function compiled(cache) {
  for (const program of ['java', 'javac', 'mvn']) {
    try {
      execFileSync(program, ['-version'], { stdio: 'ignore' });
    } catch {
      return { reason: `there is no ${program}` };
    }
  }
  const jars = join(cache, 'jars');
  const classes = join(cache, 'classes');
  mkdirSync(classes, { recursive: true });
  try {
    if (!existsSync(jars)) {
      rmSync(`${jars}.new`, { recursive: true, force: true });
      const copy = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${jars}.new`];
      const options = { stdio: 'ignore', timeout: longestFetchMs };
      execFileSync('mvn', ['-q', '-B', '-f', join(here, 'pom.xml'), ...copy], options);
      checkJars(`${jars}.new`, join(here, 'jars.sha256'));
      renameSync(`${jars}.new`, jars);
    }
    const path = [...readdirSync(jars).map((jar) => join(jars, jar)), classes].join(':');
    execFileSync('javac', ['-d', classes, '-cp', path, join(here, 'QuartzPeer.java')], { stdio: 'ignore' });
    return { path };
  } catch (error) {
    return { reason: `its jars could not be fetched or compiled: ${String(error?.message ?? error).split('\n')[0]}` };
  }
}

/** As `pom.xml` has it. */
export const quartzVersion = () =>
  /<artifactId>quartz<\/artifactId>\s*<version>([\d.]{3,})</.exec(readFileSync(join(here, 'pom.xml'), 'utf8'))?.[1];

/**
 * @param cache a folder for what is fetched
 * @param database its own, empty database
 * @returns `{ ask, pid }` as the other peers have it, or `{ reason }`
 */
export async function openQuartz(cache, { port, database, password }) {
  const { path, reason } = compiled(cache);
  if (reason) return { reason };
  const url = `jdbc:postgresql://127.0.0.1:${port}/${database}?user=postgres&password=${password}`;
  const program = ['-Xmx512m', '-Duser.timezone=UTC', '-cp', path, 'QuartzPeer', url];
  const child = spawn('java', program, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`Quartz ended with ${child.exitCode}`);
    return JSON.parse(value);
  };
  await answer();
  const ask = (what, { due, idle } = {}) => {
    child.stdin.write(`${[what, due, idle].filter((each) => each !== undefined).join(' ')}\n`);
    return answer();
  };
  return { ask, pid: child.pid, kill: () => child.kill('SIGKILL') };
}
