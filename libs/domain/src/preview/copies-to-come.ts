/** What a change of a schedule's regions means for copies: each backup is copied to the regions that the schedule names at its slot. */
import { chainAbove, type Link } from '../chains.js';
import { regionsHolding } from '../regions.js';
import type { ComingRun } from './coming-runs.js';
import { isThere, newestOf, type PreviewBasis } from './projection.js';

export interface CopiesToCome {
  region: string;
  change: 'added' | 'removed';
  /** The first slot whose backup is copied there; null when none is. */
  fromSlot: Date | null;
  /** The ids of the backups that come there first, because that one is built on them; the newest first. */
  copiedFirst: string[];
  /** How many backups of the schedule the region holds: they stay. */
  kept: number;
  /** How many copies of backups of the schedule are still being made there. */
  underWay: number;
}

/** @param first the first run of the changed schedule that is not skipped; undefined when there is none */
export function copiesToCome(
  basis: PreviewBasis,
  before: readonly string[],
  after: readonly string[],
  first: ComingRun | undefined,
): CopiesToCome[] {
  const own = basis.backups.filter((each) => isThere(each) && each.scheduleId === basis.scheduleId);
  const changed = [
    ...after.filter((region) => !before.includes(region)).map((region) => ({ region, change: 'added' as const })),
    ...before.filter((region) => !after.includes(region)).map((region) => ({ region, change: 'removed' as const })),
  ];
  return changed.map(({ region, change }) => ({
    region,
    change,
    fromSlot: (change === 'added' && first?.slotAt) || null,
    copiedFirst: change === 'added' && first?.outcome === 'incremental' ? missingIn(region, basis) : [],
    kept: own.filter(({ id }) => isIn(region, id, basis)).length,
    underWay: own.filter(({ id }) =>
      (basis.copies.get(id) ?? []).some((copy) => copy.region === region && copy.isComing),
    ).length,
  }));
}

/** What the newest backup is built on, and that one itself, as far as the region does not have it. */
function missingIn(region: string, basis: PreviewBasis): string[] {
  const newest = newestOf(basis);
  const links: readonly Link[] = basis.backups;
  return newest ? chainAbove(newest.id, links).flatMap(({ id }) => (isIn(region, id, basis) ? [] : id)) : [];
}

function isIn(region: string, id: string, { backups, copies }: PreviewBasis): boolean {
  const madeIn = backups.find((each) => each.id === id)?.region ?? null;
  return regionsHolding({ madeIn, copies: copies.get(id) ?? [] }).includes(region);
}

export function whyCopies({ region, change, fromSlot, copiedFirst }: CopiesToCome): string {
  if (change === 'removed') {
    return `No backup from now on is copied to ${region}. What is there stays, and goes together with its backup.`;
  }
  if (!fromSlot) return `No run is to come, so nothing is copied to ${region}.`;
  const later = `The backups from the slot of ${fromSlot.toISOString()} on are copied to ${region}, and no earlier one`;
  return copiedFirst.length === 0 ? `${later}.` : `${later} but those that the first of them is built on.`;
}
