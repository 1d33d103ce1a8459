/** Ids that are made from what they name. Two processes that decide about the same thing decide it on the same stream. */
import { v5 } from 'uuid';

const scheduledBackups = 'b5a9c8a4-6d07-5c8c-9d0c-0c1c6b1f3e11';
const copies = '6f2d3c55-7b0a-5c7e-8a55-51b1d0d8a9c2';

/**
 * The id of the backup for one slot of a schedule, or of what became of the slot instead. So a slot runs once, no matter which
 * process decides it.
 * @param again how often the slot was decided before its time because a clock was wrong; such an outcome does not count
 */
export function scheduledBackupId(scheduleId: string, slotAt: Date, again = 0): string {
  const slot = `${scheduleId} ${slotAt.toISOString()}`;
  return v5(again === 0 ? slot : `${slot} ${again}`, scheduledBackups);
}

/** The id of a backup's copy in a region. A region is owed one copy, however often it is asked for. */
export function copyId(backupId: string, region: string): string {
  return v5(`${backupId} ${region}`, copies);
}
