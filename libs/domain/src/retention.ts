/**
 * Which of a schedule's backups are beyond its retention. Cycles are counted: a slot that was planned full and has its backup
 * begins a cycle, and the slots up to the next such slot belong to it. A full backup that was not planned begins no cycle: it
 * does not count, and it replaces no other.
 *
 * Older means made before, and not of an earlier slot, because a wrong clock may have run slots of next year.
 *
 * Only a newer cycle of the same lineage replaces an older one. Nothing goes as long as the newest cycle is not in every region
 * that is owed it, so runs that fail remove nothing. Three kinds of backups always stay: those that somebody asked for, those
 * of an unknown lineage, and those that a backup which stays is built on.
 */
import type { BackupType } from '@strongroom/contracts';

/** A backup of the instance, as retention looks at it. */
export interface JudgedBackup {
  backupId: string;
  parentId: string | null;
  /** Null when the backup is of no slot of the schedule: it was asked for, or is of another schedule. Such a backup stays. */
  slotAt: Date | null;
  /** What the schedule planned for the slot. The backup may have another type. */
  planned: BackupType;
  type: BackupType;
  /** Null when it is not known. */
  lineage: string | null;
  /** An `unended` backup is running. A `delete-failed` one was to be deleted already, and does not count. */
  is: 'unended' | 'completed' | 'delete-failed';
  /** Whether every region that is owed a copy has one, read back and matched. */
  isCopied: boolean;
  /**
   * Two cycles that began nearer to each other than this time of both count as one, in milliseconds. So a schedule that is moved again and
   * again makes no cycles that push the older ones out. Default: 0.
   */
  nearMs?: number;
  /** The backups that it waits for, as was told last. */
  toldWaitsFor?: readonly string[];
}

export interface Retention {
  /** How many cycles of a lineage are kept at least. Each begins with a full backup that is completed and copied. */
  cycles: number;
  /** For each lineage that was accepted, those that it replaces. Their older backups are deleted when it has enough cycles. */
  accepted: ReadonlyMap<string, readonly string[]>;
}

/** A backup that has had its time and stays for now. */
export interface PutOffByRetention {
  backupId: string;
  /**
   * - `copies-missing`: too few newer cycles, or not the newest, are in every region that is owed a copy. One that is not is
   *   named, and stays named while that is true: an outage of weeks is told once, and not with every backup that follows.
   * - `built-on`: backups that stay are built on it.
   */
  ground: 'copies-missing' | 'built-on';
  /** The ids of those backups; never empty. */
  waitsFor: string[];
}

/** What retention decides. Both lists are in the order of making. */
export interface Judgement {
  /** The ids of the backups to delete. What is built on one of them is deleted with it. */
  goes: string[];
  putOff: PutOffByRetention[];
}

interface OfSlot {
  backup: JudgedBackup;
  slotAt: Date;
  isCopied: boolean;
  /** The place in the order of making. */
  place: number;
}

/**
 * @param held the backups of the instance that the vaults hold or that are running, in the order of their making
 * @returns the ids of the backups to delete, in that order. What is built on one of them is deleted with it
 */
export function beyondRetention(held: readonly JudgedBackup[], retention: Retention): string[] {
  return judgeRetention(held, retention).goes;
}

/** @param held the backups of the instance that the vaults hold or that are running, in the order of their making */
export function judgeRetention(held: readonly JudgedBackup[], retention: Retention): Judgement {
  const ofSlots: OfSlot[] = [];
  for (const [place, backup] of held.entries()) {
    const { slotAt, isCopied } = backup;
    if (slotAt) ofSlots.push({ backup, slotAt, isCopied, place });
  }
  const replaced = replacedIn(ofSlots, retention);
  const areAllCopied = ofSlots.every(({ isCopied }) => isCopied);
  const due = areAllCopied
    ? replaced
    : replacedIn(
        ofSlots.map((each) => ({ ...each, isCopied: true })),
        retention,
      );
  if (due.size === 0 && replaced.size === 0) return { goes: [], putOff: [] };
  const staying = held.filter(({ backupId }) => !replaced.has(backupId));
  const needed = neededBy(staying, held);
  const putOff = held.flatMap(({ backupId, is, toldWaitsFor = [] }, place): PutOffByRetention[] => {
    if (is !== 'completed') return [];
    if (replaced.has(backupId)) {
      if (!needed.has(backupId)) return [];
      return [{ backupId, ground: 'built-on', waitsFor: nearestOn(backupId, staying, held) }];
    }
    const lineage = due.get(backupId);
    if (lineage === undefined) return [];
    const newer = begunCycles(ofSlots, lineage).filter((each) => !each.isCopied && each.place > place);
    const told = newer.find((each) => toldWaitsFor.includes(each.backup.backupId));
    const awaited = told ?? newer[0];
    return awaited ? [{ backupId, ground: 'copies-missing', waitsFor: [awaited.backup.backupId] }] : [];
  });
  return {
    goes: held.flatMap(({ backupId }) => (replaced.has(backupId) && !needed.has(backupId) ? backupId : [])),
    putOff,
  };
}

/** The backups that newer cycles replace, each with the lineage of these. Some may be needed by what stays. */
function replacedIn(ofSlots: readonly OfSlot[], { cycles, accepted }: Retention): Map<string, string> {
  const goes = new Map<string, string>();
  for (const lineage of new Set(ofSlots.flatMap(({ backup }) => backup.lineage ?? []))) {
    const keptSince = oldestKept(ofSlots, lineage, cycles);
    if (keptSince === undefined) continue;
    const replaced = accepted.get(lineage) ?? [];
    for (const { backup, place } of ofSlots) {
      const { is, backupId } = backup;
      const isOwn = backup.lineage === lineage;
      const isCounted = isOwn || (backup.lineage !== null && replaced.includes(backup.lineage));
      // A backup that failed before its server was known, and could not be removed, is of no lineage.
      const isAgain = is === 'delete-failed' && (isOwn || backup.lineage === null);
      if (isAgain || (isCounted && is !== 'unended' && place < keptSince)) goes.set(backupId, lineage);
    }
  }
  return goes;
}

/** The full backups that begin the cycles of a lineage, the newest first. */
function begunCycles(ofSlots: readonly OfSlot[], lineage: string): OfSlot[] {
  return ofSlots
    .filter(({ backup }) => backup.lineage === lineage && backup.is === 'completed')
    .filter(({ backup }) => backup.planned === 'full' && backup.type === 'full')
    .reverse();
}

/** Where the oldest cycle begins that a lineage keeps; undefined when it has too few cycles, or the newest is not copied. */
function oldestKept(ofSlots: readonly OfSlot[], lineage: string, kept: number): number | undefined {
  const begun = begunCycles(ofSlots, lineage);
  if (!begun[0]?.isCopied) return undefined;
  // A slot that a wrong clock ran before its time has run twice. It begins one cycle, where it ran first.
  const cycles = new Map<number, Cycle>();
  for (const { backup, slotAt, place, isCopied } of begun) {
    const at = slotAt.getTime();
    const isWhole = isCopied || cycles.get(at)?.isWhole === true;
    cycles.set(at, { slotAt: at, place, nearMs: backup.nearMs ?? 0, isWhole });
  }
  const apart = asOne([...cycles.values()]);
  return apart.length < kept ? undefined : Math.min(...apart.slice(0, kept));
}

interface Cycle {
  slotAt: number;
  place: number;
  nearMs: number;
  /** Whether its full backup is in every region that is owed it. */
  isWhole: boolean;
}

/**
 * Counts cycles that are near each other as one. One that is not whole counts with a whole one that is near, and else it does not count: so a copy
 * that is made at last keeps no backup that would have gone before it.
 * @param cycles the newest first
 * @returns where each begins that counts, the newest first
 */
function asOne(cycles: readonly Cycle[]): number[] {
  const places: number[] = [];
  let newest: { slotAt: number; nearMs: number } | undefined;
  for (const { slotAt, place, nearMs, isWhole } of cycles) {
    const last = places.length - 1;
    if (newest && Math.abs(newest.slotAt - slotAt) < Math.min(newest.nearMs, nearMs)) {
      places[last] = Math.min(places[last] ?? place, place);
      continue;
    }
    if (!isWhole) continue;
    places.push(place);
    newest = { slotAt, nearMs };
  }
  return places;
}

/** Everything that the backups are built on. */
function neededBy(backups: readonly JudgedBackup[], held: readonly JudgedBackup[]): Set<string> {
  const parents = new Map(held.map(({ backupId, parentId }) => [backupId, parentId]));
  const needed = new Set<string>();
  for (const { parentId } of backups) {
    for (let id = parentId; id !== null && !needed.has(id); id = parents.get(id) ?? null) needed.add(id);
  }
  return needed;
}

/** Those that stay and are built on a backup with nothing between that stays as well. */
function nearestOn(backupId: string, staying: readonly JudgedBackup[], held: readonly JudgedBackup[]): string[] {
  const stays = new Set(staying.map((each) => each.backupId));
  const children = new Map<string, string[]>();
  for (const { parentId, backupId: id } of held) {
    if (parentId !== null) children.set(parentId, [...(children.get(parentId) ?? []), id]);
  }
  const found: string[] = [];
  const seen = new Set<string>();
  for (let level = [backupId]; level.length > 0; ) {
    level = level.flatMap((each) => children.get(each) ?? []).filter((id) => !seen.has(id));
    for (const id of level) seen.add(id);
    found.push(...level.filter((id) => stays.has(id)));
    level = level.filter((id) => !stays.has(id));
  }
  return found;
}
