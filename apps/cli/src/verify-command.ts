/** `strongroom verify`: every byte of a backup read where it lies and compared with its manifest. */
import { storedBytes } from '@strongroom/vault';
import type { Command } from 'commander';
import { Progress } from './progress.js';
import { type VaultOptions, vaultOf, withVault } from './vault-options.js';

export function addVerify(program: Command): void {
  withVault(program.command('verify'))
    .description('Read every byte of a backup in a vault and compare it with the manifest. Needs no service.')
    .action(async (backupId: string, options: VaultOptions) => {
      const vault = vaultOf(options);
      const sealed = await vault.manifest(backupId);
      const progress = new Progress('verifying', sealed ? storedBytes(sealed) : 0);
      const { sha256, manifest } = await vault.verify(backupId, progress.add).finally(() => progress.end());
      process.stdout.write(
        `Backup ${backupId} in ${options.from} is whole: ${manifest.objects.length} objects, ${progress.summary}.\n` +
          `SHA-256 ${sha256}\n`,
      );
    });
}
