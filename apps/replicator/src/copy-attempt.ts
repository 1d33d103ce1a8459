/**
 * One attempt at a copy: vault → vault, hashed on the way and read back at the target. A copy is called completed only
 * when every byte at the target is the backup's; whatever fails delays this copy alone.
 */
import { type EventContext, isRefusal, type Refusal, streamOf } from '@strongroom/contracts';
import { type CopyCommand, type CopyState, copyDecider, fold } from '@strongroom/domain';
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

type OpenCopy = Extract<CopyState, { is: 'pending' | 'copying' }>;

const longestPauseMs = 300_000;
/** What no further attempt can mend is looked at twice more all the same: a bad read is not always a bad disk. */
const attemptsAtHopeless = 3;

export class CopyAttempt {
  constructor(
    private readonly parts: CopyAttemptParts,
    private readonly job: LeasedJob,
    private readonly hold: Hold,
  ) {}

  /** Ends with the copy completed, failed, or due again; or with an error when the lease is lost or the process stops. */
  async perform(): Promise<Performed> {
    const { job, parts } = this;
    const { attempt, id: copyId } = job;
    const history = await parts.ledger.readStream(streamOf('copy', copyId));
    const copy = fold(copyDecider, history);
    const requested = history[0];
    if ((copy.is !== 'pending' && copy.is !== 'copying') || !requested) return 'finished';
    const { backupId, region } = copy.request;
    const context: EventContext = { ...requested.context, causationId: requested.id, actor: parts.replicator };
    const log = parts.log.child({ copy: copyId, backup: backupId, region, attempt, ...requested.context });
    const record = (command: CopyCommand) => this.record(copy, context, command);

    const begun = await record({ type: 'StartCopy', copyId, attempt, replicator: parts.replicator });
    if (isRefusal(begun)) {
      log.info(`copy not begun: ${begun.message}`);
      // Jobs are counted anew when their table was lost; the next lease has the next number.
      return begun.refused === 'attempt-superseded' ? { retryAt: parts.clock.now() } : 'finished';
    }
    const startedAt = parts.clock.now();
    try {
      const { location, sizeBytes, sha256 } = await this.copy(copy);
      const result = { location, sizeBytes, sha256, startedAt: startedAt.toISOString() };
      const completed = await record({ type: 'CompleteCopy', copyId, attempt, ...result });
      if (isRefusal(completed)) log.warn(`copy not completed: ${completed.message}`);
      else log.info({ sizeBytes, sha256, ms: parts.clock.now().getTime() - startedAt.getTime() }, 'copy completed');
      return 'finished';
    } catch (error) {
      if (this.hold.signal.aborted) throw error;
      const { code, message, retryable } = faultOf(error);
      if (attempt >= parts.mostAttempts || (!retryable && attempt >= attemptsAtHopeless)) {
        const reason = `${message} The copy is given up after ${attempt} attempts.`;
        log.error({ err: error }, `copy of backup ${backupId} to ${region} failed: ${reason}`);
        await record({ type: 'FailCopy', copyId, attempt, code, reason });
        return 'finished';
      }
      const pauseMs = Math.min(parts.retryMs * 2 ** (attempt - 1), longestPauseMs);
      const retryAt = new Date(parts.clock.now().getTime() + pauseMs);
      log.warn(
        { err: error },
        `copy of backup ${backupId} to ${region} failed: ${message} Tried again in ${pauseMs / 1_000} s`,
      );
      await record({ type: 'FailCopyAttempt', copyId, attempt, code, reason: message, retryAt: retryAt.toISOString() });
      return { retryAt };
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
