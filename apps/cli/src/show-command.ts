/** `strongroom show`: prints what a backup in a vault says of itself. */
import { notHeld } from '@strongroom/vault';
import type { Command } from 'commander';
import { sayJson } from './output.js';
import { type VaultOptions, vaultOf, withVault } from './vault-options.js';

export function addShow(program: Command): void {
  withVault(program.command('show'))
    .description('Print the manifest of a backup in a vault, and its SHA-256, as JSON.')
    .action(async (backupId: string, options: VaultOptions) => {
      const sealed = await vaultOf(options).manifest(backupId);
      if (!sealed) throw notHeld(backupId, options.from);
      sayJson({ ...sealed.manifest, sha256: sealed.sha256 }, 2);
    });
}
