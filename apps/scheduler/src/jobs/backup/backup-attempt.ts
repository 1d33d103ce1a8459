/**
 * One attempt at a requested backup. The engine takes it from the server, it goes compressed into the vault of the home
 * region, and an event tells its end. Only the newest attempt can end a backup, so one that was overtaken changes nothing.
 * A fault that passes leads to another attempt, until the window for that is used up.
 */
import { faultOf, isRefusal, type RecordedEvent, streamOf } from '@strongroom/contracts';
import {
  type BackupIdentity,
  backupDecider,
  fold,
  instanceDecider,
  type NextTry,
  nextTry,
  triedInVain,
} from '@strongroom/domain';
import { IncrementalNotPossible, type StoredBackup } from '@strongroom/engines';
import { type CausedLedger, isForNewerVersion, LeasedLedger, type LeasedLedgerParts } from '@strongroom/ledger';
import { type Hold, inJobSpan, type LeasedJob, type Logger, type Performed, toldFault } from '@strongroom/runtime';
import { endingWith, type Vaults } from '@strongroom/vault';
import { BackupBytes, type BackupBytesParts, type OpenBackup, type TakenBackup } from './backup-bytes.js';
import { canPass, isOutageOfParent, mostLost, runnersLost, unended } from './backup-faults.js';
import { delayOf } from './delays.js';
import { type HomeOutage, whyAway } from './home-outage.js';
import { leftOfLateness } from './late-limit.js';
import { ParentCheck } from './parent-check.js';
import type { ServerLineage } from './server-lineage.js';
import type { SkippedSlots } from './skipped-slots.js';

/** The first and the longest pause of a backup that waits for its home region. It is woken when the region is back. */
const firstWaitMs = 5_000;
const longestWaitMs = 300_000;

export interface BackupAttemptParts extends LeasedLedgerParts, BackupBytesParts {
  vaults: Pick<Vaults, 'regions'>;
  /** Whether the home region can be reached. */
  home: Pick<HomeOutage, 'now' | 'tell' | 'look' | 'waits' | 'waitedFor'>;
  lineage: Pick<ServerLineage, 'identify'>;
  /** Called when a backup is of another server than the backup before it. */
  onAnotherServer?: () => void;
  /** Called when an attempt failed that is made again. */
  onAttemptFailed?: (code: string) => void;
  /** How long a backup is tried again whose faults pass, in milliseconds; 0 for not at all. */
  retryWindowMs: number;
  skipped: SkippedSlots;
}

/** A backup that was asked for and has not ended. */
interface Asked {
  backup: OpenBackup;
  request: RecordedEvent;
  ledger: CausedLedger;
  log: Logger;
}

export class BackupAttempt {
  private readonly backupId: string;
  /** Names this attempt in commands: the ledger refuses one that another attempt has overtaken. */
  private readonly thisAttempt: { backupId: string; attempt: number };
  private readonly ledger: LeasedLedger;
  private readonly bytes: BackupBytes;

  constructor(
    private readonly parts: BackupAttemptParts,
    private readonly job: LeasedJob,
    private readonly hold: Hold,
  ) {
    this.backupId = job.id;
    this.thisAttempt = { backupId: job.id, attempt: job.attempt };
    this.ledger = new LeasedLedger(parts, { what: `backup ${job.id}`, signal: hold.signal });
    this.bytes = new BackupBytes(parts, job, hold, this.ledger);
  }

  /** Ends with the backup completed or failed in the ledger. @throws when the lease is lost or the process stops */
  async perform(): Promise<Performed> {
    const { backupId, job, parts } = this;
    const history = await this.ledger.history(streamOf('backup', backupId));
    const backup = fold(backupDecider, history);
    const [request] = history;
    if ((backup.is !== 'requested' && backup.is !== 'running') || !request) {
      // The attempt that ended it may have died before it did this.
      await this.bytes.forgetSeals();
      return 'finished';
    }
    const log = parts.log.child({ backup: backupId, attempt: job.attempt, ...request.context });
    return inJobSpan(request, job, () => {
      const asked = { backup, request, ledger: this.ledger.causedBy(request, parts.runner), log };
      return Math.min(job.failures, unended(history)) >= mostLost ? this.failAsLost(asked) : this.prepare(asked);
    });
  }

  /**
   * No attempt begins while the home region is known to be away. The backup waits for as long as it may be late, counted from when it
   * was due or the region went away, and is told as failed then.
   */
  private async prepare(asked: Asked): Promise<Performed> {
    const { home, clock } = this.parts;
    const outage = home.now();
    if (!outage) return this.begin(asked);
    const { backup, request, log } = asked;
    const now = clock.now();
    const dueAt = Date.parse(backup.retries?.last.retryAt ?? request.at);
    const leftMs = await this.leftMs(backup, now.getTime() - Math.max(dueAt, outage.since.getTime()), now, false);
    if (leftMs > 0) {
      log.debug('backup not begun: the outage of its home region goes on');
      home.waits(this.backupId);
      const pauseMs = Math.min(firstWaitMs * 2 ** Math.min(this.job.failures, 30), longestWaitMs, leftMs);
      return { retryInMs: pauseMs, hasFailed: true };
    }
    await home.look();
    if (!home.now()) return this.begin(asked);
    const reason = whyAway(outage, backup.retries !== undefined);
    log.error(`backup failed: ${reason}`);
    await this.fail(asked, { code: outage.code, reason });
    return 'finished';
  }

  private async failAsLost(asked: Asked): Promise<Performed> {
    await this.fail(asked, runnersLost);
    return 'finished';
  }

  private async begin(asked: Asked): Promise<Performed> {
    const { backup, request, ledger, log } = asked;
    const { runner, vault, clock, home } = this.parts;
    const waitedFor = home.waitedFor(this.backupId);
    const delay = delayOf(backup, { askedAt: request.at, waitedFor }, clock.now());
    const start = { type: 'StartBackup', ...this.thisAttempt, region: vault.region, runner, delay } as const;
    const begun = await ledger.record(backupDecider, this.backupId, start);
    if (!isRefusal(begun)) {
      log.info({ instance: backup.request.instanceId }, 'backup begun');
      return this.make(asked);
    }
    log.info(`backup not begun: ${begun.message}`);
    // When the table of jobs was lost, their attempts are counted from 1 again. The next lease has the next number.
    return begun.refused === 'attempt-superseded' ? { retryInMs: 0 } : 'finished';
  }

  private async make(asked: Asked): Promise<Performed> {
    const startedAt = this.parts.clock.now();
    // Somebody may put the clock right meanwhile.
    const begunMs = performance.now();
    let taken: TakenBackup | undefined;
    try {
      taken = await this.take(asked, startedAt);
    } catch (error) {
      if (this.hold.signal.aborted || isForNewerVersion(error)) throw error;
      await this.parts.home.tell(error);
      return this.endInVain(asked, error, performance.now() - begunMs);
    }
    if (taken) await this.complete(asked, taken, startedAt);
    return 'finished';
  }

  /** Ends an attempt that failed. Another one follows when the fault passes and the window is not used up. */
  private async endInVain(asked: Asked, error: unknown, attemptMs: number): Promise<Performed> {
    const { backup, log } = asked;
    const { retries } = backup;
    const now = this.parts.clock.now();
    const { code, message } = toldFault(error);
    const next = canPass(error) && nextTry(retries, now, await this.leftMs(backup, attemptMs, now));
    if (next) return this.tryAgain(asked, error, next, Date.parse(next.retryAt) - now.getTime());
    const reason = triedInVain(retries, message, now);
    log.error({ err: error }, `backup failed: ${reason}`);
    await this.fail(asked, { code, reason });
    return 'finished';
  }

  private leftMs(backup: OpenBackup, attemptMs: number, now: Date, isTried = true): Promise<number> {
    return leftOfLateness({ ...backup, backupId: this.backupId }, { attemptMs, now, isTried }, this.parts, this.ledger);
  }

  /** What the attempt left in the vault does not count. Should it have sealed the backup, the next attempt takes that. */
  private async tryAgain({ ledger, log }: Asked, error: unknown, next: NextTry, retryInMs: number): Promise<Performed> {
    const { backupId, thisAttempt } = this;
    const { code, message: reason } = toldFault(error);
    const command = { type: 'FailBackupAttempt', ...thisAttempt, code, reason, ...next } as const;
    const failed = await ledger.record(backupDecider, backupId, command);
    if (isRefusal(failed)) {
      log.warn(`attempt not failed: ${failed.message}`);
      return 'finished';
    }
    this.parts.onAttemptFailed?.(code);
    if (this.parts.home.now()) this.parts.home.waits(backupId);
    log.warn({ err: error, ...next }, `attempt failed: ${reason} The backup is tried again at ${next.retryAt}`);
    return { retryInMs };
  }

  /** Fails the backup and removes it from the vault. When this is refused, another attempt has it or has ended it. */
  private async fail({ ledger, log }: Asked, fault: { code: string; reason: string }): Promise<void> {
    const { backupId, thisAttempt } = this;
    const failed = await ledger.record(backupDecider, backupId, { type: 'FailBackup', ...thisAttempt, ...fault });
    if (isRefusal(failed)) {
      log.warn(`backup not failed: ${failed.message}`);
      return;
    }
    await this.bytes.forgetSeals();
    // In a vault that is away the sweep removes what is left.
    await endingWith(this.parts.vault, this.hold.signal)
      .purge(backupId, thisAttempt.attempt)
      .catch((error: unknown) => {
        log.warn({ err: error }, 'what a failed backup left in the vault could not be removed');
      });
  }

  /**
   * A run of a schedule that can't build on its parent is full, in this attempt and in those after it. An incremental that a
   * client has asked for fails, and tells why.
   * @returns undefined when another attempt has taken over
   */
  private async take(asked: Asked, startedAt: Date): Promise<TakenBackup | undefined> {
    const { backup, ledger } = asked;
    const parentId = backup.madeFull ? null : backup.request.parentId;
    try {
      if (parentId === null) return await this.bytes.take(null, backup, startedAt);
      const { accountId, request } = backup;
      const owner = { accountId, instanceId: request.instanceId };
      const sha256 = await new ParentCheck(this.parts, ledger).check(parentId, owner);
      return await this.bytes.take({ id: parentId, sha256 }, backup, startedAt);
    } catch (error) {
      if (isOutageOfParent(error)) throw error.cause;
      const isFallback = error instanceof IncrementalNotPossible && backup.request.trigger === 'slot';
      if (!isFallback || this.hold.signal.aborted) throw error;
      return (await this.makeFull(asked, error)) ? this.bytes.take(null, backup, startedAt) : undefined;
    }
  }

  /** @returns whether this attempt may go on */
  private async makeFull({ ledger, log }: Asked, error: IncrementalNotPossible): Promise<boolean> {
    const { ground, message: reason } = error;
    log.warn({ err: error }, `the backup is full, though an incremental was planned: ${reason}`);
    const command = { type: 'MakeFull', ...this.thisAttempt, ground, reason } as const;
    const told = await ledger.record(backupDecider, this.backupId, command);
    if (isRefusal(told)) log.warn(`backup not made full: ${told.message}`);
    return !isRefusal(told);
  }

  private async complete(asked: Asked, { stored, endpoint }: TakenBackup, startedAt: Date): Promise<void> {
    const { ledger, log } = asked;
    const { location, type, parentId, sizeBytes, rawBytes, sha256, datastore, encryptedFor } = stored;
    const { region } = this.parts.vault;
    const identity = await this.identify(asked, stored);
    const made = { type, parentId, region, location, sizeBytes, rawBytes, sha256 };
    const result = { ...made, startedAt: startedAt.toISOString() };
    const { instanceId } = asked.backup.request;
    await ledger.record(instanceDecider, instanceId, { type: 'NoteVersion', instanceId, endpoint, datastore });
    const command = {
      type: 'CompleteBackup',
      ...this.thisAttempt,
      ...(identity && { identity }),
      datastore,
      encryptedFor,
      result,
    } as const;
    const completed = await ledger.record(backupDecider, this.backupId, command);
    if (isRefusal(completed)) {
      log.warn(`backup not completed: ${completed.message}`);
      return;
    }
    if (identity?.another) this.warnOf(asked, identity.lineage, identity.another);
    const ms = this.parts.clock.now().getTime() - startedAt.getTime();
    log.info({ sizeBytes, rawBytes, sha256, ms }, 'backup completed');
    await this.bytes.forgetSeals();
  }

  /**
   * Identifies the server of the backup. The bytes are safe by now, so nothing but the ledger is waited for: without an identity
   * the backup replaces no other, and the next backup identifies it.
   */
  private async identify({ backup, ledger, log }: Asked, { facts }: StoredBackup): Promise<BackupIdentity | undefined> {
    const { accountId, request } = backup;
    const { instanceId, datastore } = request;
    const identified = { backupId: this.backupId, accountId, instanceId, datastoreType: datastore.type, facts };
    try {
      return await ledger.outlast('telling the server', () => this.parts.lineage.identify(identified, ledger.context));
    } catch (error) {
      if (this.hold.signal.aborted) throw error;
      log.warn({ err: error }, `the server of the backup is told later: ${faultOf(error).message}`);
      return undefined;
    }
  }

  private warnOf(
    { backup, log }: Asked,
    lineage: string,
    { formerLineage, formerBackupId, reason }: NonNullable<BackupIdentity['another']>,
  ): void {
    this.parts.onAnotherServer?.();
    log.warn(
      { instance: backup.request.instanceId, lineage, formerLineage, formerBackupId },
      `another server was found behind the instance than that of backup ${formerBackupId}: ${reason} Retention counts its backups apart`,
    );
  }
}
