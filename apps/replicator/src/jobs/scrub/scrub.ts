/**
 * Reads what lies in a vault again, what was verified longest ago first. What is altered or missing is told as an event, which has a copy
 * made in its place from a region that is whole. It is told only when a second reading says the same, the vault answers, and the ledger
 * still has the backup there: a vault that is away has lost nothing.
 */
import { type EventData, isRefusal, streamOf } from '@strongroom/contracts';
import {
  type BackupCompletion,
  type BackupState,
  backupDecider,
  type CopyState,
  copyDecider,
  copyId,
  copyRequest,
  fold,
  isBackupCompletion,
  regionsHolding,
} from '@strongroom/domain';
import { LeasedLedger, type LeasedLedgerParts } from '@strongroom/ledger';
import type { Verifications } from '@strongroom/read-model';
import { type Hold, inOwnTrace, type Metrics, type ScrubRate, scrubRateOf } from '@strongroom/runtime';
import {
  endingWith,
  isOutageOfVault,
  isSpoilt,
  type Traffic,
  type Vault,
  VaultFault,
  type Vaults,
} from '@strongroom/vault';
import { ScrubPace } from './scrub-pace.js';

export interface ScrubParts extends LeasedLedgerParts {
  vaults: Vaults;
  traffic: Pick<Traffic, 'permits'>;
  verifications: Verifications;
  metrics: Metrics;
  config: { scrub: { rate: ScrubRate; everyMs: number } };
  /** The name of the process, which reads. */
  replicator: string;
}

/** What a region should hold, as the ledger has it. */
interface Held {
  backup: EventData<'BackupCompleted'>;
  completion: BackupCompletion;
}

/** How long one holder of the job reads on end; a backup that is begun is read to its end. */
const sliceMs = 60_000;
/** How often the list is brought up to date with the views. */
const followEveryMs = 3_600_000;
/** When nothing is due, or the vault is away. */
const longestPauseMs = 60_000;
const politeMs = 1_000;
/** What a backup counts at the least. Otherwise small ones would be asked for as fast as the vault and the database answer. */
const leastBytes = 1_048_576;

export class Scrub {
  private readonly readBytes;
  private readonly losses;
  private readonly followedAt = new Map<string, number>();
  private readonly paces = new Map<string, ScrubPace>();

  constructor(private readonly parts: ScrubParts) {
    const { metrics, vaults, verifications } = parts;
    this.readBytes = metrics.counter({
      name: 'strongroom_scrub_read_bytes_total',
      help: 'What this process has read again of what lies in the vaults, by region.',
      labels: ['region'],
    });
    this.losses = metrics.counter({
      name: 'strongroom_scrub_losses_total',
      help: 'Backups that this process has read again and not found as they were backed up, by region and by the code of the fault.',
      labels: ['region', 'code'],
    });
    metrics.gauge({
      name: 'strongroom_scrub_lag_seconds',
      help: 'How long ago the backup was verified that was verified longest ago, by region.',
      labels: ['region'],
      measure: async (gauge) => {
        const lags = await verifications.lags(vaults.regions);
        gauge.reset();
        for (const { region, lagMs } of lags) gauge.set({ region }, lagMs / 1_000);
      },
    });
  }

  /**
   * Reads for a while in one region.
   * @returns when there is more to do, in milliseconds
   * @throws the signal's reason when the lease is lost or the process stops
   */
  async pass(region: string, { signal }: Pick<Hold, 'signal'>): Promise<{ retryInMs: number }> {
    const { config, log, verifications } = this.parts;
    const { rate, everyMs } = config.scrub;
    if (scrubRateOf(rate, region) === 0) return { retryInMs: longestPauseMs };
    await this.follow(region);
    const begun = performance.now();
    try {
      for (let pass = 0; pass === 0 || performance.now() - begun < sliceMs; pass += 1) {
        signal.throwIfAborted();
        const next = await verifications.next(region, everyMs);
        if ('dueInMs' in next) return { retryInMs: Math.min(next.dueInMs, longestPauseMs) };
        await this.scrubWithPermit(region, next.backupId, signal);
        // What is in no hurry leaves the permit to others.
        if (this.parts.traffic.permits.isLimited(region)) return { retryInMs: politeMs };
      }
      return { retryInMs: 0 };
    } catch (error) {
      if (signal.aborted || !(error instanceof VaultFault)) throw error;
      log.warn({ err: error, region }, `the vault of ${region} is not read again now: ${error.message}`);
      return { retryInMs: longestPauseMs };
    }
  }

  /** The list is as new as the views are: what has just completed was read just now. */
  private async follow(region: string): Promise<void> {
    const last = this.followedAt.get(region);
    if (last !== undefined && performance.now() - last < followEveryMs) return;
    await this.parts.verifications.follow(region);
    this.followedAt.set(region, performance.now());
  }

  private async scrubWithPermit(region: string, backupId: string, signal: AbortSignal): Promise<void> {
    const permit = await this.parts.traffic.permits.take([region], 'scrub', signal);
    try {
      await this.scrub(endingWith(this.parts.vaults.of(region), signal), backupId, signal);
    } finally {
      permit.release();
    }
  }

  /** @throws {VaultFault} when the vault can't tell anything now */
  private async scrub(vault: Vault, backupId: string, signal: AbortSignal): Promise<void> {
    const { verifications, log } = this.parts;
    const { region } = vault;
    const ledger = new LeasedLedger(this.parts, { what: `reading backup ${backupId} in ${region} again`, signal });
    const held = await this.heldIn(ledger, region, backupId);
    if (!held) return verifications.forget(region, backupId);
    const attributes = { 'strongroom.backup': backupId, 'strongroom.region': region };
    try {
      // It is read again long after it was made, each time by itself.
      await inOwnTrace([held.completion.context.traceparent], { name: 'scrub', attributes }, async () => {
        const fault = await this.foundTwice(vault, held.backup, signal);
        await (fault ? this.tell(ledger, fault, held) : verifications.verified(region, backupId, 'read'));
      });
    } catch (error) {
      if (signal.aborted || !(error instanceof VaultFault) || isOutageOfVault(error.code)) throw error;
      // Such as a manifest that only a newer version can read.
      log.warn(
        { err: error, backup: backupId, region },
        `backup ${backupId} is not read again in ${region}: ${error.message}`,
      );
      await verifications.putOff(region, backupId);
    }
  }

  /** @returns undefined when the region is not to hold the backup, or is being given it */
  private async heldIn(ledger: LeasedLedger, region: string, backupId: string): Promise<Held | undefined> {
    const history = await ledger.history(streamOf('backup', backupId));
    const backup: BackupState = fold(backupDecider, history);
    const completion = history.findLast(isBackupCompletion);
    if (!completion || (backup.is !== 'completed' && backup.is !== 'marked') || !backup.completed) return undefined;
    const copy = await ledger.stateOf(copyDecider, copyId(backupId, region));
    const isThere = copy.is === 'completed' || (copy.is === 'absent' && backup.completed.region === region);
    return isThere ? { backup: backup.completed, completion } : undefined;
  }

  /** A bad read is not always a bad disk, and a disk that was taken away looks empty for a moment. */
  private async foundTwice(
    vault: Vault,
    backup: EventData<'BackupCompleted'>,
    signal: AbortSignal,
  ): Promise<VaultFault | undefined> {
    const first = await this.read(vault, backup, signal);
    if (!first) return undefined;
    await vault.probe();
    const second = await this.read(vault, backup, signal);
    if (second) return second;
    this.parts.log.error(
      { err: first, backup: backup.backupId, region: vault.region },
      `backup ${backup.backupId} in ${vault.region} was read wrong once, and right the second time: see whether the disk or the memory of a host fails. ${first.message}`,
    );
    return undefined;
  }

  /** @returns what is wrong with the bytes. @throws {VaultFault} when the vault can't tell */
  private async read(
    vault: Vault,
    { backupId, sha256 }: EventData<'BackupCompleted'>,
    signal: AbortSignal,
  ): Promise<VaultFault | undefined> {
    const { region } = vault;
    const pace = this.paceOf(region);
    let bytes = 0;
    const progress = (moved: number) => {
      bytes += moved;
      this.readBytes.inc({ region }, moved);
      return pace.read(moved, signal);
    };
    try {
      const sealed = await vault.verify(backupId, progress, signal);
      if (sealed.sha256 === sha256) return undefined;
      const message = `Backup ${backupId} in the vault of ${region} is not what was backed up: its SHA-256 differs.`;
      return new VaultFault('object-altered', region, message);
    } catch (error) {
      if (signal.aborted || !(error instanceof VaultFault) || !isSpoilt(error)) throw error;
      return error;
    } finally {
      if (bytes < leastBytes && !signal.aborted) await pace.read(leastBytes - bytes, signal);
    }
  }

  /** Tells it, unless the backup was deleted while it was read. */
  private async tell(ledger: LeasedLedger, fault: VaultFault, { backup, completion }: Held): Promise<void> {
    const { log, replicator, verifications } = this.parts;
    const { backupId } = backup;
    const { region, code, told: reason } = fault;
    if (await this.heldIn(ledger, region, backupId)) {
      const request = copyRequest(backup, region, await this.sourceFor(ledger, region, backup));
      const command = { type: 'FindLost', request, code, reason } as const;
      const recorded = await ledger
        .causedBy(completion, replicator)
        .record(copyDecider, copyId(backupId, region), command);
      if (!isRefusal(recorded) && recorded.events.length > 0) {
        this.losses.inc({ region, code });
        log.error(
          { err: fault, backup: backupId, region },
          `${region} has lost backup ${backupId}, and is to get it again`,
        );
      }
    }
    await verifications.forget(region, backupId);
  }

  /** A region that holds the backup, as far as the ledger knows. */
  private async sourceFor(
    ledger: LeasedLedger,
    region: string,
    { backupId, region: madeIn }: EventData<'BackupCompleted'>,
  ): Promise<string | undefined> {
    const others = this.parts.vaults.regions.filter((each) => each !== region);
    const states = await Promise.all(
      others.map(async (each) => ({ region: each, state: await ledger.stateOf(copyDecider, copyId(backupId, each)) })),
    );
    const copies = states.filter(({ state }) => isAsked(state));
    const holding = regionsHolding({
      madeIn,
      copies: copies.map(({ region: each, state }) => ({ region: each, isCompleted: state.is === 'completed' })),
    });
    return holding.find((each) => each !== region);
  }

  /** The pace goes on from one job to the next, so that no pause between them lets more through. */
  private paceOf(region: string): ScrubPace {
    const pace = this.paces.get(region) ?? new ScrubPace(scrubRateOf(this.parts.config.scrub.rate, region));
    this.paces.set(region, pace);
    return pace;
  }
}

function isAsked(state: CopyState): boolean {
  return state.is !== 'absent';
}
