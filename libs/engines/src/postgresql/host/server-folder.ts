/**
 * The folder of a built server, which is there whole or not at all. Attempts restore into numbered folders beside it. One of
 * them gets its name in one step, if no later one has begun.
 *
 *     FOLDER/<instance>/data, data.tablespaces/       the server's data
 *     FOLDER/<instance>/postgresql.conf               its settings, in place of its source's
 *     FOLDER/<instance>/pg_hba.conf, pg_ident.conf    who may connect, in place of its source's rules
 *     FOLDER/<instance>/closed.conf                   the same, by which nobody may
 *     FOLDER/<instance>/recovered                     there when a server has recovered the data
 *     FOLDER/<instance>/region                        where it was restored from
 *     FOLDER/<instance>.<attempt>/                    what an attempt has restored so far
 *
 * Where PostgreSQL's user can't reach FOLDER, <instance> is a link to a folder elsewhere.
 */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, readlink, rename, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { PostgresServer } from '@strongroom/server-processes';
import { syncFolder } from '@strongroom/vault';
import type { Build, HostedData } from '../../server-host.js';

const openToPass = 0o711;
const openToRead = 0o644;
/** The source's rules may ask for TLS or for its own network. These let in its roles, with a password of either kind. */
const access = 'host all all 127.0.0.1/32 md5\nhost replication all 127.0.0.1/32 md5\n';
const accessName = 'pg_hba.conf';
const identName = 'pg_ident.conf';
const configurationName = 'postgresql.conf';
const closedName = 'closed.conf';
const recoveredName = 'recovered';
const regionName = 'region';
const dataName = 'data';

export interface ServerData extends HostedData {
  /** The folder with everything of it. Its server may write the data in it, and nothing else. */
  place: string;
  /** The settings that name its files. */
  files: Record<'data_directory' | 'config_file' | 'hba_file' | 'ident_file', string>;
  /** The rules of access by which nobody gets in. */
  closed: string;
  /** The file that is there when a server has recovered the data. */
  recovered: string;
}

export class ServerFolder {
  private readonly path: string;

  constructor(folder: string, instanceId: string) {
    this.path = resolve(folder, instanceId);
  }

  /** Undefined when there is nothing, or its disk is not mounted. */
  async restored(): Promise<ServerData | undefined> {
    const place = await this.place();
    const directory = join(place, dataName);
    if (!existsSync(join(directory, 'PG_VERSION'))) return undefined;
    const files = {
      data_directory: directory,
      config_file: join(place, configurationName),
      hba_file: join(place, accessName),
      ident_file: join(place, identName),
    };
    const region = await readFile(join(place, regionName), 'utf8');
    const closed = join(place, closedName);
    return { directory, place, files, closed, recovered: join(place, recoveredName), region };
  }

  async dataDirectory(): Promise<string> {
    return join(await this.place(), dataName);
  }

  /** Removes what earlier attempts left, so that none of them can finish. Undefined when a later one has begun. */
  async begin(attempt: number): Promise<BuildFolder | undefined> {
    // Only a build makes it. Where data are looked for, a folder that is missing may be a disk that is not mounted.
    await mkdir(dirname(this.path), { recursive: true });
    const place = await PostgresServer.placeFor(this.path);
    const earlier = await attemptsBeside(place);
    if (earlier.some(({ number }) => number >= attempt)) return undefined;
    for (const { path } of earlier) await removeFolder(path);
    return BuildFolder.make(`${place}.${attempt}`, place);
  }

  /** Removes everything. Nothing runs there any more. */
  async remove(): Promise<void> {
    const place = await this.place();
    for (const { path } of await attemptsBeside(place)) await removeFolder(path);
    await removeFolder(place);
    if (place === this.path) return;
    await rm(this.path, { force: true });
    await rmdir(dirname(place)).catch(() => {});
  }

  private place(): Promise<string> {
    return readlink(this.path).catch(() => this.path);
  }
}

/** What one attempt restores into. */
export class BuildFolder implements Build {
  private isFinished = false;

  private constructor(
    private readonly path: string,
    private readonly place: string,
  ) {}

  static async make(path: string, place: string): Promise<BuildFolder> {
    await mkdir(path);
    await chmod(path, openToPass);
    for (const [name, text] of [
      [identName, ''],
      [accessName, access],
    ] as const) {
      await writeShared(join(path, name), text);
    }
    return new BuildFolder(path, place);
  }

  get directory(): string {
    return join(this.path, dataName);
  }

  /** Restoring may make the folder anew, but not what `make` put into it. */
  get isCurrent(): boolean {
    return this.isFinished || existsSync(join(this.path, accessName));
  }

  async finish(region: string): Promise<HostedData> {
    await this.pointTablespaces();
    await writeFile(join(this.path, regionName), region);
    for (const folder of [this.directory, this.path]) await syncFolder(folder);
    if (!this.isCurrent) throw new Error(`${this.path} was given up for a later attempt`);
    await rename(this.path, this.place);
    this.isFinished = true;
    await syncFolder(dirname(this.place));
    return { directory: join(this.place, dataName), region };
  }

  async discard(): Promise<void> {
    await removeFolder(this.path);
  }

  /** Points the links to where the tablespaces will be, since links are absolute. */
  private async pointTablespaces(): Promise<void> {
    const links = join(this.directory, 'pg_tblspc');
    for (const oid of await readdir(links)) {
      const link = join(links, oid);
      await rm(link);
      await symlink(join(this.place, `${dataName}.tablespaces`, oid), link);
    }
  }
}

/** Every user may read it, whatever the umask says. */
export async function writeShared(path: string, text: string): Promise<void> {
  await writeFile(path, text);
  await chmod(path, openToRead);
}

async function attemptsBeside(place: string): Promise<{ number: number; path: string }[]> {
  const prefix = `${basename(place)}.`;
  const names = await readdir(dirname(place)).catch(() => []);
  return names
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => ({ number: Number(name.slice(prefix.length)), path: join(dirname(place), name) }));
}

/** Tries again when an attempt that does not know yet that it is over puts one more file into it. */
function removeFolder(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 5 });
}
