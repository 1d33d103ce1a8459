/**
 * Installs and builds what is missing. Needs nothing but Node and npm. Of several processes that ask at once, one does
 * the work and the others wait for it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build, isBuilt } from './build.mjs';
import { checkNode } from './node-versions.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const lookMs = 250;

/** Ends the process when Strongroom does not run on this Node. Returns when everything is installed and built. */
export async function setUp() {
  checkNode();
  if (isInstalled() && isBuilt()) return;
  await oneAtATime(() => {
    if (!isInstalled()) step('Installing dependencies', install);
    if (!isBuilt()) step('Building', build);
  });
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

function install() {
  const { status, stdout, stderr, error } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new Error(`npm ci failed:\n${error?.message ?? ''}${stdout}${stderr}`);
}

/** Says what is done and how long it took. Ends the process when that fails. */
function step(what, work) {
  process.stdout.write(`${what} … `);
  const begun = performance.now();
  try {
    work();
  } catch (error) {
    process.stdout.write(`failed\n`);
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
  process.stdout.write(`${((performance.now() - begun) / 1_000).toFixed(1)} s\n`);
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
  work();
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
