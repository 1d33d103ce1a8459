/** `strongroom verify`: every byte of a backup, and of what it is built on, read where it lies and compared with its manifest. */
import { openChain } from '@strongroom/engines';
import { notHeld, storedBytes } from '@strongroom/vault';
import type { Command } from 'commander';
import { Progress } from './progress.js';
import { type VaultOptions, vaultOf, withVault } from './vault-options.js';

export function addVerify(program: Command): void {
  withVault(program.command('verify'))
    .description(
      'Read every byte of a backup in a vault, and of what it is built on, and compare it with the manifest. Needs no service.',
    )
    .action(async (backupId: string, options: VaultOptions) => {
      const vault = vaultOf(options);
      // An incremental is worth nothing without its parents: one that is missing is found before anything is read.
      const chain = await openChain(vault, backupId);
      for (const { manifest } of chain) {
        const id = manifest.backupId;
        const sealed = await vault.manifest(id);
        if (!sealed) throw notHeld(id, options.from);
        const progress = new Progress(`verifying ${id}`, storedBytes(sealed));
        const { sha256 } = await vault.verify(id, progress.add).finally(() => progress.end());
        process.stdout.write(
          `Backup ${id} in ${options.from} is whole: ${manifest.objects.length} objects, ${progress.summary}.\n` +
            `SHA-256 ${sha256}\n`,
        );
      }
      if (chain.length > 1)
        process.stdout.write(`All ${chain.length} backups that ${backupId} is put together of are whole.\n`);
    });
}
