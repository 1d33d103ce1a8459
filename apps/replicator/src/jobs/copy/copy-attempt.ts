/**
 * One attempt at a copy: vault → vault, hashed on the way and read back at the target. A copy is called completed only
 * when every byte at the target is the backup's; whatever fails delays this copy alone.
 */
import { type EventContext, isRefusal, type RecordedEvent, type Refusal, streamOf } from '@strongroom/contracts';
import {
  attemptsByRegion,
  backupDecider,
  type CopyCommand,
  type CopyState,
  copyDecider,
  fold,
} from '@strongroom/domain';
import { type Executed, execute, isOutage, type Ledger } from '@strongroom/ledger';
import {
  type Clock,
  type Hold,
  type Ids,
  type LeasedJob,
  type Logger,
  type Performed,
  persist,
} from '@strongroom/runtime';
import { isOutageOfVault, VaultFault, type Vaults } from '@strongroom/vault';
import type { StallWatch } from '../stall-watch.js';
import { Ancestor, type AncestorFound, parentNotCopied } from './ancestor.js';
import { CopyBytes, SourcesRetired } from './copy-bytes.js';
import { CopySources } from './copy-sources.js';

export interface CopyAttemptParts {
  ledger: Ledger;
  ids: Ids;
  clock: Clock;
  log: Logger;
  vaults: Vaults;
  stalls: StallWatch;
  /** Who makes it: the process. */
  replicator: string;
  /** The pause after the first failed attempt, in milliseconds; doubled with each further one. */
  retryMs: number;
  /** After so many attempts the copy is given up. A region's outage does not count: it is waited for as long as it takes. */
  mostAttempts: number;
}

type RequestedCopy = Exclude<CopyState, { is: 'absent' }>;

const longestPauseMs = 300_000;
const outageToldMs = 3_600_000;
/** Of one that waits for its parent, doubled each time: the parent's completion wakes it. */
const ancestorPauseMs = 1_000;
/** What no further attempt can mend is looked at twice more all the same: a bad read is not always a bad disk. */
const attemptsAtHopeless = 3;

export class CopyAttempt {
  constructor(
    private readonly parts: CopyAttemptParts,
    private readonly job: LeasedJob,
    private readonly hold: Hold,
  ) {}

  /** Ends with the copy completed, failed, due again, or gone; or with an error when the lease is lost or the process stops. */
  async perform(): Promise<Performed> {
    const { job, parts } = this;
    const { id: copyId } = job;
    const history = await parts.ledger.readStream(streamOf('copy', copyId));
    const copy = fold(copyDecider, history);
    if (copy.is === 'absent') return 'finished';
    const asked = history.findLast(isAsking);
    if (!asked) return 'finished';
    const { backupId, region } = copy.request;
    const context: EventContext = { ...asked.context, causationId: asked.id, actor: parts.replicator };
    const record = (command: CopyCommand) => this.record(copy, context, command);
    if (copy.is === 'deleting' || copy.is === 'deleted') return this.clear(copy, context);
    if (copy.is === 'completed' && copy.isCheckAsked) return this.check(copy, record);
    if (copy.is !== 'pending' && copy.is !== 'copying') return 'finished';
    // The stream serialises the attempts: of two that begin at once, one is refused.
    const attempt = copy.attempt + 1;
    const log = parts.log.child({ copy: copyId, backup: backupId, region, attempt, ...asked.context });

    const historyOfBackup = await parts.ledger.readStream(streamOf('backup', backupId));
    const backup = fold(backupDecider, historyOfBackup);
    if (backup.is !== 'completed' || !backup.completed) {
      log.info('copy not made: its backup is being deleted');
      await record({ type: 'RequestCopyDeletion' });
      return this.clear(copy, context);
    }
    const ancestor = await new Ancestor(parts, copy, context, this.hold.signal).look();
    if (ancestor === 'awaited' || isTold(ancestor, history)) return this.park();
    if (await this.isAwayStill(region, history)) {
      log.debug(`copy not begun: the vault of ${region} is away still`);
      const retryInMs = Math.min(parts.retryMs * 2 ** Math.min(job.failures, 20), longestPauseMs);
      return { retryInMs, hasFailed: true };
    }

    const begun = await record({ type: 'StartCopy', copyId, attempt, replicator: parts.replicator });
    if (isRefusal(begun)) {
      log.info(`copy not begun: ${begun.message}`);
      if (begun.refused === 'copy-deleted') return this.clear(copy, context);
      return begun.refused === 'attempt-superseded' ? { retryInMs: 0 } : 'finished';
    }
    const after = (outcome: Executed | Refusal) => this.after(outcome, copy, context);
    if (ancestor !== 'there') {
      const { is, code, reason } = ancestor;
      if (is === 'gone') return after(await record({ type: 'FailCopy', copyId, attempt, code, reason }));
      const retryAt = this.inMs(longestPauseMs);
      const told = await record({ type: 'FailCopyAttempt', copyId, attempt, code, reason, retryAt });
      return isRefusal(told) ? after(told) : this.park();
    }
    const startedAt = parts.clock.now();
    const sources = new CopySources(parts, copy, backup.completed, context, this.hold.signal);
    const numbered = attempt + (attemptsByRegion(historyOfBackup).get(region) ?? 0);
    const bytes = new CopyBytes(parts, copy.request, this.hold);
    try {
      const { location, sizeBytes, sha256, sourceRegion } = await bytes.bring(sources, backup.completed, numbered);
      const result = { location, sizeBytes, sha256, sourceRegion, startedAt: startedAt.toISOString() };
      const completed = await record({ type: 'CompleteCopy', copyId, attempt, ...result });
      const ms = parts.clock.now().getTime() - startedAt.getTime();
      if (isRefusal(completed)) log.warn(`copy not completed: ${completed.message}`);
      else log.info({ sizeBytes, sha256, source: sourceRegion, ms }, 'copy completed');
      return after(completed);
    } catch (error) {
      if (this.hold.signal.aborted || isOutage(error)) throw error;
      if (error instanceof SourcesRetired) {
        log.error({ err: error }, `copy of backup ${backupId} to ${region} can't be made: ${error.message}`);
        return after(await record({ type: 'StrandCopy', reason: error.message }));
      }
      const { code, message, retryable } = faultOf(error);
      const inVain = attemptsInVain(history) + (countsInVain(code) ? 1 : 0);
      if (inVain >= parts.mostAttempts || (!retryable && inVain >= attemptsAtHopeless)) {
        const reason = `The copy is given up after ${inVain} attempts that came to nothing, the last because: ${message}`;
        log.error({ err: error }, `copy of backup ${backupId} to ${region} failed: ${reason}`);
        return after(await record({ type: 'FailCopy', copyId, attempt, code, reason }));
      }
      const pauseMs = Math.min(parts.retryMs * 2 ** copy.failures, longestPauseMs);
      const retryAt = this.inMs(pauseMs);
      log.warn(
        { err: error },
        `copy of backup ${backupId} to ${region} failed: ${message} Tried again in ${pauseMs / 1_000} s`,
      );
      const failed = { type: 'FailCopyAttempt', copyId, attempt, code, reason: message } as const;
      const recorded = await record({ ...failed, retryAt });
      return isRefusal(recorded) ? after(recorded) : { retryInMs: pauseMs };
    }
  }

  /** A region may be away for weeks: that is recorded once an hour, not with every attempt. */
  private async isAwayStill(region: string, history: readonly RecordedEvent[]): Promise<boolean> {
    const { clock, stalls, vaults } = this.parts;
    const last = history.at(-1);
    if (last?.type !== 'CopyAttemptFailed' || !isOutageOfVault(last.data.code)) return false;
    if (clock.now().getTime() - new Date(last.at).getTime() > outageToldMs) return false;
    try {
      await stalls.over(region, this.hold.signal, () => vaults.of(region).probe());
      return false;
    } catch (error) {
      if (this.hold.signal.aborted) throw error;
      return error instanceof VaultFault && isOutageOfVault(error.code);
    }
  }

  /** One that is whole stays what it is; one that is not is owed again. */
  private async check(
    { request }: RequestedCopy,
    record: (command: CopyCommand) => Promise<Executed | Refusal>,
  ): Promise<Performed> {
    const { log, retryMs } = this.parts;
    const { backupId, region } = request;
    try {
      const found = await new CopyBytes(this.parts, request, this.hold).look();
      if (!(found instanceof VaultFault)) {
        await record({ type: 'PassCheck' });
        return 'finished';
      }
      log.warn({ err: found, backup: backupId, region }, `${region} has lost backup ${backupId}: it is put back`);
      await record({ type: 'LoseCopy', code: found.code, reason: found.message });
      return { retryInMs: 0 };
    } catch (error) {
      if (this.hold.signal.aborted || !(error instanceof VaultFault)) throw error;
      log.warn({ err: error, backup: backupId, region }, `copy not read back: ${error.message} Tried again`);
      return { retryInMs: Math.min(retryMs * 2 ** this.job.attempt, longestPauseMs) };
    }
  }

  /** A copy that was deleted while it was made must not stay. */
  private after(
    outcome: Executed | Refusal,
    copy: RequestedCopy,
    context: EventContext,
  ): Performed | Promise<Performed> {
    return isRefusal(outcome) && outcome.refused === 'copy-deleted' ? this.clear(copy, context) : 'finished';
  }

  /** Of one whose end was asked for: no attempt can begin or complete it any more. It is deleted when the region is empty. */
  private async clear(
    { request: { copyId, backupId, region } }: RequestedCopy,
    context: EventContext,
  ): Promise<Performed> {
    const { ledger, stalls, vaults, log, retryMs } = this.parts;
    // Read anew: the newest attempt that there ever will be.
    const copy = fold(copyDecider, await ledger.readStream(streamOf('copy', copyId)));
    const history = await ledger.readStream(streamOf('backup', backupId));
    if (copy.is !== 'deleting' && copy.is !== 'deleted') return 'finished';
    const attempt = copy.attempt + (attemptsByRegion(history).get(region) ?? 0);
    try {
      await stalls.over(region, this.hold.signal, () => vaults.of(region).purge(backupId, attempt));
    } catch (error) {
      log.warn({ err: error, backup: backupId, region }, 'a deleted copy could not be removed; tried again');
      return { retryInMs: retryMs };
    }
    await this.record(copy, context, { type: 'ConfirmCopyDeletion' });
    return 'finished';
  }

  /** Until its parent has come, or nobody has told that it has. */
  private park(): Performed {
    return { retryInMs: Math.min(ancestorPauseMs * 2 ** this.job.attempt, longestPauseMs) };
  }

  /** Told to people; what counts is the database's clock. */
  private inMs(ms: number): string {
    return new Date(this.parts.clock.now().getTime() + ms).toISOString();
  }

  private record(
    { accountId, request }: RequestedCopy,
    context: EventContext,
    command: CopyCommand,
  ): Promise<Executed | Refusal> {
    const target = { id: request.copyId, accountId, instanceId: request.instanceId, context };
    return persist(() => execute(this.parts, copyDecider, target, command), {
      what: `recording ${command.type} of copy ${request.copyId}`,
      passes: isOutage,
      signal: this.hold.signal,
      log: this.parts.log,
    });
  }
}

/** Whether the copy shows already that it waits for a parent that was given up. */
function isTold(ancestor: AncestorFound, history: readonly RecordedEvent[]): boolean {
  const last = history.at(-1);
  return (
    typeof ancestor === 'object' &&
    ancestor.is === 'given-up' &&
    last?.type === 'CopyAttemptFailed' &&
    last.data.code === ancestor.code
  );
}

function isAsking(event: RecordedEvent): event is RecordedEvent<'CopyRequested' | 'CopyLost'> {
  return event.type === 'CopyRequested' || event.type === 'CopyLost';
}

/** Since it was asked for; what passes with an outage does not count, nor does the parent's failing. */
function attemptsInVain(history: readonly RecordedEvent[]): number {
  const asked = history.findLastIndex(isAsking);
  return history.slice(asked).filter((event) => event.type === 'CopyAttemptFailed' && countsInVain(event.data.code))
    .length;
}

function countsInVain(code: string): boolean {
  return !isOutageOfVault(code) && code !== parentNotCopied;
}

function faultOf(error: unknown): { code: string; message: string; retryable: boolean } {
  if (error instanceof VaultFault) return error;
  return {
    code: 'unexpected',
    message: `The copy broke off unexpectedly: ${error instanceof Error ? error.message : String(error)}.`,
    retryable: true,
  };
}
