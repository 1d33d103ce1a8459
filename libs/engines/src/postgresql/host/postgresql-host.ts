/**
 * Runs servers that are built from backups of PostgreSQL, with the programs that come with Strongroom. Each is a guest: it has a
 * configuration of ours, listens on the loopback interface, and lets in its source's roles by their passwords.
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { open, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GuestUsers, insteadOfRoot, postgresPrograms, ServiceFault } from '@strongroom/server-processes';
import { EngineFault } from '../../engine-fault.js';
import type { Guests } from '../../guests.js';
import { type Build, type HostedData, type HostedServer, type HostOptions, ServerHost } from '../../server-host.js';
import { type ControlFile, controlFileOf } from '../restore/control-file.js';
import { GuestServer } from './guest-server.js';
import { fixedSettings, guestConfiguration } from './guest-settings.js';
import { type ServerData, ServerFolder, writeShared } from './server-folder.js';

const run = promisify(execFile);
/** The version of the programs that come with Strongroom. */
const majorVersion = 18;
const controlBytes = 8_192;

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

  build(instanceId: string, attempt: number): Promise<Build | undefined> {
    return this.of(instanceId).begin(attempt);
  }

  async start(instanceId: string, { port, signal }: HostOptions): Promise<HostedServer> {
    const data = await this.of(instanceId).restored();
    if (!data) throw new EngineFault('server-did-not-start', 'The data of the server are not on this machine.');
    const user = this.userFor(instanceId);
    const place = {
      instanceId,
      folder: data.place,
      data: data.directory,
      logFile: this.logOf(instanceId),
      programs: postgresPrograms(user),
      user,
      isAlone: this.users !== undefined,
      command: this.guests.command ?? [],
      settings: { ...fixedSettings(majorVersion), ...data.files },
    };
    await GuestServer.endLeftovers(place);
    if (user) await giveTo(user, data);
    // PostgreSQL reads it from the folder of the data, whatever configuration file it is given.
    await rm(join(data.directory, 'postgresql.auto.conf'), { recursive: true, force: true });
    await writeShared(data.files.config_file, guestConfiguration(majorVersion, await controlOf(data)));
    if (!(await isThere(data.recovered))) {
      await writeShared(data.closed, 'host all all all reject\n');
      const settings = { ...place.settings, hba_file: data.closed };
      await GuestServer.recover({ ...place, settings }, signal);
      await writeFile(data.recovered, '');
    }
    return GuestServer.start(place, { port, signal });
  }

  async remove(instanceId: string): Promise<void> {
    const folder = this.of(instanceId);
    const user = this.users?.of(instanceId);
    await GuestServer.endLeftovers({ data: await folder.dataDirectory(), user, isAlone: true });
    await folder.remove();
    for (const log of [this.logOf(instanceId), `${this.logOf(instanceId)}.before`]) await rm(log, { force: true });
    this.users?.release(instanceId);
  }

  private userFor(instanceId: string) {
    if (!this.users) return insteadOfRoot();
    try {
      return this.users.claim(instanceId);
    } catch (error) {
      if (!(error instanceof ServiceFault)) throw error;
      throw new EngineFault('server-did-not-start', 'This machine has no place for another server now.', {
        cause: error,
      });
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
 * Only what a restore has left is given away. Later the folder has what its server has put there, and to change the owner of that might give
 * it more.
 */
async function giveTo({ uid, gid }: { uid: number; gid: number }, { directory }: ServerData): Promise<void> {
  const owned = await stat(directory);
  if (owned.uid === uid) return;
  const folders = [directory, `${directory}.tablespaces`];
  for (const folder of folders) {
    if (await isThere(folder)) await run('chown', ['-R', '-P', '-h', `${uid}:${gid}`, folder]);
  }
}

/** The server owns the file, so that it may be anything by now. */
async function controlOf({ directory }: ServerData): Promise<ControlFile | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(join(directory, 'global', 'pg_control'), flags).catch(() => undefined);
  if (!file) return undefined;
  try {
    if (!(await file.stat()).isFile()) return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(controlBytes), 0, controlBytes, 0);
    return controlFileOf(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
