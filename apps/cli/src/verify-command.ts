/** `strongroom verify`: every byte of a backup read where it lies and compared with its manifest. */
import { storedBytes } from '@strongroom/vault';
import type { Command } from 'commander';
import { megabytes, Progress } from './progress.js';
import { backupIdArgument, collectVault, type VaultOptions, vaultOf } from './vault-options.js';

export function addVerify(program: Command): void {
  program
    .command('verify')
    .description('Read every byte of a backup in a vault and compare it with the manifest. Needs no service.')
    .argument('<backup-id>', 'the backup, a UUID', backupIdArgument)
    .requiredOption('--from <region>', 'the region whose vault to read, such as IAD')
    .option(
      '--vault <region=url>',
      'where a vault is; default: STRONGROOM_VAULTS, else .strongroom/stack.json',
      collectVault,
      [],
    )
    .action(async (backupId: string, options: VaultOptions) => {
      const vault = vaultOf(options);
      const sealed = await vault.manifest(backupId);
      const progress = new Progress('verifying', sealed ? storedBytes(sealed) : 0);
      const { sha256, manifest } = await vault.verify(backupId, progress.add).finally(() => progress.end());
      const { bytes, seconds } = progress.end();
      process.stdout.write(
        `Backup ${backupId} in ${options.from} is whole: ${manifest.objects.length} objects, ${megabytes(bytes)} read in ${seconds.toFixed(1)} s.\n` +
          `SHA-256 ${sha256}\n`,
      );
    });
}
