/**
 * Builds a server from a backup, and keeps it running: whoever holds the job's lease runs the server, and who takes the
 * lease over takes the server over. It ends when its instance is forgotten.
 */
import { realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Endpoint, type EventContext, streamOf } from '@strongroom/contracts';
import type { Credentials } from '@strongroom/credentials';
import {
  backupDecider,
  fold,
  type InstanceCommand,
  type InstanceToBuild,
  instanceDecider,
  type RegisteredInstance,
} from '@strongroom/domain';
import { EngineFault, restoreBackup } from '@strongroom/engines';
import { execute, isOutage, type Ledger } from '@strongroom/ledger';
import { PostgresServer, ServiceFault } from '@strongroom/local-services';
import type { Hold, Ids, LeasedJob, Logger, Performed } from '@strongroom/runtime';
import { type Vault, VaultFault, type Vaults } from '@strongroom/vault';

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
/** For a server whose settings were kept elsewhere, and are not in its backup. */
const access =
  'local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n';

export class BuiltServer {
  constructor(
    private readonly parts: BuiltServerParts,
    private readonly job: LeasedJob,
    private readonly hold: Hold,
  ) {}

  /** Ends when the instance is forgotten or could not be built; or with an error when the lease is lost or the process stops. */
  async perform(): Promise<Performed> {
    const history = await this.parts.ledger.readStream(streamOf('instance', this.job.id));
    const [requested] = history;
    const instance = fold(instanceDecider, history);
    if (!requested || instance.is === 'absent' || instance.is === 'build-failed') return 'finished';
    if (instance.is === 'forgotten') return this.remove();
    if (instance.is === 'registered') return this.keep(instance.endpoint.port);
    const context = { ...requested.context, causationId: requested.id, actor: this.parts.actor };
    return this.build(instance, context);
  }

  private async build(instance: InstanceToBuild, context: EventContext): Promise<Performed> {
    const { credentials, log, actor } = this.parts;
    let server: PostgresServer | undefined;
    try {
      checkVersion(instance);
      const { place, region } = await this.restore(instance);
      server = await this.start(place);
      const source = await this.sourceOf(instance);
      const { user = 'postgres', database = 'postgres' } = source?.endpoint ?? {};
      const credential = source && (await credentials.get(source.instanceId));
      if (credential) await credentials.put(instance.instanceId, credential);
      const endpoint: Endpoint = { ...local, port: server.port, user, database };
      await this.record(instance, context, { type: 'CompleteBuild', endpoint, region });
      log.info(
        { instance: instance.instanceId, backup: instance.backupId, port: server.port, region, actor },
        'instance built',
      );
    } catch (error) {
      await server?.stop();
      if (this.hold.signal.aborted) throw error;
      const { code, message } = faultOf(error);
      log.error({ err: error, instance: instance.instanceId }, `instance not built: ${message}`);
      await this.record(instance, context, { type: 'FailBuild', code, reason: message });
      return this.remove();
    }
    return this.keep(server.port, server);
  }

  /** From the home vault, or else from the nearest region that holds the chain whole. */
  private async restore({ backupId }: InstanceToBuild): Promise<{ place: string; region: string }> {
    const { vaults, homeRegion, log } = this.parts;
    const regions = [homeRegion, ...vaults.regions.filter((region) => region !== homeRegion)];
    let why: unknown;
    for (const region of regions) {
      try {
        return { place: await this.restoreFrom(vaults.of(region), backupId), region };
      } catch (error) {
        if (!isOfVault(error) || this.hold.signal.aborted) throw error;
        log.warn({ err: error, backup: backupId, region }, `not restored from ${region}: ${error.message}`);
        why ??= error;
      }
    }
    throw why;
  }

  private async restoreFrom(vault: Vault, backupId: string): Promise<string> {
    await this.remove();
    const place = await PostgresServer.placeFor(this.data);
    let doneBytes = 0;
    const { hasSettings } = await restoreBackup({
      vault,
      backupId,
      directory: place,
      signal: this.hold.signal,
      progress: (bytes) => {
        doneBytes += bytes;
        this.hold.progress(doneBytes, null);
      },
    });
    if (!hasSettings) {
      await writeFile(join(place, 'postgresql.conf'), '');
      await writeFile(join(place, 'pg_hba.conf'), access);
      await writeFile(join(place, 'pg_ident.conf'), '');
    }
    return place;
  }

  /** What the source archived its WAL to is not this server's to write to. */
  private start(place: string, port?: number): Promise<PostgresServer> {
    return PostgresServer.startOn(place, {
      // Not ours to know; an empty one is not even asked with.
      password: 'unknown',
      isOthers: true,
      logFile: join(this.parts.folder, `${this.job.id}.log`),
      settings: { archive_mode: 'off', ssl: 'off' },
      signal: this.hold.signal,
      ...(port !== undefined && { port }),
    });
  }

  /** Runs the server on its port until its instance is forgotten; one that does not come up is tried again, ever more seldom. */
  private async keep(port: number, running?: PostgresServer): Promise<Performed> {
    const { log } = this.parts;
    let server = running;
    let pauseMs = lookMs;
    try {
      while (!(await this.isForgotten())) {
        try {
          server ??= await this.start(await PostgresServer.placeFor(this.data), port);
          await delay(lookMs, undefined, { signal: this.hold.signal });
          if (!server.running) throw new ServiceFault('did-not-start', `PostgreSQL ${await server.ended}`);
          pauseMs = lookMs;
        } catch (error) {
          if (this.hold.signal.aborted || !(error instanceof ServiceFault)) throw error;
          server = undefined;
          log.error({ err: error, instance: this.job.id }, `a built server is down: ${error.message}`);
          await delay(pauseMs, undefined, { signal: this.hold.signal });
          pauseMs = Math.min(pauseMs * 2, longestPauseMs);
        }
      }
    } finally {
      await server?.stop();
    }
    return this.remove();
  }

  /** While the ledger can't be asked the server goes on as it is. */
  private async isForgotten(): Promise<boolean> {
    try {
      return (
        fold(instanceDecider, await this.parts.ledger.readStream(streamOf('instance', this.job.id))).is === 'forgotten'
      );
    } catch (error) {
      if (!isOutage(error)) throw error;
      return false;
    }
  }

  private async remove(): Promise<Performed> {
    await PostgresServer.endLeftover(this.data);
    const place = await realpath(this.data).catch(() => this.data);
    for (const path of [place, `${place}.tablespaces`, this.data]) await rm(path, { recursive: true, force: true });
    return 'finished';
  }

  private get data(): string {
    return join(this.parts.folder, this.job.id);
  }

  private async sourceOf({ backupId }: InstanceToBuild): Promise<RegisteredInstance | undefined> {
    const backup = fold(backupDecider, await this.parts.ledger.readStream(streamOf('backup', backupId)));
    if (!('request' in backup)) return undefined;
    const source = fold(
      instanceDecider,
      await this.parts.ledger.readStream(streamOf('instance', backup.request.instanceId)),
    );
    return source.is === 'registered' ? source : undefined;
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
