/** The view of schedules' runs: what became of each slot, and the runs that were asked for. A run stays when its backup is deleted. */
import { type BackupType, idOf, type RecordedEvent } from '@strongroom/contracts';
import { type DataSource, EntitySchema } from 'typeorm';
import { z } from 'zod';
import type { DelayOfRow, FailedAttemptOfRow, FaultOfRow, MadeFullOfRow } from './backup-row.js';
import { withDelay, withFailure } from './backup-view.js';
import { cut, type Page, unchanged, type View, type ViewRow } from './view.js';

export type RunOutcome = 'ran' | 'skipped' | 'missed';

/** The id of a run is that of its backup, whether there is a backup or not. */
export interface RunRow extends ViewRow {
  instanceId: string;
  scheduleId: string;
  /** Null for a run that was asked for. */
  slotAt: Date | null;
  outcome: RunOutcome;
  /** Why there is no backup. */
  reason: string | null;
  /** Why the backup is full though an incremental was planned. */
  madeFull: MadeFullOfRow | null;
  /** The type of the backup, as it is known so far; null when there is none. */
  type: BackupType | null;
  /** Why the backup has failed. */
  fault: FaultOfRow | null;
  /** The newest of the attempts that failed in a way that passes, oldest first. */
  failedAttempts: FailedAttemptOfRow[];
  /** Why the backup was late, oldest first. */
  delays: DelayOfRow[];
  createdAt: Date;
}

export const runTable = new EntitySchema<RunRow>({
  name: 'RunView',
  tableName: 'run_view',
  columns: {
    id: { type: 'uuid', primary: true },
    accountId: { type: 'text', name: 'account_id' },
    instanceId: { type: 'uuid', name: 'instance_id' },
    scheduleId: { type: 'uuid', name: 'schedule_id' },
    slotAt: { type: 'timestamptz', name: 'slot_at', nullable: true },
    outcome: { type: 'text' },
    reason: { type: 'text', nullable: true },
    madeFull: { type: 'jsonb', name: 'made_full', nullable: true },
    type: { type: 'text', nullable: true },
    fault: { type: 'jsonb', nullable: true },
    failedAttempts: { type: 'jsonb', name: 'failed_attempts' },
    delays: { type: 'jsonb' },
    createdAt: { type: 'timestamptz', name: 'created_at' },
    version: { type: 'integer' },
  },
});

export const runView: View<'backup', RunRow> = {
  aggregate: 'backup',
  table: runTable,
  fold: {
    BackupRequested: (_, { accountId, at, version, data: { backupId, instanceId, scheduleId, slotAt, type } }) =>
      scheduleId === null
        ? undefined
        : {
            id: backupId,
            accountId,
            instanceId,
            scheduleId,
            slotAt: slotAt === null ? null : new Date(slotAt),
            outcome: 'ran',
            reason: null,
            madeFull: null,
            ...noAttempts,
            type,
            createdAt: new Date(at),
            version,
          },
    SlotSkipped: (_, event) => passed('skipped', event),
    SlotMissed: (_, event) => passed('missed', event),
    BackupStarted: unchanged,
    BackupAttemptFailed: (row, event) =>
      row && { ...row, failedAttempts: withFailure(row.failedAttempts, event), version: event.version },
    BackupDelayed: (row, event) => row && { ...row, delays: withDelay(row.delays, event), version: event.version },
    BackupMadeFull: (row, { version, data: { plannedParentId, ground, reason } }) =>
      row && { ...row, type: 'full', madeFull: { plannedParentId, ground, reason }, version },
    BackupIdentified: unchanged,
    BackupVersionFound: unchanged,
    BackupEncrypted: unchanged,
    AnotherServerFound: unchanged,
    BackupCompleted: (row, { version, data: { type } }) => {
      if (!row) return undefined;
      const madeFull = type === 'incremental' ? null : row.madeFull;
      return type === row.type && madeFull === row.madeFull ? row : { ...row, type, madeFull, version };
    },
    // The version stays, as it did before the row had a fault: the rows of older versions got theirs without another fold.
    BackupFailed: (row, { data: { code, reason } }) => row && { ...row, fault: { code, reason } },
    BackupCatalogued: unchanged,
    RestoreTested: unchanged,
    RestoreTestFailed: unchanged,
    BackupDeletionMarked: unchanged,
    BackupDeletionReverted: unchanged,
    BackupDeletionApproved: unchanged,
    BackupHeld: unchanged,
    BackupHoldLifted: unchanged,
    BackupDeletionRequested: unchanged,
    BackupDeletionFailed: unchanged,
    BackupDeletionPutOff: unchanged,
    BackupDeletionCalledOff: unchanged,
    BackupDeleted: unchanged,
  },
};

const noAttempts = { type: null, fault: null, failedAttempts: [], delays: [] } as const satisfies Partial<RunRow>;

function passed(
  outcome: 'skipped' | 'missed',
  { stream, accountId, at, version, data }: RecordedEvent<'SlotSkipped'> | RecordedEvent<'SlotMissed'>,
): RunRow {
  const { instanceId, scheduleId, slotAt, reason } = data;
  return {
    id: idOf(stream),
    accountId,
    instanceId,
    scheduleId,
    slotAt: new Date(slotAt),
    outcome,
    reason,
    madeFull: null,
    ...noAttempts,
    createdAt: new Date(at),
    version,
  };
}

/** A run of a slot. */
export interface SlotRun extends RunRow {
  slotAt: Date;
}

function isOfSlot(row: RunRow): row is SlotRun {
  return row.slotAt !== null;
}

const newest = z.array(z.object({ slotAt: z.date().nullable() })).length(1);

export class Runs {
  constructor(private readonly dataSource: DataSource) {}

  async find(scheduleId: string, id: string): Promise<SlotRun | undefined> {
    const row = await this.dataSource.manager.findOneBy(runTable, { scheduleId, id });
    return row && isOfSlot(row) ? row : undefined;
  }

  /** The nominal time of the newest slot of the instance whose reason names the backup; undefined when there is none. */
  async skippedFor(accountId: string, instanceId: string, backupId: string): Promise<Date | undefined> {
    const rows: unknown = await this.dataSource.query(
      `select max(r.slot_at) as "slotAt" from run_view r join schedule_view s on s.id = r.schedule_id
       where s.account_id = $1 and s.instance_id = $2 and r.outcome = 'skipped' and position($3 in r.reason) > 0`,
      [accountId, instanceId, backupId],
    );
    return newest.parse(rows)[0]?.slotAt ?? undefined;
  }

  /**
   * What became of a schedule's slots, newest first. A slot that a wrong clock called missed or skipped before its time has a
   * run for that too.
   * @param before the run after which the page begins, in this order
   */
  async page(
    scheduleId: string,
    { limit, before }: { limit: number; before?: Pick<SlotRun, 'slotAt' | 'id'> | undefined },
  ): Promise<Page<SlotRun>> {
    const query = this.dataSource.manager
      .createQueryBuilder(runTable, 'r')
      .where('r.schedule_id = :scheduleId and r.slot_at is not null', { scheduleId })
      .orderBy({ 'r.slot_at': 'DESC', 'r.id': 'DESC' })
      .limit(limit + 1);
    if (before !== undefined)
      query.andWhere('(r.slot_at, r.id) < (:slotAt, :id)', { slotAt: before.slotAt, id: before.id });
    return cut((await query.getMany()).filter(isOfSlot), limit);
  }
}
