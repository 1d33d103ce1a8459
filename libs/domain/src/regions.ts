/**
 * Which regions count for a backup: those that the deployment has a vault of. One that was taken out of the configuration
 * holds nobody up, and what lies only there is not relied on.
 */

import type { RecordedEvent } from '@strongroom/contracts';

/** A completed backup and what the ledger knows of its copies. */
export interface BackupAndCopies {
  /** The region it was made in; null before it is. */
  madeIn: string | null;
  copies: readonly { region: string; isCompleted: boolean }[];
}

/**
 * The regions that hold the backup whole, as far as is known: where it was made comes first. A copy that is owed there
 * tells that the region has lost it.
 */
export function regionsHolding({ madeIn, copies }: BackupAndCopies): string[] {
  const isLost = copies.some(({ region, isCompleted }) => region === madeIn && !isCompleted);
  const elsewhere = copies.filter(({ region, isCompleted }) => isCompleted && region !== madeIn);
  return [...(madeIn !== null && !isLost ? [madeIn] : []), ...elsewhere.map(({ region }) => region)];
}

/**
 * Whether every region that is owed the backup holds it, of those that count, and at least one that counts does.
 * @param served the regions that the deployment has a vault of
 */
export function isWhereOwed(
  { copyTo, ...backup }: BackupAndCopies & { copyTo: readonly string[] },
  served: readonly string[],
): boolean {
  const holding = regionsHolding(backup).filter((region) => served.includes(region));
  return holding.length > 0 && copyTo.every((region) => holding.includes(region) || !served.includes(region));
}

/**
 * The newest attempt at a backup itself by the region where it began, from the backup's history. In the vault of such a
 * region the attempts at a copy are numbered on from there, so that of any two the later one has the higher number.
 */
export function attemptsByRegion(history: readonly RecordedEvent[]): Map<string, number> {
  const attempts = new Map<string, number>();
  for (const event of history) {
    if (event.type !== 'BackupStarted') continue;
    const { region, attempt } = event.data;
    attempts.set(region, Math.max(attempt, attempts.get(region) ?? 0));
  }
  return attempts;
}
