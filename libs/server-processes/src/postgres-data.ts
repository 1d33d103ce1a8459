/**
 * The data folder of a PostgreSQL server. It is made whole or not at all, the next start finds it again, and a server that
 * still runs on it is stopped.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { PostgresPrograms } from './postgres-binaries.js';
import { commandLineOf, endProcess, identityOf } from './process-identity.js';
import { outputOf } from './program-output.js';
import { serverEnvironment } from './server-environment.js';
import { ServiceFault } from './service-fault.js';
import { canReach, makePlaceOutside, placeOutside, type SystemUser } from './unprivileged.js';

const run = promisify(execFile);
const leftoverGraceMs = 20_000;

export interface NewData {
  programs: PostgresPrograms;
  password: string;
  user: SystemUser | undefined;
  /** Whether the new files are flushed to the disk before the first start. */
  sync: boolean;
  /** Whether pages carry checksums. */
  checksums: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Where the data of a folder really is; no server runs there when this returns. When the user can't reach the folder, it
 * becomes a link to a place outside. When the link is deleted, the data there counts as deleted.
 */
export async function dataFolder(directory: string, user: SystemUser | undefined): Promise<string> {
  const path = resolve(directory);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!user || (!found?.isSymbolicLink() && canReach(path, user))) {
    await endLeftover(path);
    return path;
  }
  if (found && !found.isSymbolicLink()) {
    throw new ServiceFault(
      'no-place',
      `${path} can't be reached by ${user.name}, the user for PostgreSQL in place of root. Open the folders above it to others (chmod o+x), or move it away to begin anew.`,
    );
  }
  const place = placeOf(path);
  await endLeftover(place);
  if (!found || readlinkSync(path) !== place) rmSync(place, { recursive: true, force: true });
  makePlaceOutside(path);
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  symlinkSync(place, path);
  return place;
}

/** Stops a server that runs on the folder, or on the folder that replaces it. */
export async function endLeftoverOf(directory: string): Promise<void> {
  for (const data of [resolve(directory), placeOf(resolve(directory))]) await endLeftover(data);
}

/** Fills the data folder unless it is filled. @throws {ServiceFault} with what initdb said */
export async function initialise(
  data: string,
  { programs, password, user, sync, checksums, signal }: NewData,
): Promise<void> {
  if (existsSync(join(data, 'PG_VERSION'))) return;
  const unfinished = `${data}.unfinished`;
  const passwordFile = `${data}.password-${randomBytes(4).toString('hex')}`;
  const made = mkdirSync(dirname(data), { recursive: true });
  // With any umask, the user must be able to pass through the new folders.
  for (let folder = dirname(data); made && folder.startsWith(made); folder = dirname(folder)) chmodSync(folder, 0o755);
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (user) for (const path of [unfinished, passwordFile]) chownSync(path, user.uid, user.gid);
  const args = [
    '-D',
    unfinished,
    '-U',
    'postgres',
    `--pwfile=${passwordFile}`,
    '-A',
    'scram-sha-256',
    '--locale=C',
    '--encoding=UTF8',
    ...(sync ? [] : ['--no-sync']),
    ...checksumsAsked(checksums, programs.major),
  ];
  try {
    await run(join(programs.bin, 'initdb'), args, {
      cwd: unfinished,
      env: serverEnvironment,
      ...(user && { uid: user.uid, gid: user.gid }),
      ...(signal && { signal }),
    });
    rmSync(data, { recursive: true, force: true });
    renameSync(unfinished, data);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    const { message, stderr } = outputOf(error);
    throw new ServiceFault('did-not-start', `initdb could not make ${data}: ${stderr.trim() || message}`, {
      cause: error,
    });
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** Since version 18 a server has checksums unless it is told not to. */
function checksumsAsked(checksums: boolean, major: number): string[] {
  if (checksums) return ['--data-checksums'];
  return major >= 18 ? ['--no-data-checksums'] : [];
}

function placeOf(path: string): string {
  return join(placeOutside(path), 'data');
}

/** Stops a server that still runs on this folder because the process that started it was killed. */
async function endLeftover(data: string): Promise<void> {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  const identity = identityOf(pid);
  if (identity === undefined || !commandLineOf(pid)?.includes(`postgres -D ${data} `)) return;
  await endProcess(identity, { what: `PostgreSQL on ${data}`, signal: 'SIGINT', graceMs: leftoverGraceMs });
}
