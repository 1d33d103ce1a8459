/**
 * One attempt at a copy: vault → vault, hashed on the way and read back at the target. A copy is called completed only
 * when every byte at the target is the backup's; whatever fails delays this copy alone.
 */
import { type EventContext, isRefusal, type RecordedEvent, type Refusal, streamOf } from '@strongroom/contracts';
import { backupDecider, type CopyCommand, copyDecider, fold } from '@strongroom/domain';
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
import { copyBackup, isOutageOfVault, VaultFault, type Vaults } from '@strongroom/vault';
import { Ancestor, type AncestorFound, type OpenCopy, parentNotCopied } from './ancestor.js';
import type { StallWatch } from './stall-watch.js';

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

const longestPauseMs = 300_000;
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
    const requested = history.findLast(({ type }) => type === 'CopyRequested');
    if (copy.is === 'deleted') return this.clear(copy);
    if ((copy.is !== 'pending' && copy.is !== 'copying') || !requested) return 'finished';
    const { backupId, region } = copy.request;
    // The stream serialises the attempts: of two that begin at once, one is refused.
    const attempt = copy.attempt + 1;
    const context: EventContext = { ...requested.context, causationId: requested.id, actor: parts.replicator };
    const log = parts.log.child({ copy: copyId, backup: backupId, region, attempt, ...requested.context });
    const record = (command: CopyCommand) => this.record(copy, context, command);

    const backup = fold(backupDecider, await parts.ledger.readStream(streamOf('backup', backupId)));
    if (backup.is !== 'completed') {
      log.info('copy not made: its backup is being deleted');
      await record({ type: 'DeleteCopy' });
      return this.clear(copy);
    }
    const ancestor = await new Ancestor(parts, copy, context).look();
    if (ancestor === 'awaited' || isTold(ancestor, history)) return this.park();

    const begun = await record({ type: 'StartCopy', copyId, attempt, replicator: parts.replicator });
    if (isRefusal(begun)) {
      log.info(`copy not begun: ${begun.message}`);
      if (begun.refused === 'copy-deleted') return this.clear({ ...copy, attempt });
      return begun.refused === 'attempt-superseded' ? { retryInMs: 0 } : 'finished';
    }
    if (ancestor !== 'there') {
      const { is, code, reason } = ancestor;
      if (is === 'gone') return this.after(await record({ type: 'FailCopy', copyId, attempt, code, reason }), copy);
      const retryAt = this.inMs(longestPauseMs);
      const told = await record({ type: 'FailCopyAttempt', copyId, attempt, code, reason, retryAt });
      return isRefusal(told) ? this.after(told, copy) : this.park();
    }
    const startedAt = parts.clock.now();
    try {
      const { location, sizeBytes, sha256 } = await this.copy(copy, attempt);
      const result = { location, sizeBytes, sha256, startedAt: startedAt.toISOString() };
      const completed = await record({ type: 'CompleteCopy', copyId, attempt, ...result });
      if (isRefusal(completed)) log.warn(`copy not completed: ${completed.message}`);
      else log.info({ sizeBytes, sha256, ms: parts.clock.now().getTime() - startedAt.getTime() }, 'copy completed');
      return this.after(completed, copy);
    } catch (error) {
      if (this.hold.signal.aborted) throw error;
      const { code, message, retryable } = faultOf(error);
      const inVain = attemptsInVain(history) + (countsInVain(code) ? 1 : 0);
      if (inVain >= parts.mostAttempts || (!retryable && inVain >= attemptsAtHopeless)) {
        const reason = `${message} The copy is given up after ${inVain} such attempts.`;
        log.error({ err: error }, `copy of backup ${backupId} to ${region} failed: ${reason}`);
        return this.after(await record({ type: 'FailCopy', copyId, attempt, code, reason }), copy);
      }
      const pauseMs = Math.min(parts.retryMs * 2 ** copy.failures, longestPauseMs);
      const retryAt = this.inMs(pauseMs);
      log.warn(
        { err: error },
        `copy of backup ${backupId} to ${region} failed: ${message} Tried again in ${pauseMs / 1_000} s`,
      );
      const failed = { type: 'FailCopyAttempt', copyId, attempt, code, reason: message } as const;
      const recorded = await record({ ...failed, retryAt });
      return isRefusal(recorded) ? this.after(recorded, copy) : { retryInMs: pauseMs };
    }
  }

  /** A copy that was deleted while it was made must not stay. */
  private after(outcome: Executed | Refusal, { request, attempt }: OpenCopy): Performed | Promise<Performed> {
    // This attempt's number is the one after the newest that the copy was read with.
    const mine = { request, attempt: attempt + 1 };
    return isRefusal(outcome) && outcome.refused === 'copy-deleted' ? this.clear(mine) : 'finished';
  }

  /** Nobody will begin another attempt at a copy that was deleted. */
  private async clear({ request, attempt }: Pick<OpenCopy, 'request' | 'attempt'>): Promise<Performed> {
    const { backupId, region } = request;
    try {
      const vault = this.parts.vaults.of(region);
      await this.parts.stalls.over(region, this.hold.signal, () => vault.purge(backupId, attempt));
      return 'finished';
    } catch (error) {
      this.parts.log.warn({ err: error, backup: backupId, region }, 'a deleted copy could not be removed; tried again');
      return { retryInMs: this.parts.retryMs };
    }
  }

  /** Until its parent has come, or nobody has told that it has. */
  private park(): Performed {
    return { retryInMs: Math.min(ancestorPauseMs * 2 ** this.job.attempt, longestPauseMs) };
  }

  /** Told to people; what counts is the database's clock. */
  private inMs(ms: number): string {
    return new Date(this.parts.clock.now().getTime() + ms).toISOString();
  }

  private copy({ request }: OpenCopy, attempt: number) {
    const { vaults, stalls } = this.parts;
    let doneBytes = 0;
    return stalls.over(request.region, this.hold.signal, (signal, moved) =>
      copyBackup({
        from: vaults.of(request.sourceRegion),
        to: vaults.of(request.region),
        backupId: request.backupId,
        attempt,
        expectedSha256: request.sha256,
        signal,
        moved,
        progress: (bytes) => {
          doneBytes += bytes;
          this.hold.progress(doneBytes, request.sizeBytes);
        },
      }),
    );
  }

  private record(
    { accountId, request }: OpenCopy,
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

/** Since it was asked for; what passes with an outage does not count, nor does the parent's failing. */
function attemptsInVain(history: readonly RecordedEvent[]): number {
  const asked = history.findLastIndex(({ type }) => type === 'CopyRequested');
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
