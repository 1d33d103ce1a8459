/**
 * What can be restored, from where: for an instance and a region, the newest backup that the region holds with everything that it is built on.
 * It is computed from the backups that were read so far, and says so when these do not tell.
 */
import type { BackupResource, CopyResource } from '@strongroom/contracts';

/** What is kept of a backup. */
export interface KnownBackup {
  id: string;
  instanceId: string;
  scheduleId: string | null;
  parentId: string | null;
  status: BackupResource['status'];
  faultMessage: string | null;
  createdAt: string;
  /** Null until it is completed. */
  completedAt: string | null;
  /** By region that holds all of its bytes: when they were last proven, or null when that is not known. */
  wholeIn: ReadonlyMap<string, string | null>;
  /** By region that does not hold it: how its copy stands. */
  owedTo: ReadonlyMap<string, Pick<CopyResource, 'status' | 'state'>>;
}

export function knownBackup(backup: BackupResource): KnownBackup {
  const copies = new Map(backup.copies.map((copy) => [copy.region, copy]));
  const whole = backup.whole_in.map((region) => {
    const copy = copies.get(region);
    return [region, copy ? copy.verified_at : backup.verified_at] as const;
  });
  const owed = backup.copies.filter(({ region }) => !backup.whole_in.includes(region));
  return {
    id: backup.id,
    instanceId: backup.instance_id,
    scheduleId: backup.schedule_id,
    parentId: backup.parent_id,
    status: backup.status,
    faultMessage: backup.fault?.message ?? null,
    createdAt: backup.created,
    completedAt: backup.status === 'COMPLETED' ? backup.completed : null,
    wholeIn: new Map(whole),
    owedTo: new Map(owed.map(({ region, status, state }) => [region, { status, state }])),
  };
}

export type Cell =
  /** `verifiedAt` is when the least lately proven part of its chain was proven. */
  | { is: 'restorable'; backupId: string; at: string; verifiedAt: string | null; isOld: boolean; newer: Newer | null }
  | { is: 'nothing'; newer: Newer | null }
  /** The schedule does not copy there, and nothing is there. */
  | { is: 'not-wanted' }
  /** What was read so far does not tell. */
  | { is: 'unknown' };

/** What stands in the way of a newer restorable point in the region. */
export type Newer = 'on-its-way' | 'lost' | 'failed';

export interface Asked {
  region: string;
  isWanted: boolean;
  /** The backups of the instance, the newest first. */
  backups: readonly KnownBackup[];
  /** Whether every backup of the account was read. */
  isAllRead: boolean;
  now: Date;
}

/** Schedules run every day. A point is old when the next one should have been there for half a day. */
export const oldAfterMs = 36 * 3_600_000;

export function cellOf({ region, isWanted, backups, isAllRead, now }: Asked): Cell {
  const byId = new Map(backups.map((backup) => [backup.id, backup]));
  let newer: Newer | null = null;
  for (const backup of backups) {
    if (backup.completedAt === null) continue;
    const chain = chainIn(region, backup, byId);
    if (chain === 'not-read' && !isAllRead) return { is: 'unknown' };
    if (typeof chain === 'string') {
      newer ??= whyNot(region, backup);
      continue;
    }
    const isOld = now.getTime() - Date.parse(backup.completedAt) > oldAfterMs;
    return { is: 'restorable', backupId: backup.id, at: backup.completedAt, verifiedAt: earliest(chain), isOld, newer };
  }
  if (!isAllRead) return { is: 'unknown' };
  return isWanted || newer !== null ? { is: 'nothing', newer } : { is: 'not-wanted' };
}

/** When each part of the chain was last proven in the region; or that a part is not there, or was not read. */
function chainIn(
  region: string,
  backup: KnownBackup,
  byId: ReadonlyMap<string, KnownBackup>,
): (string | null)[] | 'not-there' | 'not-read' {
  const proven: (string | null)[] = [];
  for (let part: KnownBackup | undefined = backup; part; ) {
    const provenAt = part.wholeIn.get(region);
    if (provenAt === undefined) return 'not-there';
    proven.push(provenAt);
    if (part.parentId === null) return proven;
    part = byId.get(part.parentId);
  }
  return 'not-read';
}

function whyNot(region: string, { owedTo }: KnownBackup): Newer | null {
  const owed = owedTo.get(region);
  if (!owed) return null;
  if (owed.state === 'LOST') return 'lost';
  return owed.status === 'FAILED' ? 'failed' : 'on-its-way';
}

/** Null when one of them is not known. */
function earliest(instants: readonly (string | null)[]): string | null {
  let found: string | null = null;
  for (const instant of instants) {
    if (instant === null) return null;
    if (found === null || instant < found) found = instant;
  }
  return found;
}
