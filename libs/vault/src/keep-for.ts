/** The minimum retention of an account, as its vaults are asked to keep it: it counts from the completion of the backup. */
import type { SealedManifest, Vault } from './vault.js';

/**
 * Asks the vault to keep a sealed backup for so long. It comes before the backup or the copy is called completed, so no crash leaves
 * out one that is.
 * @param minimumMs in milliseconds; with 0 nothing is asked for
 * @throws {VaultFault}
 */
export async function keepFor(vault: Vault, backupId: string, minimumMs: number): Promise<void> {
  if (minimumMs === 0 || !vault.keeps) return;
  const sealed = await vault.manifest(backupId);
  if (sealed) await vault.keepUntil(backupId, endOf(sealed, minimumMs));
}

/**
 * Looks whether the vault keeps a sealed backup for as long as it should, and has it kept when it does not: the minimum may have
 * grown, or the lock of the vault may be newer than the backup.
 * @param minimumMsOf the minimum of an account, in milliseconds
 * @returns until when it is kept from now on; undefined when nothing was changed
 * @throws {VaultFault}
 */
export async function keepAsLong(
  vault: Vault,
  backupId: string,
  minimumMsOf: (accountId: string) => number,
): Promise<Date | undefined> {
  if (!vault.keeps) return undefined;
  const sealed = await vault.manifest(backupId);
  const minimumMs = sealed ? minimumMsOf(sealed.manifest.accountId) : 0;
  if (!sealed || minimumMs === 0) return undefined;
  const until = endOf(sealed, minimumMs);
  // A store counts in whole seconds.
  const kept = await vault.keptUntil(backupId);
  if (until <= new Date() || (kept && kept.getTime() + 1_000 > until.getTime())) return undefined;
  return (await vault.keepUntil(backupId, until)) ? until : undefined;
}

function endOf({ manifest }: SealedManifest, minimumMs: number): Date {
  return new Date(Date.parse(manifest.completedAt) + minimumMs);
}
