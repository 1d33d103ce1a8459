/**
 * One attempt at a copy, from vault to vault. The bytes are hashed on the way and read back at the target. A copy is completed
 * only when every byte at the target is the backup's. Whatever fails delays this copy alone.
 */
import { type EventData, faultOf, isRefusal, type RecordedEvent, type Refusal, streamOf } from '@strongroom/contracts';
import {
  ApartFault,
  attemptsByRegion,
  backupDecider,
  type CopyCommand,
  type CopyState,
  copyDecider,
  fold,
  isCopyId,
  isCopyOf,
  mustBelong,
} from '@strongroom/domain';
import {
  type CausedLedger,
  type Executed,
  isForNewerVersion,
  LeasedLedger,
  type LeasedLedgerParts,
} from '@strongroom/ledger';
import type { Verifications } from '@strongroom/read-model';
import {
  type Clock,
  type CopySourceOrder,
  type DeletionConfig,
  deletionRulesOf,
  type Hold,
  inJobSpan,
  type LeasedJob,
  type Logger,
  type Performed,
  toldFault,
} from '@strongroom/runtime';
import { endingWith, isOutageOfVault, keepFor, type TransferPermit, VaultFault, type Vaults } from '@strongroom/vault';
import { Ancestor, type AncestorFound, type OpenCopy } from './ancestor.js';
import type { AwayRegions } from './away-regions.js';
import { CopyBytes, type CopyMade, SourcesRetired } from './copy-bytes.js';
import { attemptsInVain, countsInVain, isAsking, isHealing, isOutageTold, isTold } from './copy-history.js';
import { withinLongest } from './copy-limit.js';
import { CopySources } from './copy-sources.js';
import { OutageOfCopy } from './outage-of-copy.js';
import type { TransferRates } from './transfer-rates.js';

export interface CopyAttemptParts extends LeasedLedgerParts {
  clock: Clock;
  vaults: Vaults;
  away: Pick<AwayRegions, 'faultOf' | 'tell' | 'tellSuccess'>;
  verifications: Pick<Verifications, 'copiedByServer'>;
  /** For how long a vault that can is to keep the copy from everybody, and where the operator has copies come from. */
  config: { deletion: DeletionConfig; copySources: CopySourceOrder };
  rates: Pick<TransferRates, 'to' | 'measured'>;
  permit?: TransferPermit;
  /** Called when a region that had lost a backup has it whole again. */
  onHealed?: (region: string) => void;
  /** The name of the process, which makes the copy. */
  replicator: string;
  /** The pause after the first failed attempt, in milliseconds. It doubles with each further one. */
  retryMs: number;
  /** After this many failed attempts the copy is given up. Those in an outage of the region do not count. */
  mostAttempts: number;
  /** How long an attempt may take, in milliseconds. Default: as long as it needs. */
  longestCopyMs?: number;
}

type RequestedCopy = Exclude<CopyState, { is: 'absent' }>;

/** A copy that was asked for, with its events. */
interface Asked<Copy extends RequestedCopy = RequestedCopy> {
  copy: Copy;
  history: readonly RecordedEvent[];
  ledger: CausedLedger;
  log: Logger;
}

/** A copy that this attempt is to make. */
interface ToMake extends Asked<OpenCopy> {
  backup: EventData<'BackupCompleted'>;
  /** Whether the request is not for a copy of that backup in that region, or is of another account. */
  isApart: boolean;
  thisAttempt: { copyId: string; attempt: number };
  /** The number of this attempt in the target's vault, where attempts at the backup itself count as well. */
  attemptInVault: number;
}

const longestPauseMs = 300_000;
/** In an outage nobody has to look often: the copy is woken when its region is back. */
const longestOutagePauseMs = 3_600_000;
/** The first pause of a copy that waits for its parent. It doubles each time, and the parent's completion ends it. */
const ancestorPauseMs = 1_000;
/**
 * How often a copy is tried when its fault says that no attempt can help. It is more than once, because a bad read is
 * not always a bad disk.
 */
const attemptsAtHopeless = 3;

export class CopyAttempt {
  private readonly ledger: LeasedLedger;

  constructor(
    private readonly parts: CopyAttemptParts,
    private readonly job: LeasedJob,
    private readonly hold: Hold,
  ) {
    this.ledger = new LeasedLedger(parts, { what: `copy ${job.id}`, signal: hold.signal });
  }

  /** Ends with the copy completed, failed, due again or gone. @throws when the lease is lost or the process stops */
  async perform(): Promise<Performed> {
    const { job, parts } = this;
    const history = await this.ledger.history(streamOf('copy', job.id));
    const copy = fold(copyDecider, history);
    const request = history.findLast(isAsking);
    if (copy.is === 'absent' || !request) return 'finished';
    const { backupId, region } = copy.request;
    if (!isCopyId(job.id, copy.request)) {
      throw new ApartFault(`Copy ${job.id} is not the copy of backup ${backupId} in ${region}.`);
    }
    const log = parts.log.child({ copy: job.id, backup: backupId, region, ...request.context });
    return inJobSpan(request, job, async () =>
      this.performOn({ copy, history, ledger: this.ledger.causedBy(request, parts.replicator), log }),
    );
  }

  private performOn(asked: Asked): Performed | Promise<Performed> {
    const { copy } = asked;
    switch (copy.is) {
      case 'pending':
      case 'copying':
        return this.make({ ...asked, copy });
      case 'completed':
        return copy.isCheckAsked ? this.check(asked) : 'finished';
      case 'deleting':
      case 'deleted':
        return this.clear(asked);
      case 'failed':
        return 'finished';
    }
  }

  private async make(asked: Asked<OpenCopy>): Promise<Performed> {
    const { copyId, backupId, region } = asked.copy.request;
    const history = await this.ledger.history(streamOf('backup', backupId));
    const backup = fold(backupDecider, history);
    // A deleted backup can be brought back while its bytes are there, and its copies with it.
    if ((backup.is !== 'completed' && backup.is !== 'marked') || !backup.completed) return this.drop(asked);
    const { completed } = backup;
    // Of two attempts that begin at once, the stream refuses one: both have the same number.
    const attempt = asked.copy.attempt + 1;
    return this.prepare({
      ...asked,
      log: asked.log.child({ attempt }),
      backup: completed,
      isApart:
        backup.accountId !== asked.copy.accountId || !isCopyOf(asked.copy.request, { backup: completed, id: copyId }),
      thisAttempt: { copyId, attempt },
      attemptInVault: attempt + (attemptsByRegion(history).get(region) ?? 0),
    });
  }

  private async drop(asked: Asked<OpenCopy>): Promise<Performed> {
    asked.log.info('copy not made: its backup is being deleted');
    await this.record(asked, { type: 'RequestCopyDeletion' });
    return this.clear(asked);
  }

  /** The copy's parent comes first, and no attempt begins while the region is known to be away. */
  private async prepare(toMake: ToMake): Promise<Performed> {
    const { copy, history, ledger } = toMake;
    if (toMake.isApart) return this.begin(toMake, apartFrom(copy.request));
    const ancestor = await new Ancestor(this.parts, copy, ledger, this.hold.signal).findOrAsk();
    if (ancestor === 'awaited' || isTold(ancestor, history)) return this.park();
    if (await this.isHeldUp(toMake)) return this.waitForRegion(toMake);
    return this.begin(toMake, ancestor);
  }

  private async isHeldUp({ copy, backup, history, ledger }: ToMake): Promise<boolean> {
    if (this.parts.away.faultOf(copy.request.region)) return true;
    if (!isOutageTold(history)) return false;
    return new OutageOfCopy(this.parts, this.hold.signal).goesOn({ copy, backup }, ledger);
  }

  private waitForRegion({ log }: ToMake): Performed {
    log.debug('copy not begun: the outage of a region goes on');
    return { retryInMs: pauseMs(this.parts.retryMs, this.job.failures, longestOutagePauseMs), hasFailed: true };
  }

  private async begin(toMake: ToMake, ancestor: Exclude<AncestorFound, 'awaited'>): Promise<Performed> {
    const { replicator } = this.parts;
    const begun = await this.record(toMake, { type: 'StartCopy', ...toMake.thisAttempt, replicator });
    if (isRefusal(begun)) return this.notBegun(toMake, begun);
    return ancestor === 'there' ? this.bring(toMake) : this.tellOfAncestor(toMake, ancestor);
  }

  private async notBegun(toMake: ToMake, refusal: Refusal): Promise<Performed> {
    toMake.log.info(`copy not begun: ${refusal.message}`);
    return refusal.refused === 'attempt-superseded' ? { retryInMs: 0 } : this.afterRefusal(toMake, refusal);
  }

  private tellOfAncestor(
    toMake: ToMake,
    { is, code, reason }: Exclude<AncestorFound, 'awaited' | 'there'>,
  ): Promise<Performed> {
    const told = { ...toMake.thisAttempt, code, reason };
    if (is === 'gone') return this.end(toMake, { type: 'FailCopy', ...told });
    return this.end(toMake, { type: 'FailCopyAttempt', ...told, retryAt: this.inMs(longestPauseMs) }, this.park());
  }

  private async bring(toMake: ToMake): Promise<Performed> {
    const { parts, hold } = this;
    const { copy, backup, ledger, attemptInVault } = toMake;
    const { request } = copy;
    const startedAt = parts.clock.now();
    try {
      const away = parts.away.faultOf(request.region);
      if (away) throw away;
      const made = await withinLongest(hold, { ...request, longestMs: parts.longestCopyMs }, (limited) => {
        const sources = new CopySources(parts, { copy, backup }, ledger, limited.signal);
        return new CopyBytes(parts, request, limited).bring(sources, backup, attemptInVault);
      });
      await this.keep(copy);
      return await this.complete(toMake, made, startedAt);
    } catch (error) {
      if (hold.signal.aborted || isForNewerVersion(error)) throw error;
      await parts.away.tell(error);
      return error instanceof SourcesRetired ? this.strand(toMake, error) : this.fail(toMake, error);
    }
  }

  private async keep({ accountId, request: { backupId, region } }: OpenCopy): Promise<void> {
    const { config, vaults } = this.parts;
    const { minimumMs } = deletionRulesOf(config.deletion, accountId);
    await keepFor(endingWith(vaults.of(region), this.hold.signal), backupId, minimumMs);
  }

  private async complete(toMake: ToMake, made: CopyMade, startedAt: Date): Promise<Performed> {
    const { log, thisAttempt, backup } = toMake;
    const { verifiedBy, transferMs, ...proven } = made;
    const { sizeBytes, sha256, sourceRegion } = proven;
    const result = { ...proven, startedAt: startedAt.toISOString() };
    // The store's own copying says nothing of the way between two regions.
    if (verifiedBy === 'read') await this.measure(toMake, made);
    const { region, backupId } = toMake.copy.request;
    this.parts.away.tellSuccess(region);
    // Before the event, so that a copy which nobody has read is never shown as read; and after it, where a list was made between the two.
    const isByServer = verifiedBy === 'server';
    if (isByServer) await this.parts.verifications.copiedByServer(region, backupId);
    const completed = await this.record(toMake, { type: 'CompleteCopy', ...thisAttempt, ...result });
    if (isRefusal(completed)) {
      log.warn(`copy not completed: ${completed.message}`);
      return this.afterRefusal(toMake, completed);
    }
    if (isByServer) await this.parts.verifications.copiedByServer(region, backupId);
    if (isHealing(toMake.history, region, backup)) this.parts.onHealed?.(region);
    log.info({ sizeBytes, sha256, source: sourceRegion, verifiedBy, ms: Math.round(transferMs) }, 'copy completed');
    return 'finished';
  }

  /** Only a first attempt has brought all of the bytes itself. How near a region is, is no reason to fail a copy. */
  private async measure({ thisAttempt, copy, log }: ToMake, made: CopyMade): Promise<void> {
    const { sourceRegion: from, sizeBytes: bytes, transferMs: ms } = made;
    if (from === undefined || thisAttempt.attempt > 1) return;
    try {
      await this.parts.rates.measured({ from, to: copy.request.region, bytes, ms });
    } catch (error) {
      log.warn({ err: error }, 'how fast the copy came could not be kept');
    }
  }

  private strand(toMake: ToMake, error: SourcesRetired): Promise<Performed> {
    const { backupId, region } = toMake.copy.request;
    toMake.log.error({ err: error }, `copy of backup ${backupId} to ${region} can't be made: ${error.message}`);
    return this.end(toMake, { type: 'StrandCopy', reason: error.message });
  }

  private fail(toMake: ToMake, error: unknown): Promise<Performed> {
    const { code, retryable } = faultOf(error);
    const inVain = attemptsInVain(toMake.history) + (countsInVain(code) ? 1 : 0);
    const isGivenUp = inVain >= this.parts.mostAttempts || (!retryable && inVain >= attemptsAtHopeless);
    return isGivenUp ? this.giveUp(toMake, error, inVain) : this.tryAgain(toMake, error);
  }

  private giveUp(toMake: ToMake, error: unknown, inVain: number): Promise<Performed> {
    const { backupId, region } = toMake.copy.request;
    const { code, message } = toldFault(error);
    const reason = `The copy is given up after ${inVain} failed attempts. The last one failed because: ${message}`;
    toMake.log.error({ err: error }, `copy of backup ${backupId} to ${region} failed: ${reason}`);
    return this.end(toMake, { type: 'FailCopy', ...toMake.thisAttempt, code, reason });
  }

  private tryAgain(toMake: ToMake, error: unknown): Promise<Performed> {
    const { copy, log, thisAttempt } = toMake;
    const { backupId, region } = copy.request;
    const { code, message } = toldFault(error);
    const longestMs = isOutageOfVault(code) ? longestOutagePauseMs : longestPauseMs;
    const retryInMs = pauseMs(this.parts.retryMs, copy.failures, longestMs);
    const next = `Tried again in ${retryInMs / 1_000} s`;
    log.warn({ err: error }, `copy of backup ${backupId} to ${region} failed: ${message} ${next}`);
    const failed = { type: 'FailCopyAttempt', ...thisAttempt, code, reason: message } as const;
    return this.end(toMake, { ...failed, retryAt: this.inMs(retryInMs) }, { retryInMs });
  }

  /** Records how the attempt ends. */
  private async end(asked: Asked, command: CopyCommand, then: Performed = 'finished'): Promise<Performed> {
    const outcome = await this.record(asked, command);
    return isRefusal(outcome) ? this.afterRefusal(asked, outcome) : then;
  }

  /** A copy that was deleted while it was made must not stay. */
  private afterRefusal(asked: Asked, { refused }: Refusal): Performed | Promise<Performed> {
    return refused === 'copy-deleted' ? this.clear(asked) : 'finished';
  }

  /** Reads a completed copy back. When it is not whole, the region is owed it again. */
  private async check(asked: Asked): Promise<Performed> {
    try {
      const { request } = asked.copy;
      const { longestCopyMs: longestMs } = this.parts;
      const found = await withinLongest(this.hold, { ...request, longestMs }, (limited) =>
        new CopyBytes(this.parts, request, limited).readBack(),
      );
      return await this.tellChecked(asked, found instanceof VaultFault ? found : undefined);
    } catch (error) {
      if (this.hold.signal.aborted || !(error instanceof VaultFault)) throw error;
      asked.log.warn({ err: error }, `copy not read back: ${error.message} Tried again`);
      return { retryInMs: Math.min(this.parts.retryMs * 2 ** this.job.attempt, longestPauseMs) };
    }
  }

  private async tellChecked(asked: Asked, fault: VaultFault | undefined): Promise<Performed> {
    if (!fault) return this.end(asked, { type: 'PassCheck' });
    const { backupId, region } = asked.copy.request;
    asked.log.warn({ err: fault }, `${region} has lost backup ${backupId}: it is put back`);
    await this.record(asked, { type: 'LoseCopy', code: fault.code, reason: fault.told });
    return { retryInMs: 0 };
  }

  /** Empties the region of a copy whose deletion was asked for, and only then records it as deleted. */
  private async clear(asked: Asked): Promise<Performed> {
    const { vaults, retryMs } = this.parts;
    const { failures } = this.job;
    const { copyId, backupId, region } = asked.copy.request;
    // The copy is read again: no attempt can begin any more, so its newest attempt is the last one.
    const copy = await this.ledger.stateOf(copyDecider, copyId);
    const history = await this.ledger.history(streamOf('backup', backupId));
    if (copy.is !== 'deleting' && copy.is !== 'deleted') return 'finished';
    const [requested] = history;
    if (requested) mustBelong(`Copy ${copyId} does not belong to the account of backup ${backupId}.`, copy, requested);
    const attempt = copy.attempt + (attemptsByRegion(history).get(region) ?? 0);
    try {
      await endingWith(vaults.of(region), this.hold.signal).purge(backupId, attempt);
    } catch (error) {
      asked.log.warn({ err: error }, 'a deleted copy could not be removed; tried again');
      return { retryInMs: pauseMs(retryMs, failures, longestPauseMs), hasFailed: true };
    }
    await this.record(asked, { type: 'ConfirmCopyDeletion' });
    return 'finished';
  }

  /** Waits for the parent. Its completion wakes the job, and the pause is for the case that nobody does. */
  private park(): Performed {
    return { retryInMs: Math.min(ancestorPauseMs * 2 ** this.job.attempt, longestPauseMs) };
  }

  /** The time of the next attempt, to be shown to people. The job goes by the database's clock. */
  private inMs(ms: number): string {
    return new Date(this.parts.clock.now().getTime() + ms).toISOString();
  }

  private record({ ledger }: Asked, command: CopyCommand): Promise<Executed | Refusal> {
    return ledger.record(copyDecider, this.job.id, command);
  }
}

function apartFrom({
  copyId,
  backupId,
  region,
}: RequestedCopy['request']): Exclude<AncestorFound, 'awaited' | 'there'> {
  const { code, message } = new ApartFault(`Copy ${copyId} is not that of backup ${backupId} in ${region}.`);
  return { is: 'gone', code, reason: message };
}

/** The pause after so many failed attempts. It doubles with each of them. */
function pauseMs(firstMs: number, failures: number, longestMs: number): number {
  return Math.min(firstMs * 2 ** Math.min(failures, 30), longestMs);
}
