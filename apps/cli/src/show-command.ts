/** `strongroom show`: prints what a backup in a vault says of itself. */
import { notHeld } from '@strongroom/vault';
import type { Command } from 'commander';
import { sayJson } from './output.js';
import { type VaultOptions, vaultOf, withVault } from './vault-options.js';

export function addShow(program: Command): void {
  withVault(program.command('show'))
    .description('Print the manifest of a backup in a vault, its SHA-256, and until when the store keeps it, as JSON.')
    .action(async (backupId: string, options: VaultOptions) => {
      const vault = vaultOf(options);
      const sealed = await vault.manifest(backupId);
      if (!sealed) throw notHeld(backupId, options.from);
      const lockedUntil = vault.keeps ? await vault.keptUntil(backupId) : undefined;
      sayJson({ ...sealed.manifest, sha256: sealed.sha256, ...(lockedUntil && { lockedUntil }) }, 2);
    });
}
