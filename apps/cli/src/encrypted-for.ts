/** Whose keys open an encrypted backup, as its keys say. They are not proven until somebody opens them. */
import { EncryptionFault, readKeys } from '@strongroom/encryption';
import type { Vault } from '@strongroom/vault';

/** @returns nobody when the keys are not there, or can't be read */
export async function encryptedFor(vault: Vault, backupId: string): Promise<string[]> {
  const found = await vault.keys(backupId, 'backup');
  if (!found) return [];
  try {
    return readKeys(found.bytes).recipients.map(({ id, name }) => name ?? id);
  } catch (error) {
    if (error instanceof EncryptionFault) return [];
    throw error;
  }
}
