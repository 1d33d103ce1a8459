/** The runs of schedules: what became of each slot. */
import { idOf, type RecordedEvent } from '@strongroom/contracts';
import { type DataSource, EntitySchema } from 'typeorm';
import { cut, type Page, type PageRequest, unchanged, type View, type ViewRow } from './view.js';

export type RunOutcome = 'ran' | 'skipped' | 'missed';

/** A run's id is its backup's id, whether there came to be a backup or not. */
export interface RunRow extends ViewRow {
  instanceId: string;
  scheduleId: string;
  slotAt: Date;
  outcome: RunOutcome;
  /** Why there is no backup. */
  reason: string | null;
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
    slotAt: { type: 'timestamptz', name: 'slot_at' },
    outcome: { type: 'text' },
    reason: { type: 'text', nullable: true },
    createdAt: { type: 'timestamptz', name: 'created_at' },
    version: { type: 'integer' },
  },
});

export const runView: View<'backup', RunRow> = {
  aggregate: 'backup',
  table: runTable,
  fold: {
    BackupRequested: (_, { accountId, at, version, data: { backupId, instanceId, scheduleId, slotAt } }) =>
      scheduleId === null || slotAt === null
        ? undefined
        : {
            id: backupId,
            accountId,
            instanceId,
            scheduleId,
            slotAt: new Date(slotAt),
            outcome: 'ran',
            reason: null,
            createdAt: new Date(at),
            version,
          },
    SlotSkipped: (_, event) => passed('skipped', event),
    SlotMissed: (_, event) => passed('missed', event),
    BackupStarted: unchanged,
    BackupCompleted: unchanged,
    BackupFailed: unchanged,
    // What became of the slot stays told.
    BackupDeletionRequested: unchanged,
    BackupDeletionFailed: unchanged,
    BackupDeleted: unchanged,
  },
};

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
    createdAt: new Date(at),
    version,
  };
}

export class Runs {
  constructor(private readonly dataSource: DataSource) {}

  /** A schedule's runs, newest slot first, after the marker. Undefined when the marker names no run of the schedule. */
  async page(scheduleId: string, { limit, marker }: PageRequest): Promise<Page<RunRow> | undefined> {
    const query = this.dataSource.manager
      .createQueryBuilder(runTable, 'r')
      .where('r.schedule_id = :scheduleId', { scheduleId })
      .orderBy({ 'r.slot_at': 'DESC' })
      .limit(limit + 1);
    if (marker !== undefined) {
      const last = await this.dataSource.manager.findOneBy(runTable, { scheduleId, id: marker });
      if (!last) return undefined;
      query.andWhere('r.slot_at < :slotAt', { slotAt: last.slotAt });
    }
    return cut(await query.getMany(), limit);
  }
}
