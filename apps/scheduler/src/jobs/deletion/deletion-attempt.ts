/**
 * One attempt at a deletion. A backup and everything built on it are removed from every vault, the newest first, so that no
 * backup is ever without its parent. A region that can't be emptied does not keep the others from being emptied. When
 * something is left after a few tries, the backup is DELETE_FAILED, and a policy takes the deletion up when that has passed. So
 * it is while something runs that is built on the backup: a backup that is being deleted is shown to nobody, so its reason would be
 * as well. The backup is deleted only when no region has anything of it.
 */
import { isRefusal, regionRetired, streamOf } from '@strongroom/contracts';
import { type BackupCommand, backupDecider, fold, mustBelong } from '@strongroom/domain';
import { type CausedLedger, LeasedLedger, type LeasedLedgerParts } from '@strongroom/ledger';
import { type BackupRow, Backups, type Views } from '@strongroom/read-model';
import { type Hold, inJobSpan, type LeasedJob, type Logger, type Performed } from '@strongroom/runtime';
import { EmptiedRegions, type EmptiedRegionsParts, type NotEmptied } from './emptied-regions.js';

export interface DeletionAttemptParts extends EmptiedRegionsParts, LeasedLedgerParts {
  views: Views;
  /** The name of the process. */
  actor: string;
}

/** A deletion that was asked for and has not ended. */
interface Asked {
  /** The account as the ledger has it: a row of the table of jobs is not asked. */
  accountId: string;
  ledger: CausedLedger;
  log: Logger;
}

/** A backup of the chain that is not gone. */
interface Remaining {
  row: BackupRow;
  /** The regions where something of it is left, or else of what is built on it. */
  left: NotEmptied[];
  /** Whether something of the backup itself is left. */
  isLeft: boolean;
  /** What is built on it and is not gone. */
  children: string[];
}

/** The code of a deletion that waits for the end of a backup. */
export const stillRunning = 'backup-still-running';

const mostTries = 3;
const retryMs = 1_000;

export class DeletionAttempt {
  private readonly backups: Backups;
  private readonly ledger: LeasedLedger;

  constructor(
    private readonly parts: DeletionAttemptParts,
    private readonly job: LeasedJob,
    private readonly hold: Hold,
  ) {
    this.backups = new Backups(parts.dataSource);
    this.ledger = new LeasedLedger(parts, { what: `the deletion of backup ${job.id}`, signal: hold.signal });
  }

  /** Ends with everything gone, with the deletion failed, or due again. @throws when the lease is lost or the process stops */
  async perform(): Promise<Performed> {
    const { parts, job } = this;
    const history = await this.ledger.history(streamOf('backup', job.id));
    const request = history.findLast(({ type }) => type === 'BackupDeletionRequested');
    const backup = fold(backupDecider, history);
    if (backup.is !== 'deleting' || !request) return 'finished';
    const what = `The deletion of backup ${job.id} does not belong to the backup.`;
    mustBelong(what, request, { accountId: backup.accountId, instanceId: backup.request.instanceId });
    const log = parts.log.child({ backup: job.id, attempt: job.attempt, ...request.context });
    const { accountId } = backup;
    return inJobSpan(request, job, () =>
      this.removeChain({ accountId, ledger: this.ledger.causedBy(request, parts.actor), log }),
    );
  }

  private async removeChain(asked: Asked): Promise<Performed> {
    const chain = await this.chain(asked);
    if (!(await this.joinAll(chain, asked))) return this.waitForEnd(chain, asked);
    const remaining = await this.removeAll(chain.reverse(), asked);
    if (remaining.length > 0) return this.tryAgainOrFail(remaining, asked);
    asked.log.info({ backups: chain.length }, 'backup deleted');
    return 'finished';
  }

  /** The backup and everything that is built on it, each parent before what is built on it. */
  private chain({ accountId }: Asked): Promise<BackupRow[]> {
    const { id } = this.job;
    return this.ledger.outlast('reading the chain', async () => {
      await this.parts.views.catchUp(accountId);
      return this.backups.chainBelow(accountId, id);
    });
  }

  /** Backups that were built on this one while its deletion was asked for are deleted too. False while one of them runs. */
  private async joinAll(chain: readonly BackupRow[], { accountId, ledger }: Asked): Promise<boolean> {
    const late = chain.filter(({ status }) => status !== 'DELETING');
    const commands = late.map(({ id }) => {
      const command: BackupCommand = { type: 'RequestDeletion', backupId: id, accountId, trigger: 'cascade' };
      return { id, command };
    });
    return !isRefusal(await ledger.recordTogether(backupDecider, commands));
  }

  private async waitForEnd(chain: readonly BackupRow[], { ledger, log }: Asked): Promise<Performed> {
    const running = chain.filter(({ status }) => status === 'NEW' || status === 'BUILDING').map(({ id }) => id);
    // It has ended since it was asked to be deleted too.
    if (running.length === 0) return { retryInMs: retryMs };
    const which = `Backup ${running.join(', ')}, which is to be built on it, has not ended.`;
    const reason = `Nothing of the backup is deleted yet. ${which} Its deletion goes on by itself when that has ended.`;
    log.info(`deletion failed for now: ${reason}`);
    await ledger.recordTogether(
      backupDecider,
      chain.map(({ id }) => {
        const command = { type: 'FailDeletion', backupId: id, code: stillRunning, reason, waitsFor: running } as const;
        return { id, command };
      }),
    );
    return 'finished';
  }

  /**
   * @param rows the newest of the chain first
   * @returns those that are not gone from every region
   */
  private async removeAll(rows: readonly BackupRow[], { ledger }: Asked): Promise<Remaining[]> {
    const regions = new EmptiedRegions(this.parts, ledger, this.hold.signal);
    const remaining: Remaining[] = [];
    for (const row of rows) {
      const children = remaining.filter((each) => each.row.parentId === row.id);
      const spared = children.flatMap((child) => child.left);
      const left = await regions.of(row, spared);
      if (children.length > 0 || left.length > 0) {
        const isLeft = left.length > 0;
        remaining.push({ row, left: isLeft ? left : spared, isLeft, children: children.map((each) => each.row.id) });
      } else await ledger.record(backupDecider, row.id, { type: 'ConfirmDeletion', backupId: row.id });
    }
    return remaining;
  }

  private async tryAgainOrFail(remaining: readonly Remaining[], { ledger, log }: Asked): Promise<Performed> {
    const left = remaining.flatMap((each) => each.left);
    // A second try would meet the same lock: the deletion is taken up when that is over.
    if (
      left.some(({ retryable, code }) => retryable && code !== 'object-locked') &&
      this.job.failures + 1 < mostTries
    ) {
      log.warn(`deletion failed: ${told(left)} Tried again`);
      return { retryInMs: retryMs, hasFailed: true };
    }
    for (const each of remaining) log.error({ backup: each.row.id }, `deletion failed: ${told(each.left)}`);
    await ledger.recordTogether(
      backupDecider,
      remaining.map((each) => ({ id: each.row.id, command: failure(each) })),
    );
    return 'finished';
  }
}

/** The reasons, each of them once. */
function told(left: readonly NotEmptied[]): string {
  return [...new Set(left.map(({ reason }) => reason))].join(' ');
}

/** The code is that of what somebody has to mend, if there is such a thing. Else the deletion goes on by itself, when that has passed. */
function failure({ row: { id }, left, isLeft, children }: Remaining): BackupCommand {
  const others = left.filter(({ code }) => code !== regionRetired);
  const lasting = others.find(({ retryable }) => !retryable);
  const regions = [...new Set(left.map(({ region }) => region))].join(', ');
  const own = isLeft
    ? `The backup could not be deleted from ${regions}; everywhere else it is gone.`
    : 'Nothing of the backup itself is left.';
  const onIt = children.map((child) => ` Backup ${child}, which is built on it, is still there.`).join('');
  const next = lasting
    ? 'Delete it again when that is mended.'
    : 'It goes on by itself when that has passed and every region of the backup, and of what is built on it, can be reached.';
  const reason = `${own}${onIt} ${told(left)} ${next}`;
  const code = (lasting ?? others[0])?.code ?? regionRetired;
  return { type: 'FailDeletion', backupId: id, code, reason, waitsFor: children };
}
