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
 *     FOLDER/<instance>/given                         there when the data belong to the server's user
 *     FOLDER/<instance>/running                       the process that was started last, where its user has no other
 *     FOLDER/<instance>/attempt                       the number of the attempt that has built it
 *     FOLDER/<instance>.<attempt>/                    what an attempt has restored so far
 *
 * The server may write its data, and nothing else. A user of its own is the only one who may pass through <instance> then, so that no other
 * guest reaches what this one has opened to everybody. Where PostgreSQL's user can't reach FOLDER, <instance> is a link to a folder elsewhere.
 */
import { existsSync, lstatSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, readlink, rename, rm, rmdir, symlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { regionName as regionForm } from '@strongroom/contracts';
import { PostgresServer, type SystemUser } from '@strongroom/server-processes';
import { syncFolder } from '@strongroom/vault';
import type { Build, HostedData } from '../../server-host.js';
import { readHead, removeTree, writeShared } from './guests-files.js';

const openToPass = 0o711;
/** The process that restores makes the names in it durable, and reads it for that. */
const openToUser = 0o750;
const openToOwner = 0o700;
const mostOfRegion = 256;
const mostOfNumber = 32;
const removals = 5;
/** The source's rules may ask for TLS or for its own network. These let in its roles, with a password of either kind. */
const access = 'host all all 127.0.0.1/32 md5\nhost replication all 127.0.0.1/32 md5\n';
const accessName = 'pg_hba.conf';
const identName = 'pg_ident.conf';
const configurationName = 'postgresql.conf';
const closedName = 'closed.conf';
const recoveredName = 'recovered';
const givenName = 'given';
const regionName = 'region';
const attemptName = 'attempt';
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
  /** The file that is there when the data belong to the server's user. */
  given: string;
  /** The attempt that has built it. Undefined where an older version has. */
  attempt: number | undefined;
}

export interface DataOwner {
  user: SystemUser;
  /** Called when the attempt has finished: from now on the user is the server's. */
  keep(): void;
  /** Called when nothing of the attempt is left: the user may be another's then. */
  giveBack(): void;
}

export class ServerFolder {
  /** By the name of its instance. */
  readonly path: string;

  constructor(folder: string, instanceId: string) {
    this.path = resolve(folder, instanceId);
  }

  /** Undefined when there is nothing, or its disk is not mounted. */
  async restored(): Promise<ServerData | undefined> {
    const place = await this.place();
    const directory = join(place, dataName);
    if (!lstatSync(directory, { throwIfNoEntry: false })?.isDirectory()) return undefined;
    if (!existsSync(join(directory, 'PG_VERSION'))) return undefined;
    const files = {
      data_directory: directory,
      config_file: join(place, configurationName),
      hba_file: join(place, accessName),
      ident_file: join(place, identName),
    };
    const region = regionForm.parse((await readHead(join(place, regionName), mostOfRegion))?.toString('utf8'));
    const [closed, recovered, given] = [closedName, recoveredName, givenName].map((name) => join(place, name)) as [
      string,
      string,
      string,
    ];
    return { directory, place, files, closed, recovered, given, region, attempt: await attemptIn(place) };
  }

  /**
   * Removes what earlier attempts left, so that none of them can finish. Undefined when a later one has begun.
   * @param owner whom the data are to belong to, where the server has a user of its own
   */
  async begin(attempt: number, owner?: DataOwner): Promise<BuildFolder | undefined> {
    // Only a build makes it. Where data are looked for, a folder that is missing may be a disk that is not mounted.
    await mkdir(dirname(this.path), { recursive: true });
    const place = await PostgresServer.placeFor(this.path);
    const earlier = await attemptsBeside(place);
    if (earlier.some(({ number }) => number >= attempt)) return undefined;
    for (const { path } of earlier) await removeFolder(path);
    return BuildFolder.make(`${place}.${attempt}`, { place, attempt, owner });
  }

  /** The attempts that have left a folder. */
  async attempts(): Promise<number[]> {
    return (await attemptsBeside(await this.place())).map(({ number }) => number);
  }

  async removeAttempt(attempt: number): Promise<void> {
    await removeFolder(`${await this.place()}.${attempt}`);
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

  dataIn(place: string): string {
    return join(place, dataName);
  }

  /** Where the folder really is. */
  place(): Promise<string> {
    return readlink(this.path).catch(() => this.path);
  }
}

/** What one attempt restores into. */
export class BuildFolder implements Build {
  private isFinished = false;

  private constructor(
    private readonly path: string,
    private readonly place: string,
    private readonly owner: DataOwner | undefined,
  ) {}

  static async make(
    path: string,
    { place, attempt, owner }: { place: string; attempt: number; owner: DataOwner | undefined },
  ): Promise<BuildFolder> {
    await mkdir(path);
    await chmod(path, openToPass);
    for (const [name, text] of [
      [attemptName, String(attempt)],
      [identName, ''],
      [accessName, access],
    ] as const) {
      await writeShared(join(path, name), text);
    }
    const folder = new BuildFolder(path, place, owner);
    if (owner) await folder.openTo(owner.user);
    return folder;
  }

  get directory(): string {
    return join(this.path, dataName);
  }

  get user(): SystemUser | undefined {
    return this.owner?.user;
  }

  /** Restoring may make the folder anew, but not what `make` put into it. */
  get isCurrent(): boolean {
    return this.isFinished || existsSync(join(this.path, accessName));
  }

  async finish(region: string): Promise<HostedData> {
    await this.pointTablespaces();
    await writeShared(join(this.path, regionName), region);
    for (const folder of [this.directory, this.path]) await syncFolder(folder);
    if (!this.isCurrent) throw new Error(`${this.path} was given up for a later attempt`);
    await rename(this.path, this.place);
    this.isFinished = true;
    this.owner?.keep();
    await syncFolder(dirname(this.place));
    return { directory: join(this.place, dataName), region };
  }

  async discard(): Promise<void> {
    // A later attempt has the user now.
    const hasUser = !this.isFinished && this.isCurrent;
    await removeFolder(this.path);
    if (hasUser) this.owner?.giveBack();
  }

  /** Points the links to where the tablespaces will be, since links are absolute. */
  private async pointTablespaces(): Promise<void> {
    const links = join(this.directory, 'pg_tblspc');
    for (const entry of await readdir(links, { withFileTypes: true })) {
      if (!entry.isSymbolicLink()) continue;
      const link = join(links, entry.name);
      await rm(link);
      await symlink(join(this.place, `${dataName}.tablespaces`, entry.name), link);
    }
  }

  /** Makes the two folders that the user writes to, since it can't make any beside them. */
  private async openTo({ uid, gid }: SystemUser): Promise<void> {
    await chown(this.path, process.getuid?.() ?? 0, gid);
    await chmod(this.path, openToUser);
    for (const folder of [this.directory, `${this.directory}.tablespaces`]) {
      await mkdir(folder, { mode: openToOwner });
      await chown(folder, uid, gid);
    }
  }
}

async function attemptIn(place: string): Promise<number | undefined> {
  const text = (await readHead(join(place, attemptName), mostOfNumber))?.toString('utf8') ?? '';
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

async function attemptsBeside(place: string): Promise<{ number: number; path: string }[]> {
  const prefix = `${basename(place)}.`;
  const names = await readdir(dirname(place)).catch(() => []);
  return names
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => ({ number: Number(name.slice(prefix.length)), path: join(dirname(place), name) }));
}

/** Tries again when an attempt that does not know yet that it is over puts one more file into it. */
async function removeFolder(path: string): Promise<void> {
  for (let left = removals; ; left -= 1) {
    try {
      return await removeTree(path);
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}
