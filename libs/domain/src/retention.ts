/**
 * Which of a schedule's backups have had their time. What is counted are cycles: a slot that was planned full and whose
 * backup is there begins one, and the slots up to the next belong to it. A full that was not planned, be it promoted or
 * asked for, is no cycle: it neither counts nor takes another's place.
 *
 * What is older is what was made before, not what is of an earlier slot: a clock that was wrong may have run slots of next
 * year.
 *
 * Only a newer cycle that is proven takes the place of an older one of its own lineage: as long as the newest is not in
 * every region where it is owed nothing goes, and failing runs take nothing with them. Nothing goes that somebody asked
 * for, that is of an unknown lineage, or that something which stays is built on.
 */
import type { BackupType } from '@strongroom/contracts';

/** A backup of the instance. */
export interface HeldBackup {
  backupId: string;
  parentId: string | null;
  /** Null for one that is of no slot of the schedule: asked for, or of another schedule. It stays. */
  slotAt: Date | null;
  /** What its schedule asked of its slot, whatever it came to be. */
  planned: BackupType;
  type: BackupType;
  /** Which history of which server it is a state of; null when that is not known. */
  lineage: string | null;
  /** `unended` is running; `delete-failed` was to go already, and is not to be relied on. */
  is: 'unended' | 'completed' | 'delete-failed';
  /** Whether every region that is owed a copy has one, read back and matched. */
  isCopied: boolean;
}

export interface Retention {
  /** How many cycles of a lineage are kept at least, each begun by a full that is completed and copied. */
  cycles: number;
  /** In place of which other lineages a lineage was accepted: as soon as it has its cycles, theirs that are older go. */
  accepted: ReadonlyMap<string, readonly string[]>;
}

interface OfSlot extends HeldBackup {
  slotAt: Date;
  /** Rises with the order of making. */
  place: number;
}

/**
 * @param held everything of the instance that the vaults hold or that is running, in the order of its making
 * @returns the ids of those to delete, in that order: with a backup goes everything that is built on it
 */
export function beyondRetention(held: readonly HeldBackup[], retention: Retention): string[] {
  const ofSlots = held.flatMap(({ slotAt, ...backup }, place) => (slotAt ? [{ ...backup, slotAt, place }] : []));
  const goes = new Set<string>();
  for (const lineage of new Set(ofSlots.flatMap((backup) => backup.lineage ?? []))) {
    const keptSince = oldestKept(ofSlots, lineage, retention.cycles);
    if (keptSince === undefined) continue;
    const replaced = retention.accepted.get(lineage) ?? [];
    for (const backup of ofSlots) {
      const { is, place, backupId } = backup;
      const isOwn = backup.lineage === lineage;
      const isCounted = isOwn || (backup.lineage !== null && replaced.includes(backup.lineage));
      // What failed before anything was known of its server, and could not be removed, is of no lineage.
      const isAgain = is === 'delete-failed' && (isOwn || backup.lineage === null);
      if (isAgain || (isCounted && is !== 'unended' && place < keptSince)) goes.add(backupId);
    }
  }
  for (const needed of neededBy(
    held.filter(({ backupId }) => !goes.has(backupId)),
    held,
  ))
    goes.delete(needed);
  return held.flatMap(({ backupId }) => (goes.has(backupId) ? backupId : []));
}

/** The place where the oldest cycle begins that a lineage keeps; undefined when it has no more than it keeps, or the newest is not copied. */
function oldestKept(ofSlots: readonly OfSlot[], lineage: string, cycles: number): number | undefined {
  const begun = ofSlots
    .filter((each) => each.lineage === lineage && each.is === 'completed')
    .filter(({ planned, type }) => planned === 'full' && type === 'full')
    .reverse();
  if (!begun[0]?.isCopied) return undefined;
  // A slot that a wrong clock had run before its time has run twice, and begins one cycle: where it ran first.
  const whole = new Map<number, number>();
  for (const { slotAt, place, isCopied } of begun) if (isCopied) whole.set(slotAt.getTime(), place);
  return whole.size < cycles ? undefined : Math.min(...[...whole.values()].slice(0, cycles));
}

/** Everything that the backups are built on. */
function neededBy(backups: readonly HeldBackup[], held: readonly HeldBackup[]): Set<string> {
  const parents = new Map(held.map(({ backupId, parentId }) => [backupId, parentId]));
  const needed = new Set<string>();
  for (const { parentId } of backups) {
    for (let id = parentId; id !== null && !needed.has(id); id = parents.get(id) ?? null) needed.add(id);
  }
  return needed;
}
