/** Rows of the read model as the contract's resources. */
import type {
  BackupResource,
  CopyResource,
  InstanceResource,
  LineageResource,
  RunResource,
  ScheduleResource,
} from '@strongroom/contracts';
import { copyId, nextSlot, scheduledBackupId } from '@strongroom/domain';
import type {
  InstanceRow,
  LineageRow,
  ScheduleActivity,
  ScheduleRow,
  ShownBackup,
  ShownCopy,
  SlotRun,
} from '@strongroom/read-model';
import type { JobProgress } from '@strongroom/runtime';
import { v5 } from 'uuid';

const datastoreVersions = '3c1e9c1c-2a55-5a86-8a5c-6d6a2f6d2b0f';
const bytesOfGb = 1_000_000_000;

/** Schedules write UTC without saying so, to the second, as the reference does. */
const toSecond = (at: Date) => at.toISOString().slice(0, 19);
const utc = (at: Date) => at.toISOString();
const utcOrNull = (at: Date | null) => at && utc(at);

export function scheduleResource(
  row: ScheduleRow,
  activity: ScheduleActivity | undefined,
  now: Date,
): ScheduleResource {
  return {
    action: 'backup',
    created: toSecond(row.createdAt),
    day_of_month: null,
    day_of_week: row.dayOfWeek,
    full_backup_retention: row.fullBackupRetention,
    hour: row.hour,
    id: row.id,
    instance_id: row.instanceId,
    last_scheduled: activity?.lastRunAt ? toSecond(activity.lastRunAt) : null,
    minute: row.minute,
    month: null,
    next_run: row.paused ? null : toSecond(nextSlot(row, now)),
    running: activity?.running ? 1 : 0,
    source: { id: row.instanceId, type: 'instance' },
    updated: toSecond(row.updatedAt),
    copy_to: row.copyTo,
    paused: row.paused,
    version: row.version,
  };
}

export function backupResource(
  row: ShownBackup,
  copies: CopyResource[],
  progress: JobProgress | undefined,
): BackupResource {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    status: row.status,
    created: utc(row.createdAt),
    updated: utc(row.updatedAt),
    instance_id: row.instanceId,
    source: { id: row.instanceId, type: 'instance' },
    parent_id: row.type === 'full' ? null : row.parentId,
    size: row.sizeBytes === null ? null : row.sizeBytes / bytesOfGb,
    size_bytes: row.sizeBytes,
    locationRef: whereItLies(row, copies),
    datastore: {
      type: row.datastoreType,
      version: row.datastoreVersion,
      version_id: v5(`${row.datastoreType} ${row.datastoreVersion}`, datastoreVersions),
    },
    is_automated: row.scheduleId === null ? 0 : 1,
    type: row.type,
    schedule_id: row.scheduleId,
    checksum: row.sha256,
    made_full: madeFullResource(row.madeFull),
    lineage: row.lineage,
    another_server: row.anotherServer && anotherServerResource({ backupId: row.id, ...row.anotherServer }),
    progress: row.status === 'COMPLETED' ? 100 : row.status === 'BUILDING' ? percent(progress) : 0,
    fault: row.fault && { code: row.fault.code, message: row.fault.reason },
    started: utcOrNull(row.startedAt),
    completed: row.status === 'COMPLETED' ? utcOrNull(row.endedAt) : null,
    copies,
  };
}

export function copyResource(row: ShownCopy, progress: JobProgress | undefined): CopyResource {
  const completed = row.status === 'COMPLETED';
  return {
    id: row.id,
    region: row.region,
    source_region: row.sourceRegion,
    status: row.status,
    progress: completed ? 100 : row.status === 'COPYING' ? percent(progress) : 0,
    attempt: row.attempt,
    size_bytes: row.sizeBytes,
    checksum: completed ? row.sha256 : null,
    verified: completed,
    locationRef: locationRef(row.region, row.location),
    fault: row.fault && { code: row.fault.code, message: row.fault.reason },
    retry_at: utcOrNull(row.retryAt),
    created: utc(row.createdAt),
    updated: utc(row.updatedAt),
    started: utcOrNull(row.startedAt),
    completed: completed ? utcOrNull(row.endedAt) : null,
  };
}

/** A copy that is owed and not planned yet, as it will be: shown from the request on, so that nobody takes none for all. */
export function owedCopyResource({ id, createdAt, updatedAt }: ShownBackup, region: string): CopyResource {
  return {
    id: copyId(id, region),
    region,
    source_region: null,
    status: 'PENDING',
    progress: 0,
    attempt: 0,
    size_bytes: null,
    checksum: null,
    verified: false,
    locationRef: null,
    fault: null,
    retry_at: null,
    created: utc(createdAt),
    updated: utc(updatedAt),
    started: null,
    completed: null,
  };
}

export function instanceResource(
  row: InstanceRow,
  isBackedUp: boolean,
  schedule: ScheduleResource | null,
  lineages: LineageRow[],
): InstanceResource {
  const shown = lineages.map((lineage) => lineageResource(lineage, row));
  return {
    id: row.id,
    name: row.name,
    status: isBackedUp ? 'BACKUP' : row.status,
    fault: row.fault && { code: row.fault.code, message: row.fault.reason },
    datastore: { type: row.datastoreType, version: row.datastoreVersion },
    // Known clients read these of every instance; a registered server has neither.
    flavor: { id: '0', links: [] },
    volume: { size: 0 },
    hostname: row.endpoint?.host ?? null,
    port: row.endpoint?.port ?? null,
    created: utc(row.createdAt),
    updated: utc(row.updatedAt),
    schedule,
    lineages: shown,
    warning: warningOf(shown),
    links: [],
  };
}

function lineageResource(lineage: LineageRow, { accepted }: InstanceRow): LineageResource {
  return {
    id: lineage.id,
    backups: lineage.backups,
    newest_backup_id: lineage.newestBackupId,
    first_completed: utc(lineage.firstCompletedAt),
    last_completed: utc(lineage.lastCompletedAt),
    current: lineage.isNewest,
    in_place_of: accepted.find((each) => each.lineage === lineage.id)?.inPlaceOf ?? [],
    another_server: lineage.anotherServer && anotherServerResource(lineage.anotherServer),
  };
}

function warningOf([current, ...others]: LineageResource[]): string | null {
  if (!current?.current) return null;
  const apart = others.filter(({ id }) => !current.in_place_of.includes(id)).map(({ id }) => id);
  if (apart.length === 0) return null;
  return `The server behind the instance is another one than that of lineage ${apart.join(', ')}, of which there are backups. Retention counts each lineage apart. If this server, lineage ${current.id}, is the one that is meant, accept-lineage lets the others' backups go in time; if it is not, mend the address.`;
}

function anotherServerResource({
  backupId,
  formerLineage,
  formerBackupId,
  reason,
}: NonNullable<LineageRow['anotherServer']>): NonNullable<BackupResource['another_server']> {
  return { backup_id: backupId, former_lineage: formerLineage, former_backup_id: formerBackupId, reason };
}

function madeFullResource(madeFull: ShownBackup['madeFull']): BackupResource['made_full'] {
  return madeFull && { planned_parent_id: madeFull.plannedParentId, ground: madeFull.ground, reason: madeFull.reason };
}

/** @param backup what came of the run, unless it was deleted */
export function runResource(row: SlotRun, backup: BackupResource | undefined): RunResource {
  return {
    id: row.id,
    slot: utc(row.slotAt),
    outcome: row.outcome,
    reason: row.reason,
    made_full: madeFullResource(row.madeFull),
    backup_id: row.outcome === 'ran' ? row.id : null,
    backup_status: backup?.status ?? null,
    copies: backup?.copies.map(({ region, status }) => ({ region, status })) ?? [],
  };
}

/** Its id is known already: the one that the slot gives to what becomes of it. */
export function comingRun(scheduleId: string, slotAt: Date): RunResource {
  return {
    id: scheduledBackupId(scheduleId, slotAt),
    slot: utc(slotAt),
    outcome: 'coming',
    reason: null,
    made_full: null,
    backup_id: null,
    backup_status: null,
    copies: [],
  };
}

/** What is done is never called 100 before it is completed. */
function percent(progress: JobProgress | undefined): number {
  if (!progress?.totalBytes) return 0;
  return Math.min(99, Math.floor((progress.doneBytes / progress.totalBytes) * 100));
}

/** What was put back into the region where it was made lies elsewhere in its vault than it did. */
function whereItLies({ region, location }: ShownBackup, copies: readonly CopyResource[]): string | null {
  const putBack = copies.find((copy) => copy.region === region && copy.status === 'COMPLETED');
  return putBack ? putBack.locationRef : locationRef(region, location);
}

function locationRef(region: string | null, location: string | null): string | null {
  return region && location && `strongroom://${region}/${location}`;
}
