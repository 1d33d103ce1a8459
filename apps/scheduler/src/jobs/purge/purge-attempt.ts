/**
 * One look at a deleted backup. Its removal is asked for when the time has come for it and for everything that is built on it, when
 * none of them is on hold, and when a second person has approved it where one must. All of them are asked for in one append,
 * or none. The time is that of the slots: no single clock that is wrong brings it forward.
 */
import { causedBy, isRefusal, type RecordedEvent, streamOf } from '@strongroom/contracts';
import { type BackupCommand, backupDecider, bytesGoAt, chainGoesAt, fold } from '@strongroom/domain';
import { commandOn, executeTogether, type Ledger } from '@strongroom/ledger';
import { type BackupRow, Backups, deletable, isMarked, type Views } from '@strongroom/read-model';
import {
  type DeletionConfig,
  deletionRulesOf,
  type Ids,
  inJobSpan,
  type LeasedJob,
  type Logger,
  type Performed,
} from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import type { SlotTime } from '../../slots/due-clock.js';

export interface PurgeAttemptParts {
  dataSource: DataSource;
  ledger: Ledger;
  views: Views;
  ids: Ids;
  log: Logger;
  config: { deletion: DeletionConfig };
  slotTime: SlotTime;
}

const actor = 'strongroom-scheduler';
/** A job that waits is looked at so often, because the clock that says when it is ready may be wrong. */
const longestPauseMs = 3_600_000;
/** The pause while something runs that is built on the backup, or clocks contradict each other. */
const shortPauseMs = 10_000;
/** The pause while the time of the slots has not been read, as after a start. */
const startPauseMs = 1_000;
const shortestPauseMs = 50;

/** Why the removal is not asked for now. */
interface Waits {
  why: string;
  ms: number;
}

export class PurgeAttempt {
  private readonly backups: Backups;

  constructor(
    private readonly parts: PurgeAttemptParts,
    private readonly job: LeasedJob,
  ) {
    this.backups = new Backups(parts.dataSource);
  }

  /** Ends with the removal asked for, with nothing to remove any more, or due again. @throws {LedgerFault} in an outage */
  async perform(): Promise<Performed> {
    const { views, log } = this.parts;
    const { id, accountId } = this.job;
    await views.catchUp(accountId);
    const chain = await this.backups.chainBelow(accountId, id);
    const root = chain[0];
    // It was brought back or has gone with its parent, or its own job is that of the backup that it was deleted with.
    if (root?.status !== 'MARKED' || root.mark?.rootId !== id) return 'finished';
    const marked = await this.joinAll(chain);
    const waits = marked ?? (await this.whyNotNow(chain));
    if (waits) {
      log.debug({ backup: id }, `not removed now: ${waits.why}`);
      return { retryInMs: Math.max(shortestPauseMs, Math.min(waits.ms, longestPauseMs)) };
    }
    return this.remove(chain);
  }

  /** What was built on the backup while it was deleted is deleted too, with a delay of its own. */
  private async joinAll(chain: readonly BackupRow[]): Promise<Waits | undefined> {
    const { accountId, id: rootId } = this.job;
    if (chain.some(({ status }) => status === 'NEW' || status === 'BUILDING')) {
      return { why: 'something that is built on it has not ended', ms: shortPauseMs };
    }
    const late = chain.filter(({ status }) => status === 'COMPLETED' || status === 'FAILED');
    const now = this.now();
    if (late.length === 0) return undefined;
    if (!now) return this.noTime();
    const rules = deletionRulesOf(this.parts.config.deletion, accountId);
    const outcome = await this.execute(chain, (row) => {
      if (!late.includes(row)) return undefined;
      const purgeAt = bytesGoAt(deletable(row), rules, now).toISOString();
      const trigger = chain[0]?.mark?.trigger ?? 'request';
      return { type: 'MarkDeletion', backupId: row.id, accountId, trigger, rootId, purgeAt };
    });
    if (isRefusal(outcome)) return { why: outcome.message, ms: longestPauseMs };
    return { why: 'something that is built on it was deleted just now', ms: shortestPauseMs };
  }

  private async whyNotNow(chain: readonly BackupRow[]): Promise<Waits | undefined> {
    const { accountId } = this.job;
    const { deletion } = this.parts.config;
    const now = this.now();
    if (!now) return this.noTime();
    const rules = deletionRulesOf(deletion, accountId);
    // What is removed already, or could not be, waits for nothing.
    const goAt = chainGoesAt(chain.filter(isMarked).map(deletable), rules, now);
    if (goAt > now) {
      return { why: `it is kept until ${goAt.toISOString()}`, ms: goAt.getTime() - now.getTime() };
    }
    const held = chain.find(({ hold }) => hold !== null);
    if (held) return { why: `backup ${held.id} is on hold`, ms: longestPauseMs };
    const isByHand = chain.some(({ mark }) => mark?.trigger === 'request' && mark.approvedBy === null);
    if (!isByHand || deletion.bulkLimit === 0) return undefined;
    const deleted = await this.backups.deletedByHand(accountId);
    if (deleted <= deletion.bulkLimit) return undefined;
    return { why: `${deleted} backups are deleted, and nobody has approved it`, ms: longestPauseMs };
  }

  private async remove(chain: readonly BackupRow[]): Promise<Performed> {
    const { id } = this.job;
    const now = this.now();
    if (!now) return { retryInMs: this.noTime().ms };
    const trigger = chain[0]?.mark?.trigger ?? 'request';
    const outcome = await this.execute(chain, ({ id: backupId }) => ({
      type: 'BeginRemoval',
      backupId,
      trigger: backupId === id ? trigger : 'cascade',
      now,
    }));
    if (!isRefusal(outcome)) {
      this.parts.log.info({ backup: id, backups: chain.length }, 'deleted backup: its removal was asked for');
      return 'finished';
    }
    // Somebody has brought one of them back, or put it on hold, since the chain was read.
    this.parts.log.info({ backup: id }, `not removed now: ${outcome.message}`);
    return { retryInMs: shortPauseMs };
  }

  private now(): Date | undefined {
    const time = this.parts.slotTime.latest();
    return time && !time.isInDoubt ? time.now : undefined;
  }

  private noTime(): Waits {
    const isRead = this.parts.slotTime.latest() !== undefined;
    return { why: 'there is no time that can be relied on', ms: isRead ? shortPauseMs : startPauseMs };
  }

  private async execute(chain: readonly BackupRow[], commandOf: (row: BackupRow) => BackupCommand | undefined) {
    const { ledger, ids } = this.parts;
    const { accountId } = this.job;
    const cause = await this.cause();
    const context = causedBy(cause, actor);
    const commands = chain.flatMap((row) => {
      const command = commandOf(row);
      const target = { id: row.id, accountId, instanceId: row.instanceId, context };
      return command ? [commandOn(backupDecider, target, command)] : [];
    });
    return inJobSpan(cause, this.job, () => executeTogether({ ledger, ids }, commands));
  }

  /** The deletion: what follows is caused by it, and belongs to its trace. */
  private async cause(): Promise<RecordedEvent> {
    const history = await this.parts.ledger.readStream(streamOf('backup', this.job.id));
    const cause = history.findLast(({ type }) => type === 'BackupDeletionMarked');
    if (!cause)
      throw new TypeError(`backup ${this.job.id} is ${fold(backupDecider, history).is}, and was never deleted`);
    return cause;
  }
}
