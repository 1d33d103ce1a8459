/** `strongroom show`: prints what a backup in a vault says of itself. */
import { isEncrypted } from '@strongroom/contracts';
import { notHeld } from '@strongroom/vault';
import type { Command } from 'commander';
import { encryptedFor } from './encrypted-for.js';
import { sayJson } from './output.js';
import { type VaultOptions, vaultOf, withVault } from './vault-options.js';

export function addShow(program: Command): void {
  withVault(program.command('show'))
    .description('Print the manifest of a backup in a vault, for whom it is encrypted, and its SHA-256, as JSON.')
    .option('--json', 'print it as JSON, as without this option')
    .action(async (backupId: string, options: VaultOptions) => {
      const vault = vaultOf(options);
      const sealed = await vault.manifest(backupId);
      if (!sealed) throw notHeld(backupId, options.from);
      const holders = isEncrypted(sealed.manifest) ? await encryptedFor(vault, backupId) : null;
      const lockedUntil = vault.keeps ? await vault.keptUntil(backupId) : undefined;
      sayJson(
        { ...sealed.manifest, encryptedFor: holders, sha256: sealed.sha256, ...(lockedUntil && { lockedUntil }) },
        2,
      );
    });
}
