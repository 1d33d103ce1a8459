/**
 * Builds a server from a backup, and keeps it running: whoever holds the job's lease runs the server, and who takes the
 * lease over takes the server over. It ends when its instance is forgotten.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Endpoint, type EventContext, streamOf } from '@strongroom/contracts';
import type { Credentials } from '@strongroom/credentials';
import {
  type BackupState,
  backupDecider,
  fold,
  type InstanceCommand,
  type InstanceState,
  type InstanceToBuild,
  instanceDecider,
  type RegisteredInstance,
} from '@strongroom/domain';
import { EngineFault, restoreBackup, standAloneSettings } from '@strongroom/engines';
import { execute, isOutage, type Ledger } from '@strongroom/ledger';
import { PostgresServer, ServiceFault } from '@strongroom/local-services';
import type { Hold, Ids, LeasedJob, Logger, Performed } from '@strongroom/runtime';
import { VaultFault, type Vaults } from '@strongroom/vault';
import { type BuildFolder, type BuiltData, BuiltServerFolder } from '../../built-server-folder.js';

export interface BuiltServerParts {
  ledger: Ledger;
  ids: Ids;
  log: Logger;
  credentials: Credentials;
  vaults: Vaults;
  homeRegion: string;
  folder: string;
  /** Who does it: the process. */
  actor: string;
}

/** Of the programs that come with Strongroom. */
const majorVersion = 18;
const lookMs = 1_000;
const longestPauseMs = 30_000;
const local = { host: '127.0.0.1', tls: 'disable' } as const;

export class BuiltServer {
  private readonly folder: BuiltServerFolder;

  constructor(
    private readonly parts: BuiltServerParts,
    private readonly job: LeasedJob,
    private readonly hold: Hold,
  ) {
    this.folder = new BuiltServerFolder(parts.folder, job.id);
  }

  /** Ends when the instance is forgotten or could not be built; or with an error when the lease is lost or the process stops. */
  async perform(): Promise<Performed> {
    const history = await this.parts.ledger.readStream(streamOf('instance', this.job.id));
    const [requested] = history;
    const instance = fold(instanceDecider, history);
    if (instance.is !== 'building' || !requested) return this.carryOn(instance);
    const context = { ...requested.context, causationId: requested.id, actor: this.parts.actor };
    return this.build(instance, context);
  }

  private async build(instance: InstanceToBuild, context: EventContext): Promise<Performed> {
    const { log, actor } = this.parts;
    // An attempt may have died after it, or lost the answer to what it recorded.
    const left = await this.folder.restored();
    const attempt = left ? undefined : await this.folder.begin(this.job.attempt);
    if (!left && !attempt) return { retryInMs: 0 };
    let server: PostgresServer | undefined;
    try {
      checkVersion(instance);
      if (attempt) await this.restore(instance, attempt);
      const data = left ?? (await this.restored());
      server = await this.start(data);
      const endpoint = await this.endpointOf(instance, server.port);
      await this.record(instance, context, { type: 'CompleteBuild', endpoint, region: data.region });
      log.info(
        { instance: instance.instanceId, backup: instance.backupId, port: server.port, region: data.region, actor },
        'instance built',
      );
    } catch (error) {
      await server?.stop();
      server = undefined;
      // It may be built for all that can be known here, or be another attempt's by now: the next lease looks again.
      if (this.hold.signal.aborted || isOutage(error) || attempt?.isCurrent === false) throw error;
      const { code, message } = faultOf(error);
      log.error({ err: error, instance: instance.instanceId }, `instance not built: ${message}`);
      await this.record(instance, context, { type: 'FailBuild', code, reason: message });
    } finally {
      await attempt?.discard();
    }
    return this.carryOn(await this.look(server), server);
  }

  /** What is in the ledger counts: another attempt may have ended the build, in its way. */
  private async carryOn(instance: InstanceState, running?: PostgresServer): Promise<Performed> {
    if (instance.is === 'registered') {
      const { port } = instance.endpoint;
      if (running?.port === port) return this.keep(port, running);
      await running?.stop();
      return this.keep(port);
    }
    await running?.stop();
    if (instance.is !== 'absent') await this.folder.remove();
    return 'finished';
  }

  /** From the home vault, or else from the nearest region that holds the chain whole. */
  private async restore({ backupId }: InstanceToBuild, attempt: BuildFolder): Promise<void> {
    const { vaults, homeRegion, log } = this.parts;
    const backup = await this.backup(backupId);
    const expectedSha256 = 'request' in backup ? backup.completed?.sha256 : undefined;
    const regions = [homeRegion, ...vaults.regions.filter((region) => region !== homeRegion)];
    let why: unknown;
    for (const region of regions) {
      try {
        await this.restoreFrom(region, { backupId, expectedSha256 }, attempt);
        return;
      } catch (error) {
        if (!isOfVault(error) || this.hold.signal.aborted) throw error;
        log.warn({ err: error, backup: backupId, region }, `not restored from ${region}: ${error.message}`);
        why ??= error;
      }
    }
    throw why;
  }

  /** @param backup with the digest that the ledger has of it: nothing else of its name is restored */
  private async restoreFrom(
    region: string,
    backup: { backupId: string; expectedSha256: string | undefined },
    attempt: BuildFolder,
  ): Promise<void> {
    let doneBytes = 0;
    await restoreBackup({
      vault: this.parts.vaults.of(region),
      ...backup,
      standsAlone: true,
      directory: attempt.data,
      signal: this.hold.signal,
      progress: (bytes) => {
        doneBytes += bytes;
        this.hold.progress(doneBytes, null);
      },
    });
    this.hold.signal.throwIfAborted();
    await attempt.finish(region);
  }

  private start({ directory, files }: BuiltData, port?: number): Promise<PostgresServer> {
    return PostgresServer.startOn(directory, {
      // Not ours to know; an empty one is not even asked with.
      password: 'unknown',
      isOthers: true,
      logFile: join(this.parts.folder, `${this.job.id}.log`),
      settings: { ...standAloneSettings(majorVersion), ...files },
      signal: this.hold.signal,
      ...(port !== undefined && { port }),
    });
  }

  /**
   * Runs the server on its port until its instance is forgotten; one that does not come up is tried again, ever more
   * seldom. Without its data the job is given back: another scheduler may have them, and nothing may stand in for them.
   */
  private async keep(port: number, running?: PostgresServer): Promise<Performed> {
    const { log } = this.parts;
    let server = running;
    let pauseMs = lookMs;
    try {
      while (!(await this.isForgotten())) {
        try {
          server ??= await this.start(await this.restored(), port);
          await delay(lookMs, undefined, { signal: this.hold.signal });
          if (!server.running) throw new ServiceFault('did-not-start', `PostgreSQL ${await server.ended}`);
          pauseMs = lookMs;
        } catch (error) {
          if (this.hold.signal.aborted || !(error instanceof ServiceFault)) throw error;
          server = undefined;
          log.error({ err: error, instance: this.job.id }, `a built server is down: ${error.message}`);
          if (error.code === 'no-data') return { retryInMs: Math.min(lookMs * 2 ** this.job.attempt, longestPauseMs) };
          await delay(pauseMs, undefined, { signal: this.hold.signal });
          pauseMs = Math.min(pauseMs * 2, longestPauseMs);
        }
      }
    } finally {
      await server?.stop();
    }
    await this.folder.remove();
    return 'finished';
  }

  /** @throws {ServiceFault} `no-data` */
  private async restored(): Promise<BuiltData> {
    const data = await this.folder.restored();
    if (data) return data;
    throw new ServiceFault(
      'no-data',
      `instance ${this.job.id} has no data in ${this.parts.folder} here. Mount the disk that has them, or run a scheduler where they are; if they are lost, delete the instance and build it anew.`,
    );
  }

  /** While the ledger can't be asked the server goes on as it is. */
  private async isForgotten(): Promise<boolean> {
    try {
      return (await this.look()).is === 'forgotten';
    } catch (error) {
      if (!isOutage(error)) throw error;
      return false;
    }
  }

  private async look(running?: PostgresServer): Promise<InstanceState> {
    try {
      return fold(instanceDecider, await this.parts.ledger.readStream(streamOf('instance', this.job.id)));
    } catch (error) {
      await running?.stop();
      throw error;
    }
  }

  /** With its source's credential: the roles are its source's. */
  private async endpointOf(instance: InstanceToBuild, port: number): Promise<Endpoint> {
    const { credentials } = this.parts;
    const source = await this.sourceOf(instance);
    const { user = 'postgres', database = 'postgres' } = source?.endpoint ?? {};
    const credential = source && (await credentials.get(source.instanceId));
    if (credential) await credentials.put(instance.instanceId, credential);
    return { ...local, port, user, database };
  }

  private async sourceOf({ backupId }: InstanceToBuild): Promise<RegisteredInstance | undefined> {
    const backup = await this.backup(backupId);
    if (!('request' in backup)) return undefined;
    const source = fold(
      instanceDecider,
      await this.parts.ledger.readStream(streamOf('instance', backup.request.instanceId)),
    );
    return source.is === 'registered' ? source : undefined;
  }

  private async backup(backupId: string): Promise<BackupState> {
    return fold(backupDecider, await this.parts.ledger.readStream(streamOf('backup', backupId)));
  }

  private async record({ instanceId, accountId }: InstanceToBuild, context: EventContext, command: InstanceCommand) {
    await execute(this.parts, instanceDecider, { id: instanceId, accountId, instanceId, context }, command);
  }
}

/** @throws {EngineFault} */
function checkVersion({ datastore }: InstanceToBuild): void {
  if (Number.parseInt(datastore.version, 10) === majorVersion) return;
  throw new EngineFault(
    'version-unsupported',
    `The backup is of ${datastore.type} ${datastore.version}, and servers of version ${majorVersion} are built here. Restore it with: strongroom restore`,
  );
}

/** Another region may hold what this one has lost. */
function isOfVault(error: unknown): error is VaultFault | EngineFault {
  return error instanceof VaultFault || (error instanceof EngineFault && error.code === 'backup-content-invalid');
}

function faultOf(error: unknown): { code: string; message: string } {
  if (error instanceof EngineFault || error instanceof VaultFault) return { code: error.code, message: error.message };
  if (error instanceof ServiceFault) return { code: 'server-did-not-start', message: error.message };
  return {
    code: 'unexpected',
    message: `It broke off unexpectedly: ${error instanceof Error ? error.message : String(error)}`,
  };
}
