/**
 * Installs and builds what is missing. Needs nothing but Node and npm. Of several processes that ask at once, one does
 * the work and the others wait for it. It is waited for as long as it takes, and what has come so far is shown meanwhile.
 */
import { spawn } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { build, isBuilt } from './build.mjs';
import { checkNode } from './node-versions.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const lookMs = 250;
const tellMs = 10_000;
/** A package of forty megabytes takes its time on a slow line. npm gives up after five minutes by itself. */
const slowestPackageMs = 3_600_000;
const lastLines = 15;
/** The codes of an error when this user may not change a file. */
const notOurs = ['EACCES', 'EPERM', 'EROFS'];

/** Ends the process when Strongroom does not run on this Node. Returns when everything is installed and built. */
export async function setUp() {
  checkNode();
  if (isInstalled() && isBuilt()) return;
  const advice = adviceOnOwner();
  if (advice !== undefined) process.stdout.write(`${advice}\n`);
  try {
    await oneAtATime(async () => {
      if (!isInstalled()) await step('Installing dependencies', () => install(), installed);
      if (!isBuilt()) await step('Building', build, () => `${countIn(join(root, 'dist'))} files`);
    });
  } catch (error) {
    if (!notOurs.includes(error.code)) throw error;
    process.stderr.write(`${root} can't be written to: ${error.message}. ${adviceOnWriting()}\n`);
    process.exit(1);
  }
}

/** Whether what npm says it installed is what the lock file asks for. */
export function isInstalled(folder = root) {
  const wanted = lockFile(join(folder, 'package-lock.json'));
  const there = lockFile(join(folder, 'node_modules', '.package-lock.json'));
  if (!wanted || !there) return false;
  return Object.entries(wanted).every(([path, { version, integrity, optional, link }]) => {
    if (path === '' || link) return true;
    const found = there[path];
    // npm does not install a package that is for other machines.
    if (!found) return optional === true;
    return found.version === version && found.integrity === integrity;
  });
}

function lockFile(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** Installs what the lock file asks for. The build needs the packages for development, and PostgreSQL is an optional one. */
export async function install(folder = root) {
  const all = ['--include=dev', '--include=optional'];
  const patient = [`--fetch-timeout=${slowestPackageMs}`, '--fetch-retries=5'];
  const child = spawn('npm', ['ci', '--no-audit', '--no-fund', '--color=false', ...all, ...patient], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  const how = await new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be run: ${error.message}`));
    child.once('close', (code, by) =>
      resolve(by ? `was ended by ${by}` : code === 0 ? undefined : `ended with ${code}`),
    );
  });
  if (how === undefined) return;
  const said = stripVTControlCharacters(text).trimEnd().split('\n').slice(-lastLines).join('\n');
  throw new Error(`npm ci ${how}. Start again: what has come is kept. It said last:\n${said}`);
}

/** How many packages are there so far. */
function installed() {
  const names = list(join(root, 'node_modules')).filter((name) => !name.startsWith('.'));
  const packages = names.flatMap((name) => (name.startsWith('@') ? list(join(root, 'node_modules', name)) : [name]));
  return `${packages.length} packages`;
}

function countIn(folder) {
  return existsSync(folder) ? readdirSync(folder, { recursive: true }).length : 0;
}

function list(folder) {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/**
 * What to know before root makes files in somebody else's folder; undefined when nothing.
 * @param uid the user of this process @param owner whose folder it is
 */
export function adviceOnOwner(uid = process.getuid?.(), owner = statSync(root).uid) {
  if (uid !== 0 || owner === 0) return undefined;
  return `You are root, and this folder belongs to another user (${owner}). What is installed and built now will be root's, and that user cannot start it afterwards. To start it as that user: sudo -u '#${owner}' npm start. If it was started as root before: chown -R ${owner} ${root}`;
}

function adviceOnWriting() {
  const { uid } = statSync(root);
  const mine = process.getuid?.();
  if (uid === mine) return `It is yours, and something in it is not: sudo chown -R ${mine} ${root}`;
  return `It belongs to ${uid === 0 ? 'root' : `another user (${uid})`}. Work on a copy or a clone of your own, or take it over: sudo chown -R ${mine} ${root}`;
}

/** Says what is done, how far it is, and how long it took. Ends the process when that fails. */
async function step(what, work, progress) {
  process.stdout.write(`${what} … `);
  const begun = performance.now();
  const seconds = () => ((performance.now() - begun) / 1_000).toFixed(1);
  const telling = setInterval(() => {
    process.stdout.write(`\n  ${Math.round((performance.now() - begun) / 1_000)} s, ${progress()} so far … `);
  }, tellMs);
  try {
    await work();
  } catch (error) {
    process.stdout.write(`failed\n`);
    if (notOurs.includes(error.code)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  } finally {
    clearInterval(telling);
  }
  process.stdout.write(`${seconds()} s\n`);
}

/** Waits until no other process works, then works. The lock is gone when this process ends, however it ends. */
async function oneAtATime(work) {
  const folder = join(root, '.strongroom');
  const lock = join(folder, 'set-up.pid');
  const mine = `${lock}.${process.pid}`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(mine, String(process.pid));
  const release = () => rmSync(lock, { force: true });
  try {
    for (let told = false; !linked(mine, lock); told = true) {
      if (!told) process.stdout.write('Waiting for another start that is setting up …\n');
      if (!isAlive(Number(readIfThere(lock)))) rmSync(lock, { force: true });
      else await delay(lookMs);
    }
  } finally {
    rmSync(mine, { force: true });
  }
  process.once('exit', release);
  await work();
  process.off('exit', release);
  release();
}

function linked(from, to) {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function readIfThere(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function isAlive(pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}
