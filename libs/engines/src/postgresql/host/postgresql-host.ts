/**
 * Runs servers that are built from backups of PostgreSQL, with the programs that come with Strongroom. Each is a guest: it has a
 * configuration of ours, listens on the loopback interface, and lets in its source's roles by their passwords.
 */
import { execFile } from 'node:child_process';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  endAllOf,
  GuestUsers,
  insteadOfRoot,
  listenersOn,
  postgresPrograms,
  ServiceFault,
  type SystemUser,
} from '@strongroom/server-processes';
import { EngineFault } from '../../engine-fault.js';
import type { Guests } from '../../guests.js';
import { type Build, type HostedData, type HostedServer, type HostOptions, ServerHost } from '../../server-host.js';
import { type ControlFile, controlFileOf } from '../restore/control-file.js';
import { clearAway, endLeftovers } from './guest-leftovers.js';
import { GuestServer } from './guest-server.js';
import { fixedSettings, guestConfiguration } from './guest-settings.js';
import { readHead, removeTree, writeShared } from './guests-files.js';
import { type ServerData, ServerFolder } from './server-folder.js';

const run = promisify(execFile);
/** The version of the programs that come with Strongroom. */
const majorVersion = 18;
const controlBytes = 8_192;
const usualProcesses = 256;

export class PostgresqlHost extends ServerHost {
  private readonly users: GuestUsers | undefined;

  /** @param folder has a folder for each instance, and its log beside it */
  constructor(
    private readonly folder: string,
    private readonly guests: Guests = {},
  ) {
    super();
    const { users } = guests;
    this.users = users && new GuestUsers(join(folder, '.users'), users);
  }

  whyNotBuilt(version: string): string | undefined {
    if (Number.parseInt(version, 10) === majorVersion) return undefined;
    return `The backup is of postgresql ${version}, and servers of version ${majorVersion} are built here. Restore it with: strongroom restore`;
  }

  find(instanceId: string): Promise<HostedData | undefined> {
    return this.of(instanceId).restored();
  }

  /** Nobody's password is sent to a guest that has taken the port of one which does not run. */
  override async serves(instanceId: string, port: number): Promise<boolean> {
    if (!(await this.find(instanceId))) return false;
    const user = this.users?.of(instanceId);
    return !user || (listenersOn(port) ?? []).every((uid) => uid === user.uid);
  }

  async build(instanceId: string, attempt: number): Promise<Build | undefined> {
    const { users } = this;
    if (!users) return this.of(instanceId).begin(attempt);
    const user = this.ownUserFor(users, instanceId);
    return this.of(instanceId).begin(attempt, { user, giveBack: () => users.release(instanceId) });
  }

  async start(instanceId: string, { port, signal }: HostOptions): Promise<HostedServer> {
    const data = await this.of(instanceId).restored();
    if (!data) throw new EngineFault('server-did-not-start', 'The data of the server are not on this machine.');
    const user = this.users ? this.ownUserFor(this.users, instanceId) : insteadOfRoot();
    const place = {
      instanceId,
      folder: data.place,
      data: data.directory,
      logFile: this.logOf(instanceId),
      programs: postgresPrograms(user),
      user,
      isAlone: this.users !== undefined,
      mostProcesses: this.guests.mostProcesses ?? usualProcesses,
      command: this.guests.command ?? [],
      settings: { ...fixedSettings(majorVersion), ...data.files },
    };
    await endLeftovers(place);
    if (user) await giveTo(user, data);
    // PostgreSQL reads it from the folder of the data, whatever configuration file it is given.
    await removeTree(join(data.directory, 'postgresql.auto.conf'));
    await writeShared(data.files.config_file, guestConfiguration(majorVersion, await controlOf(data)));
    if (!(await isThere(data.recovered))) {
      await writeShared(data.closed, 'host all all all reject\n');
      const settings = { ...place.settings, hba_file: data.closed };
      await GuestServer.recover({ ...place, settings }, signal);
      await writeShared(data.recovered, '');
    }
    if (port !== undefined) await this.freeFor(user, port);
    return GuestServer.start(place, { port, signal });
  }

  async remove(instanceId: string): Promise<void> {
    const folder = this.of(instanceId);
    const user = this.users?.of(instanceId);
    const place = await folder.place();
    const guest = { folder: place, data: folder.dataIn(place), user, isAlone: this.users !== undefined };
    await endLeftovers(guest);
    await folder.remove();
    await clearAway(guest);
    for (const log of [this.logOf(instanceId), `${this.logOf(instanceId)}.before`]) await rm(log, { force: true });
    this.users?.release(instanceId);
  }

  private ownUserFor(users: GuestUsers, instanceId: string): SystemUser {
    try {
      return users.claim(instanceId);
    } catch (error) {
      if (!(error instanceof ServiceFault)) throw error;
      throw new EngineFault('server-did-not-start', 'This machine has no place for another server now.', {
        cause: error,
      });
    }
  }

  /** Ends other guests that have taken the port of a server while it did not run. */
  private async freeFor(user: SystemUser | undefined, port: number): Promise<void> {
    for (const other of this.users?.among(listenersOn(port) ?? []) ?? []) {
      if (other.uid !== user?.uid) await endAllOf(other);
    }
  }

  private logOf(instanceId: string): string {
    return join(this.folder, `${instanceId}.log`);
  }

  private of(instanceId: string): ServerFolder {
    return new ServerFolder(this.folder, instanceId);
  }
}

/**
 * Only what a restore has left is given away, and only before the first start. Later the folder has what its server has put there, and to
 * change the owner of that might give it more.
 */
async function giveTo({ uid, gid }: SystemUser, { directory, given }: ServerData): Promise<void> {
  if (await isThere(given)) return;
  for (const folder of [`${directory}.tablespaces`, directory]) {
    if (await isThere(folder)) await run('chown', ['-R', '-P', '-h', `${uid}:${gid}`, folder]);
  }
  await writeShared(given, '');
}

/** The server owns the file, so that it may be anything by now. */
async function controlOf({ directory }: ServerData): Promise<ControlFile | undefined> {
  const head = await readHead(join(directory, 'global', 'pg_control'), controlBytes);
  return head && controlFileOf(head);
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
