/** `strongroom restore`: a backup from a vault into a folder. */
import { resolve } from 'node:path';
import { openChain, type RestoredBackup, restoreBackup } from '@strongroom/engines';
import type { Command } from 'commander';
import { Progress } from './progress.js';
import { type VaultOptions, vaultOf, withVault } from './vault-options.js';

export function addRestore(program: Command): void {
  withVault(program.command('restore'))
    .description(
      'Restore a backup from a vault into a folder, with what it is built on, checking every file. Needs no service.',
    )
    .requiredOption('--to <directory>', 'an empty or new folder')
    .action(async (backupId: string, options: VaultOptions & { to: string }) => {
      const vault = vaultOf(options);
      const directory = resolve(options.to);
      const chain = await openChain(vault, backupId);
      const total = chain.flatMap(({ manifest }) => manifest.objects).reduce((sum, { rawBytes }) => sum + rawBytes, 0);
      const progress = new Progress('restoring', total);
      const interruption = new AbortController();
      process.once('SIGINT', () => interruption.abort());
      process.once('SIGTERM', () => interruption.abort());
      const restored = await restoreBackup({
        vault,
        backupId,
        directory,
        progress: progress.add,
        signal: interruption.signal,
      }).finally(() => progress.end());
      process.stdout.write(report(restored, directory, options.from, progress.summary));
    });
}

function report(
  { manifest, chain, files, outside, hasSettings }: RestoredBackup,
  to: string,
  from: string,
  summary: string,
) {
  const { backupId, datastore, completedAt, instanceName } = manifest;
  const lines = [
    `Restored backup ${backupId} of ${instanceName} (${datastore.type} ${datastore.version}, completed ${completedAt})`,
    `from ${from} to ${to}: ${summary}. All ${files} files match the server's manifest.`,
  ];
  if (chain.length > 1) lines.push(`Put together, in this order: ${chain.join(', ')}`);
  if (outside.length > 0) lines.push(`Tablespaces lie beside it: ${outside.join(', ')}`);
  lines.push(
    '',
    `Start a server of version ${datastore.version.split('.')[0]} on it, as the user who owns the folder:`,
    `  postgres -D ${to}`,
  );
  if (!hasSettings)
    lines.push(
      'The server kept its settings elsewhere: put a postgresql.conf, pg_hba.conf and pg_ident.conf in the folder first.',
    );
  return `${lines.join('\n')}\n`;
}
