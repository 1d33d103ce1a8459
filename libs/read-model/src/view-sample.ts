/** One row of each view, of whichever account: for a process that is to show that it can read. */
import { type DataSource, In, Not } from 'typeorm';
import { backupTable, isShownStatus } from './backup-row.js';
import type { ShownBackup } from './backups.js';
import { type InstanceRow, instanceTable } from './instance-view.js';
import { type ScheduleRow, scheduleTable } from './schedule-view.js';

/** What there is of each; undefined where there is none. */
export interface ViewSample {
  schedule: ScheduleRow | undefined;
  backup: ShownBackup | undefined;
  instance: InstanceRow | undefined;
}

export async function sampleOfViews({ manager }: DataSource): Promise<ViewSample> {
  const [schedule] = await manager.find(scheduleTable, { take: 1 });
  const [instance] = await manager.find(instanceTable, { take: 1 });
  const [backup] = await manager.find(backupTable, { where: { status: Not(In(['MARKED', 'DELETING'])) }, take: 1 });
  const status = backup?.status;
  const shown = backup && status && isShownStatus(status) ? { ...backup, status } : undefined;
  return { schedule, instance, backup: shown };
}
