/**
 * Runs servers that are built from backups of PostgreSQL, with the programs that come with Strongroom. Each is a guest: it has a
 * configuration of ours, listens on the loopback interface, and lets in its source's roles by their passwords.
 */
import { execFile } from 'node:child_process';
import { readdir, rm, stat } from 'node:fs/promises';
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
import {
  type Build,
  type HeldHere,
  type HostedData,
  type HostedServer,
  type HostOptions,
  ServerHost,
} from '../../server-host.js';
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
    // Each attempt has a user of its own, so that what a dead one has left can be removed whatever a later one does.
    await this.removeEarlier(instanceId, attempt);
    const name = nameOf(instanceId, attempt);
    const giveBack = () => users.release(name);
    const owner = { user: this.ownUserFor(users, name), giveBack, keep: () => users.pass(name, instanceId) };
    const build = await this.of(instanceId).begin(attempt, owner);
    if (!build) giveBack();
    return build;
  }

  async start(instanceId: string, { port, signal }: HostOptions): Promise<HostedServer> {
    const data = await this.of(instanceId).restored();
    if (!data) throw new EngineFault('server-did-not-start', 'The data of the server are not on this machine.');
    const user = this.users ? this.ownUserOf(this.users, instanceId, data) : insteadOfRoot();
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
    await this.removeEarlier(instanceId, Number.POSITIVE_INFINITY);
    this.users?.release(instanceId);
  }

  override async held(): Promise<HeldHere[]> {
    const found: HeldHere[] = [];
    for (const name of await readdir(this.folder).catch(() => [])) {
      const { instanceId, attempt } = partsOf(name);
      if (instanceId === undefined) continue;
      const folder = this.of(instanceId);
      found.push({ instanceId, attempt });
      // Where the folder is elsewhere, those of its attempts are there too.
      if (attempt !== undefined || (await folder.place()) === folder.path) continue;
      found.push(...(await folder.attempts()).map((number) => ({ instanceId, attempt: number })));
    }
    for (const { server } of this.users?.claims() ?? []) {
      const { instanceId, attempt } = partsOf(server);
      const isKnown = found.some((each) => each.instanceId === instanceId && each.attempt === attempt);
      if (instanceId === undefined || attempt === undefined || isKnown) continue;
      // The user of a server is named for its attempt until that is known to have finished.
      if ((await this.of(instanceId).restored())?.attempt !== attempt) found.push({ instanceId, attempt });
    }
    return found;
  }

  override async removeAttempt(instanceId: string, attempt: number): Promise<void> {
    const folder = this.of(instanceId);
    await folder.removeAttempt(attempt);
    // It has finished, or it never can.
    if ((await folder.restored())?.attempt === attempt) return;
    const name = nameOf(instanceId, attempt);
    const user = this.users?.of(name);
    if (user) {
      await endAllOf(user);
      await folder.removeAttempt(attempt);
      await clearAway({ user, isAlone: true });
    }
    this.users?.release(name);
  }

  /** Removes what attempts before this one have left to users of their own. */
  private async removeEarlier(instanceId: string, attempt: number): Promise<void> {
    for (const { server } of this.users?.claims() ?? []) {
      const left = partsOf(server);
      if (left.instanceId !== instanceId || left.attempt === undefined || left.attempt >= attempt) continue;
      await this.removeAttempt(instanceId, left.attempt);
    }
  }

  /** The user of a server that has its data: an attempt may have died before it was passed on. */
  private ownUserOf(users: GuestUsers, instanceId: string, { attempt }: ServerData): SystemUser {
    if (attempt !== undefined) users.pass(nameOf(instanceId, attempt), instanceId);
    return this.ownUserFor(users, instanceId);
  }

  private ownUserFor(users: GuestUsers, name: string): SystemUser {
    try {
      return users.claim(name);
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

const heldName = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\.(\d+))?$/;

function nameOf(instanceId: string, attempt: number): string {
  return `${instanceId}.${attempt}`;
}

function partsOf(name: string): { instanceId?: string; attempt?: number } {
  const [, instanceId, attempt] = heldName.exec(name) ?? [];
  return {
    ...(instanceId !== undefined && { instanceId }),
    ...(attempt !== undefined && { attempt: Number(attempt) }),
  };
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
