/**
 * Builds a server from a backup, and keeps it running. Whoever holds the job's lease runs the server, and whoever takes the
 * lease over takes the server over. The job ends when its instance is forgotten.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { causedBy, type DatastoreType, type RecordedEvent, streamOf } from '@strongroom/contracts';
import {
  backupDecider,
  fold,
  type InstanceCommand,
  type InstanceState,
  type InstanceToBuild,
  instanceDecider,
  mustBelong,
} from '@strongroom/domain';
import type { Identity } from '@strongroom/encryption';
import {
  type Build,
  DiskRoom,
  EngineFault,
  type Guests,
  type HostedServer,
  type Restorer,
  restoreBackup,
  type ServerHost,
} from '@strongroom/engines';
import {
  type CausedLedger,
  execute,
  isForNewerVersion,
  isOutage,
  LeasedLedger,
  type LeasedLedgerParts,
} from '@strongroom/ledger';
import { type Clock, type Hold, type LeasedJob, type Performed, toldFault } from '@strongroom/runtime';
import { endingWith, type Vaults } from '@strongroom/vault';
import { canPass, isOfVault } from './build-faults.js';
import { BuiltCredential, type BuiltCredentialParts } from './built-credential.js';
import { endedByItself, forTenant } from './told-to-tenants.js';

export interface BuiltServerParts extends LeasedLedgerParts, BuiltCredentialParts {
  clock: Clock;
  vaults: Vaults;
  homeRegion: string;
  /** Restores the backups. */
  restorerFor: (type: DatastoreType) => Restorer;
  /** The keys that open encrypted backups. Default: none. */
  identities?: readonly Identity[];
  folder: string;
  guests?: Guests;
  /** What the disk of the folder keeps free. */
  freeSpaceReserveBytes?: number;
  /** The lane of the servers that have their data in the folder. Default: that of the job. */
  lane?: string;
  /** Whether this host has room for another server. Default: it has. */
  hasRoom?: () => Promise<boolean>;
  /** The process, as the actor of its events. */
  actor: string;
}

const lookMs = 1_000;
const longestPauseMs = 30_000;
/** A server that has run for so long has come up. Before, each end counts as a failed start. */
const soundMs = 60_000;
/** After so many failed starts in a row a server gives its place to others for a while. */
const mostFailedStarts = 10;
/** After that while it has fewer tries. It has more than two: a server that was killed may be slow to start once. */
const mostFailedAgain = 3;
const failedPauseMs = 300_000;
/** For so long a host that is full leaves a build to others. */
const noRoomMs = 5_000;
/** A build that has lost so many schedulers may be what ends them. */
const mostLost = 5;
/** How often a build is tried again while no vault can give the backup or its process is ended: for about an hour and a half. */
const mostTries = 10;
const firstRetryMs = 5_000;
const longestRetryMs = 1_800_000;

export class BuiltServer {
  private readonly ledger: LeasedLedger;
  private readonly room: DiskRoom;
  private readonly credential: BuiltCredential;
  /** The event that has asked for the server. */
  private requested: RecordedEvent | undefined;

  constructor(
    private readonly parts: BuiltServerParts,
    private readonly job: LeasedJob,
    private readonly hold: Hold,
  ) {
    this.ledger = new LeasedLedger(parts, { what: `the server of instance ${job.id}`, signal: hold.signal });
    this.credential = new BuiltCredential(parts, this.ledger, hold.signal);
    this.room = new DiskRoom([parts.folder], parts.freeSpaceReserveBytes ?? 0);
  }

  /**
   * Ends when the instance is forgotten or could not be built.
   * @throws when the lease is lost or the process stops
   */
  async perform(): Promise<Performed> {
    const history = await this.ledger.history(streamOf('instance', this.job.id));
    const [requested] = history;
    if (requested?.type !== 'InstanceBuildRequested') return 'finished';
    this.requested = requested;
    const host = this.parts.engineFor(requested.data.datastore.type).serve(this.parts.folder, this.parts.guests);
    const instance = fold(instanceDecider, history);
    if (instance.is !== 'building') return this.carryOn(host, instance);
    const ledger = this.ledger.causedBy(requested, this.parts.actor);
    if (this.job.failures < mostLost) return this.build(host, instance, ledger, history);
    const reason = `The build was begun ${mostLost} times and its scheduler was lost each time. Look into the scheduler's log.`;
    await ledger.record(instanceDecider, this.job.id, { type: 'FailBuild', code: 'runner-lost', reason });
    return this.carryOn(host, await this.stateNow());
  }

  private async build(
    host: ServerHost,
    instance: InstanceToBuild,
    ledger: CausedLedger,
    history: readonly RecordedEvent[],
  ): Promise<Performed> {
    const { log, actor } = this.parts;
    let attempt: Build | undefined;
    let server: HostedServer | undefined;
    let retryInMs: number | undefined;
    try {
      // An attempt may have died when it had finished, or have lost the answer to what it recorded.
      const left = await host.find(this.job.id);
      if (!left && !(await (this.parts.hasRoom?.() ?? true))) return { retryInMs: noRoomMs };
      attempt = left ? undefined : await host.build(this.job.id, this.job.attempt);
      const begun = left ?? attempt;
      if (!begun) return { retryInMs: 0 };
      const why = host.whyNotBuilt(instance.datastore.version);
      if (why !== undefined) throw new EngineFault('version-unsupported', why);
      const region = 'region' in begun ? begun.region : await this.restore(instance, begun);
      if (this.isElsewhere) return this.here();
      // What a backup has its server recover may fill a disk.
      server = await this.room.during(this.hold.signal, (signal) => host.start(this.job.id, { signal }));
      const endpoint = await this.credential.endpointOf(instance, server.port);
      await ledger.record(instanceDecider, this.job.id, { type: 'CompleteBuild', endpoint, region });
      log.info(
        { instance: instance.instanceId, backup: instance.backupId, port: server.port, region, actor },
        'instance built',
      );
    } catch (error) {
      await server?.stop();
      server = undefined;
      // It can't be known here whether the server is built, or whether another attempt has it. The next lease looks
      // again.
      if (this.hold.signal.aborted || isOutage(error) || isForNewerVersion(error) || attempt?.isCurrent === false)
        throw error;
      retryInMs = await this.endInVain(error, ledger, history);
    } finally {
      await attempt?.discard().catch((error: unknown) => {
        log.warn({ err: error, instance: this.job.id }, 'what a build had restored could not be removed');
      });
    }
    if (retryInMs !== undefined) return { retryInMs };
    return this.carryOn(host, await this.stateNow(server), server);
  }

  /**
   * Records why the server is not built: for good, or until another attempt can help.
   * @returns the pause before the next attempt; undefined when there is none
   */
  private async endInVain(
    error: unknown,
    ledger: CausedLedger,
    history: readonly RecordedEvent[],
  ): Promise<number | undefined> {
    const { code, message: reason } = toldFault(forTenant(error));
    const { clock } = this.parts;
    const tries = history.filter(({ type }) => type === 'InstanceBuildAttemptFailed').length;
    if (canPass(error) && tries < mostTries) {
      const retryInMs = Math.min(firstRetryMs * 2 ** tries, longestRetryMs);
      const retryAt = new Date(clock.now().getTime() + retryInMs).toISOString();
      this.parts.log.warn({ err: error, instance: this.job.id }, `instance not built now: ${reason}`);
      await ledger.record(instanceDecider, this.job.id, { type: 'FailBuildAttempt', code, reason, retryAt });
      return retryInMs;
    }
    const { folder } = this.parts;
    this.parts.log.error({ err: error, instance: this.job.id, folder }, `instance not built: ${reason}`);
    await ledger.record(instanceDecider, this.job.id, { type: 'FailBuild', code, reason });
    return undefined;
  }

  /** The ledger decides: another attempt may have ended the build in its own way. */
  private async carryOn(host: ServerHost, instance: InstanceState, running?: HostedServer): Promise<Performed> {
    if (instance.is === 'registered') {
      if (this.isElsewhere && (await host.find(this.job.id))) return this.here();
      await this.credential.mend(instance);
      const { port } = instance.endpoint;
      if (running?.port === port) return this.keep(host, port, running);
      await running?.stop();
      return this.keep(host, port);
    }
    await running?.stop();
    return this.remove(host);
  }

  private async remove(host: ServerHost): Promise<Performed> {
    try {
      await host.remove(this.job.id);
      return 'finished';
    } catch (error) {
      if (this.hold.signal.aborted) throw error;
      this.parts.log.warn(
        { err: error, instance: this.job.id },
        'the folder of a server could not be removed; tried again',
      );
      return { retryInMs: Math.min(lookMs * 2 ** this.job.attempt, longestRetryMs) };
    }
  }

  /**
   * Restores the backup from the home vault, or else from the nearest region that holds the chain whole.
   * @returns the region
   * @throws where none gives it now, the fault of a region that may give it later
   */
  private async restore({ instanceId, accountId, backupId }: InstanceToBuild, attempt: Build): Promise<string> {
    const { vaults, homeRegion, log } = this.parts;
    const backup = await this.ledger.stateOf(backupDecider, backupId);
    if ('request' in backup) {
      mustBelong(`Backup ${backupId} does not belong to the account of instance ${instanceId}.`, backup, { accountId });
    }
    const { rawBytes = 0, sha256: expectedSha256 } = ('request' in backup ? backup.completed : undefined) ?? {};
    // An incremental takes more, with what it is built on: the room is looked at on the way, too.
    await this.room.mustHold(rawBytes);
    const regions = [homeRegion, ...vaults.regions.filter((region) => region !== homeRegion)];
    const faults: unknown[] = [];
    for (const region of regions) {
      try {
        await this.restoreFrom(region, { backupId, expectedSha256 }, attempt);
        return region;
      } catch (error) {
        if (!isOfVault(error) || this.hold.signal.aborted) throw error;
        log.warn({ err: error, backup: backupId, region }, `not restored from ${region}: ${error.message}`);
        faults.push(error);
      }
    }
    throw faults.find(canPass) ?? faults[0];
  }

  /** @param backup with the digest that the ledger has: another backup of the same id is not restored */
  private async restoreFrom(
    region: string,
    backup: { backupId: string; expectedSha256: string | undefined },
    attempt: Build,
  ): Promise<void> {
    let doneBytes = 0;
    await this.room.watch(this.hold.signal, (signal, wrote) =>
      restoreBackup({
        vault: endingWith(this.parts.vaults.of(region), signal),
        ...backup,
        standsAlone: true,
        directory: attempt.directory,
        user: attempt.user,
        identities: this.parts.identities,
        restorerFor: this.parts.restorerFor,
        signal,
        progress: (bytes) => {
          doneBytes += bytes;
          this.hold.progress(doneBytes, null);
          wrote(bytes);
        },
      }),
    );
    this.hold.signal.throwIfAborted();
    await attempt.finish(region);
  }

  /**
   * Runs the server on its port until its instance is forgotten. A server that does not start is tried again, with growing
   * pauses, and gives its place to others when that goes on. Without its data the job is given back: another scheduler may have
   * them, and nothing may take their place.
   */
  private async keep(host: ServerHost, port: number, running?: HostedServer): Promise<Performed> {
    const { log, folder } = this.parts;
    let server = running;
    let since = performance.now();
    let failed = 0;
    let isToldUp = false;
    try {
      while (!(await this.isForgotten())) {
        try {
          if (!server && !(await host.find(this.job.id))) return this.giveBack();
          if (!server) {
            server = await host.start(this.job.id, { port, signal: this.hold.signal });
            since = performance.now();
          }
          await delay(lookMs, undefined, { signal: this.hold.signal });
          if (!server.isRunning) throw await endedByItself(server);
          if (performance.now() - since > soundMs) failed = 0;
          if (!isToldUp) isToldUp = await this.tell({ type: 'TellServerUp' });
        } catch (error) {
          if (this.hold.signal.aborted) throw error;
          server = undefined;
          isToldUp = false;
          failed += 1;
          const { code, message: reason } = toldFault(forTenant(error));
          log.error({ err: error, instance: this.job.id, folder }, `a built server is down: ${reason}`);
          await this.tell({ type: 'TellServerDown', code, reason });
          if (failed >= (this.job.failures > 0 ? mostFailedAgain : mostFailedStarts))
            return { retryInMs: failedPauseMs, hasFailed: true };
          await delay(Math.min(lookMs * 2 ** (failed - 1), longestPauseMs), undefined, { signal: this.hold.signal });
        }
      }
    } finally {
      await server?.stop();
    }
    return this.remove(host);
  }

  /** Records how the server is, once for each change. The server does not wait for a ledger that is away. */
  private async tell(command: InstanceCommand): Promise<boolean> {
    const { ledger, ids, actor } = this.parts;
    const { requested } = this;
    if (!requested) return true;
    const context = causedBy(requested, actor);
    const target = { id: this.job.id, accountId: requested.accountId, instanceId: this.job.id, context };
    try {
      await execute({ ledger, ids }, instanceDecider, target, command);
      return true;
    } catch (error) {
      if (!isOutage(error) && !isForNewerVersion(error)) throw error;
      return false;
    }
  }

  /** Whether the job contends in another lane than that of the host. */
  private get isElsewhere(): boolean {
    const { lane = this.job.lane } = this.parts;
    return this.job.lane !== lane;
  }

  /** Whoever has the data goes on with the job: from now on it waits for them only. */
  private here(): Performed {
    const { lane = this.job.lane } = this.parts;
    return { retryInMs: 0, lane };
  }

  /** Gives the job back, since another scheduler may have the data. */
  private giveBack(): Performed {
    this.parts.log.error(
      { instance: this.job.id },
      `a built server is down: instance ${this.job.id} has no data in ${this.parts.folder} here. Mount the disk that has them, or run a scheduler where they are; if they are lost, delete the instance and build it anew.`,
    );
    return { retryInMs: Math.min(lookMs * 2 ** this.job.attempt, longestPauseMs), lane: '' };
  }

  /**
   * While the ledger can't be asked, the server goes on as it is. So it does when the instance was changed in a way that only a
   * newer version knows: the data are here, and no other process could run it.
   */
  private async isForgotten(): Promise<boolean> {
    try {
      const known = await this.parts.ledger.readableOf(streamOf('instance', this.job.id));
      return known.some(({ type }) => type === 'InstanceForgotten');
    } catch (error) {
      if (!isOutage(error)) throw error;
      return false;
    }
  }

  /** What became of the instance. The server is stopped when the ledger can't be asked. */
  private async stateNow(running?: HostedServer): Promise<InstanceState> {
    try {
      return await this.ledger.stateOf(instanceDecider, this.job.id);
    } catch (error) {
      await running?.stop();
      throw error;
    }
  }
}
