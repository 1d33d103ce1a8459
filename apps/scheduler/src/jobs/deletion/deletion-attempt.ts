/**
 * One attempt at a deletion: a backup and everything made from it go from every vault, the newest first, so that no
 * backup ever stands without what it was built on. A region that can't be emptied keeps no other from being emptied; what
 * is left within a few seconds ends DELETE_FAILED. A backup is called deleted only when no region has anything of it.
 */
import { type EventContext, isRefusal, regionRetired, streamOf } from '@strongroom/contracts';
import { type BackupCommand, backupDecider, fold } from '@strongroom/domain';
import { commandOn, execute, executeTogether } from '@strongroom/ledger';
import { type BackupRow, Backups, type Views } from '@strongroom/read-model';
import type { Hold, LeasedJob, Performed } from '@strongroom/runtime';
import { EmptiedRegions, type EmptiedRegionsParts, type NotEmptied } from './emptied-regions.js';

export interface DeletionAttemptParts extends EmptiedRegionsParts {
  views: Views;
  /** Who does it: the process. */
  actor: string;
}

/** A backup of the chain that is not gone, and where something of it is left. */
interface Remaining {
  row: BackupRow;
  left: NotEmptied[];
}

const mostTries = 3;
const retryMs = 1_000;
const waitMs = 2_000;

export class DeletionAttempt {
  private readonly backups: Backups;

  constructor(
    private readonly parts: DeletionAttemptParts,
    private readonly job: LeasedJob,
    private readonly hold: Hold,
  ) {
    this.backups = new Backups(parts.dataSource);
  }

  /** Ends with everything gone, or the deletion failed, or due again. */
  async perform(): Promise<Performed> {
    const { parts, job } = this;
    const history = await parts.ledger.readStream(streamOf('backup', job.id));
    const asked = history.findLast(({ type }) => type === 'BackupDeletionRequested');
    if (fold(backupDecider, history).is !== 'deleting' || !asked) return 'finished';
    const context: EventContext = { ...asked.context, causationId: asked.id, actor: parts.actor };
    const log = parts.log.child({ backup: job.id, attempt: job.attempt, ...asked.context });

    await parts.views.catchUp(job.accountId);
    const chain = await this.backups.chainBelow(job.accountId, job.id);
    const late = chain.filter(({ status }) => status !== 'DELETING');
    if (late.length > 0 && !(await this.join(late, context))) {
      log.info('deletion waits for the end of a backup that is built on this one');
      return { retryInMs: waitMs };
    }
    const remaining = await this.removeAll(chain.reverse(), context);
    if (remaining.length === 0) {
      log.info({ backups: chain.length }, 'backup deleted');
      return 'finished';
    }
    const left = remaining.flatMap((each) => each.left);
    if (left.some(({ retryable }) => retryable) && job.failures + 1 < mostTries) {
      log.warn(`deletion failed: ${told(left)} Tried again`);
      return { retryInMs: retryMs, hasFailed: true };
    }
    for (const each of remaining) log.error({ backup: each.row.id }, `deletion failed: ${told(each.left)}`);
    await this.onEach(
      remaining.map(({ row }) => row),
      context,
      ({ id }) => failure(id, remaining),
    );
    return 'finished';
  }

  /**
   * @param rows the newest of the chain first
   * @returns those that are not gone from everywhere
   */
  private async removeAll(rows: readonly BackupRow[], context: EventContext): Promise<Remaining[]> {
    const { ledger, ids } = this.parts;
    const regions = new EmptiedRegions(this.parts, context, this.hold.signal);
    const remaining: Remaining[] = [];
    for (const row of rows) {
      const children = remaining.filter((each) => each.row.parentId === row.id);
      const spared = children.flatMap((child) => child.left);
      const left = await regions.of(row, spared);
      if (children.length > 0 || left.length > 0) {
        remaining.push({ row, left: left.length > 0 ? left : spared });
        continue;
      }
      const { id, accountId, instanceId } = row;
      const command = { type: 'ConfirmDeletion', backupId: id } as const;
      await execute({ ledger, ids }, backupDecider, { id, accountId, instanceId, context }, command);
    }
    return remaining;
  }

  /** What was built on the backup while its deletion was asked for goes with it. False while one of them runs. */
  private async join(late: BackupRow[], context: EventContext): Promise<boolean> {
    const { accountId } = this.job;
    return this.onEach(late, context, ({ id }) => ({
      type: 'RequestDeletion',
      backupId: id,
      accountId,
      trigger: 'cascade',
    }));
  }

  private async onEach(
    rows: BackupRow[],
    context: EventContext,
    command: (row: BackupRow) => BackupCommand,
  ): Promise<boolean> {
    const { ledger, ids } = this.parts;
    const { accountId } = this.job;
    const commands = rows.map((row) =>
      commandOn(backupDecider, { id: row.id, accountId, instanceId: row.instanceId, context }, command(row)),
    );
    return !isRefusal(await executeTogether({ ledger, ids }, commands));
  }
}

/** Each reason once. */
function told(left: readonly NotEmptied[]): string {
  return [...new Set(left.map(({ reason }) => reason))].join(' ');
}

/** Retired regions alone make the code of their own: such a deletion is taken up by itself when they are back. */
function failure(id: string, remaining: readonly Remaining[]): BackupCommand {
  const left = remaining.find(({ row }) => row.id === id)?.left ?? [];
  const others = left.filter(({ code }) => code !== regionRetired);
  const regions = [...new Set(left.map(({ region }) => region))].join(', ');
  const next = others.length > 0 ? ' Delete it again when that is mended.' : '';
  const reason = `The backup could not be deleted from ${regions}; everywhere else it is gone. ${told(left)}${next}`;
  return { type: 'FailDeletion', backupId: id, code: others[0]?.code ?? regionRetired, reason };
}
