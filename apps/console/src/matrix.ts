/** The rows of the screen Restorable: a schedule each, with a cell for each region. */
import type { ScheduleResource } from '@strongroom/contracts';
import type { Known } from './account.js';
import { type Cell, cellOf, type KnownBackup } from './restorable.js';

export interface Row {
  schedule: ScheduleResource;
  name: string;
  /** In the order of the regions. */
  cells: readonly { region: string; cell: Cell }[];
}

/** The schedules, by the name of their instance. */
export function rowsOf(known: Known, now: Date): Row[] {
  const rows = [...known.schedules.values()].map((schedule) => {
    const backups = known.backups.get(schedule.instance_id) ?? [];
    const cells = known.regions.map(({ name: region, home }) => {
      const isWanted = home || schedule.copy_to.includes(region);
      return { region, cell: cellOf({ region, isWanted, backups, isAllRead: known.isAllRead, now }) };
    });
    return { schedule, name: nameOf(known, schedule), cells };
  });
  return rows.sort((a, b) => byName(a.name, b.name) || (a.schedule.id < b.schedule.id ? -1 : 1));
}

/** Whether the backups that were read tell everything that is shown of the regions in which backups are wanted. */
export function isResolved(known: Known): boolean {
  const wanted = (row: Row) =>
    row.cells.filter(({ region }) => row.schedule.copy_to.includes(region) || isHome(known, region));
  return rowsOf(known, new Date()).every((row) => wanted(row).every(({ cell }) => cell.is !== 'unknown'));
}

function isHome({ regions }: Known, name: string): boolean {
  return regions.some((region) => region.home && region.name === name);
}

/** As people count: server-2 comes before server-10. */
export const byName = new Intl.Collator(undefined, { numeric: true }).compare;

export function nameOf(known: Known, { instance_id }: ScheduleResource): string {
  return known.instances.get(instance_id)?.name ?? instance_id;
}

/** The newest backup that the schedule has asked for, of those that were read. */
export function lastBackupOf(known: Known, { id, instance_id }: ScheduleResource): KnownBackup | undefined {
  return known.backups.get(instance_id)?.find(({ scheduleId }) => scheduleId === id);
}
