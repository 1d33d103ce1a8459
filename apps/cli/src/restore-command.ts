/** `strongroom restore`: a backup from a vault into a folder. */
import { resolve } from 'node:path';
import { restoreBackup } from '@strongroom/engines';
import type { Command } from 'commander';
import { megabytes, Progress } from './progress.js';
import { backupIdArgument, collectVault, type VaultOptions, vaultOf } from './vault-options.js';

export function addRestore(program: Command): void {
  program
    .command('restore')
    .description('Restore a backup from a vault into a folder, checking every file. Needs no service.')
    .argument('<backup-id>', 'the backup, a UUID', backupIdArgument)
    .requiredOption('--from <region>', 'the region whose vault to read, such as IAD')
    .requiredOption('--to <directory>', 'an empty or new folder')
    .option(
      '--vault <region=url>',
      'where a vault is; default: STRONGROOM_VAULTS, else .strongroom/stack.json',
      collectVault,
      [],
    )
    .action(async (backupId: string, options: VaultOptions & { to: string }) => {
      const vault = vaultOf(options);
      const directory = resolve(options.to);
      const sealed = await vault.manifest(backupId);
      const total = sealed?.manifest.objects.reduce((sum, { rawBytes }) => sum + rawBytes, 0) ?? 0;
      const progress = new Progress('restoring', total);
      const { datastore, completedAt, instanceName } = await restoreBackup({
        vault,
        backupId,
        directory,
        progress: progress.add,
      }).finally(() => progress.end());
      const { bytes, seconds } = progress.end();
      process.stdout.write(
        `Restored backup ${backupId} of ${instanceName} (${datastore.type} ${datastore.version}, completed ${completedAt})\n` +
          `from ${options.from} to ${directory}: ${megabytes(bytes)} in ${seconds.toFixed(1)} s. Every file matches the server's manifest.\n\n` +
          `Start a server of version ${datastore.version.split('.')[0]} on it, as the user who owns the folder:\n` +
          `  postgres -D ${directory}\n`,
      );
    });
}
