/** The minimum retention of an account, as its vaults are asked to keep it: it counts from the completion of the backup. */
import type { Vault } from './vault.js';

/**
 * Asks the vault to keep a sealed backup for so long. It comes before the backup or the copy is called completed, so no crash leaves
 * out one that is.
 * @param minimumMs in milliseconds; with 0 nothing is asked for
 * @throws {VaultFault}
 */
export async function keepFor(vault: Vault, backupId: string, minimumMs: number): Promise<void> {
  if (minimumMs === 0) return;
  const sealed = await vault.manifest(backupId);
  if (sealed) await vault.keepUntil(backupId, new Date(Date.parse(sealed.manifest.completedAt) + minimumMs));
}
