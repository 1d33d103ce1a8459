/**
 * One attempt at a copy: vault → vault, hashed on the way and read back at the target. A copy is called completed only
 * when every byte at the target is the backup's; whatever fails delays this copy alone.
 */
import { type EventContext, isRefusal, type Refusal, streamOf } from '@strongroom/contracts';
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
import { copyBackup, VaultFault, type Vaults } from '@strongroom/vault';
import { Ancestor, type OpenCopy } from './ancestor.js';

export interface CopyAttemptParts {
  ledger: Ledger;
  ids: Ids;
  clock: Clock;
  log: Logger;
  vaults: Vaults;
  /** Who makes it: the process. */
  replicator: string;
  /** The pause after the first failed attempt, in milliseconds; doubled with each further one. */
  retryMs: number;
  /** After so many attempts the copy is given up. */
  mostAttempts: number;
}

const longestPauseMs = 300_000;
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
    const { attempt, id: copyId } = job;
    const history = await parts.ledger.readStream(streamOf('copy', copyId));
    const copy = fold(copyDecider, history);
    const requested = history.findLast(({ type }) => type === 'CopyRequested');
    if (copy.is === 'deleted') return this.clear(copy.request);
    if ((copy.is !== 'pending' && copy.is !== 'copying') || !requested) return 'finished';
    const { backupId, region } = copy.request;
    const context: EventContext = { ...requested.context, causationId: requested.id, actor: parts.replicator };
    const log = parts.log.child({ copy: copyId, backup: backupId, region, attempt, ...requested.context });
    const record = (command: CopyCommand) => this.record(copy, context, command);

    const backup = fold(backupDecider, await parts.ledger.readStream(streamOf('backup', backupId)));
    if (backup.is !== 'completed') {
      log.info('copy not made: its backup is being deleted');
      await record({ type: 'DeleteCopy' });
      return this.clear(copy.request);
    }
    const ancestor = await new Ancestor(parts, copy, context).look();
    if (ancestor === 'awaited') return { retryInMs: ancestorPauseMs };

    const begun = await record({ type: 'StartCopy', copyId, attempt, replicator: parts.replicator });
    if (isRefusal(begun)) {
      log.info(`copy not begun: ${begun.message}`);
      if (begun.refused === 'copy-deleted') return this.clear(copy.request);
      // Jobs are counted anew when their table was lost; the next lease has the next number.
      return begun.refused === 'attempt-superseded' ? { retryInMs: 0 } : 'finished';
    }
    if (ancestor !== 'there') {
      await record({ type: 'FailCopy', copyId, attempt, ...ancestor });
      return 'finished';
    }
    const startedAt = parts.clock.now();
    try {
      const { location, sizeBytes, sha256 } = await this.copy(copy);
      const result = { location, sizeBytes, sha256, startedAt: startedAt.toISOString() };
      const completed = await record({ type: 'CompleteCopy', copyId, attempt, ...result });
      if (isRefusal(completed)) log.warn(`copy not completed: ${completed.message}`);
      else log.info({ sizeBytes, sha256, ms: parts.clock.now().getTime() - startedAt.getTime() }, 'copy completed');
      return this.after(completed, copy);
    } catch (error) {
      if (this.hold.signal.aborted) throw error;
      const { code, message, retryable } = faultOf(error);
      const failures = copy.failures + 1;
      if (failures >= parts.mostAttempts || (!retryable && failures >= attemptsAtHopeless)) {
        const reason = `${message} The copy is given up after ${failures} attempts.`;
        log.error({ err: error }, `copy of backup ${backupId} to ${region} failed: ${reason}`);
        return this.after(await record({ type: 'FailCopy', copyId, attempt, code, reason }), copy);
      }
      const pauseMs = Math.min(parts.retryMs * 2 ** (failures - 1), longestPauseMs);
      // Told to people; what counts is the database's clock.
      const retryAt = new Date(parts.clock.now().getTime() + pauseMs).toISOString();
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
  private after(outcome: Executed | Refusal, { request }: OpenCopy): Performed | Promise<Performed> {
    return isRefusal(outcome) && outcome.refused === 'copy-deleted' ? this.clear(request) : 'finished';
  }

  private async clear({ backupId, region }: OpenCopy['request']): Promise<Performed> {
    try {
      await this.parts.vaults.of(region).remove(backupId);
      return 'finished';
    } catch (error) {
      this.parts.log.warn({ err: error, backup: backupId, region }, 'a deleted copy could not be removed; tried again');
      return { retryInMs: this.parts.retryMs };
    }
  }

  private copy({ request }: OpenCopy) {
    const { vaults } = this.parts;
    let doneBytes = 0;
    return copyBackup({
      from: vaults.of(request.sourceRegion),
      to: vaults.of(request.region),
      backupId: request.backupId,
      attempt: this.job.attempt,
      expectedSha256: request.sha256,
      signal: this.hold.signal,
      progress: (bytes) => {
        doneBytes += bytes;
        this.hold.progress(doneBytes, request.sizeBytes);
      },
    });
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

function faultOf(error: unknown): { code: string; message: string; retryable: boolean } {
  if (error instanceof VaultFault) return error;
  return {
    code: 'unexpected',
    message: `The copy broke off unexpectedly: ${error instanceof Error ? error.message : String(error)}.`,
    retryable: true,
  };
}
