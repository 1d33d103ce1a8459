/**
 * Which regions count for a backup: those for which the deployment has a vault. A region that was taken out of the
 * configuration holds nothing up, and what lies only there does not count.
 */

import type { RecordedEvent } from '@strongroom/contracts';

/** A backup and what the ledger knows of its copies. */
export interface BackupAndCopies {
  /** The region where it was made; null before it has completed. */
  madeIn: string | null;
  copies: readonly { region: string; isCompleted: boolean }[];
}

/**
 * The regions that hold the whole backup, as far as the ledger knows. The region where it was made comes first, unless a
 * copy is owed to it: then that region has lost the backup.
 */
export function regionsHolding({ madeIn, copies }: BackupAndCopies): string[] {
  const isLost = copies.some(({ region, isCompleted }) => region === madeIn && !isCompleted);
  const elsewhere = copies.filter(({ region, isCompleted }) => isCompleted && region !== madeIn);
  return [...(madeIn !== null && !isLost ? [madeIn] : []), ...elsewhere.map(({ region }) => region)];
}

/**
 * Whether every region that counts and is owed the backup holds it, and at least one region that counts does.
 * @param served the regions for which the deployment has a vault
 */
export function isWhereOwed(
  { copyTo, ...backup }: BackupAndCopies & { copyTo: readonly string[] },
  served: readonly string[],
): boolean {
  const holding = regionsHolding(backup).filter((region) => served.includes(region));
  return holding.length > 0 && copyTo.every((region) => holding.includes(region) || !served.includes(region));
}

/**
 * The number of the newest attempt at the backup itself, for each region where one began or where the backup was found. In the vault of such a region the
 * attempts at a copy go on with the next numbers. So the later of any two attempts has the higher number.
 */
export function attemptsByRegion(history: readonly RecordedEvent[]): Map<string, number> {
  const attempts = new Map<string, number>();
  for (const event of history) {
    if (event.type !== 'BackupStarted' && event.type !== 'BackupCatalogued') continue;
    const { region, attempt } = event.data;
    attempts.set(region, Math.max(attempt, attempts.get(region) ?? 0));
  }
  return attempts;
}
