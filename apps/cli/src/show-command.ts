/** `strongroom show`: what a backup in a vault says of itself. */
import type { Command } from 'commander';
import { backupIdArgument, collectVault, UsageFault, type VaultOptions, vaultOf } from './vault-options.js';

export function addShow(program: Command): void {
  program
    .command('show')
    .description('Print the manifest of a backup in a vault, as JSON.')
    .argument('<backup-id>', 'the backup, a UUID', backupIdArgument)
    .requiredOption('--from <region>', 'the region whose vault to read, such as IAD')
    .option(
      '--vault <region=url>',
      'where a vault is; default: STRONGROOM_VAULTS, else .strongroom/stack.json',
      collectVault,
      [],
    )
    .action(async (backupId: string, options: VaultOptions) => {
      const sealed = await vaultOf(options).manifest(backupId);
      if (!sealed) throw new UsageFault(`The vault of ${options.from} does not hold backup ${backupId}.`);
      process.stdout.write(`${JSON.stringify({ ...sealed.manifest, sha256: sealed.sha256 }, null, 2)}\n`);
    });
}
