/** `strongroom restore`: restores a backup from a vault into a folder. */
import { resolve } from 'node:path';
import { openChain, type RestoredBackup } from '@strongroom/engines';
import type { Command } from 'commander';
import { type IdentityOptions, identitiesOf, withIdentity } from './identity-options.js';
import { inLine, say, sayJson } from './output.js';
import { Progress } from './progress.js';
import { bytesOf, interruption, restoreApart } from './restore-apart.js';
import { withDigest, withPlaces } from './restore-options.js';
import { type VaultOptions, vaultOf, withVault } from './vault-options.js';

interface Options extends VaultOptions, IdentityOptions {
  to: string;
  sha256?: string;
  asIs?: boolean;
  acceptBadPages?: boolean;
  json?: boolean;
}

export function addRestore(program: Command): void {
  const command = withVault(program.command('restore'))
    .description(
      'Restore a backup from a vault into a folder, with what it is built on, checking every file. Needs no service. The restored server does not act for its source: it does not archive, follow, subscribe or listen for it; what is changed for that is told.',
    )
    .requiredOption('--to <directory>', 'an empty or new folder');
  const places = withPlaces(withIdentity(withDigest(command)));
  command
    .option('--as-is', 'change nothing: the server archives, follows and subscribes as its source does')
    .option('--accept-bad-pages', 'restore an incremental backup that has bad pages, and say which pages are bad')
    .option('--json', 'print what was restored as JSON')
    .action(async (backupId: string, options: Options) => {
      const vault = vaultOf(options);
      const directory = resolve(options.to);
      const identities = await identitiesOf(options);
      const chain = await openChain(vault, backupId, { expectedSha256: options.sha256, identities });
      const progress = new Progress('restoring', { json: options.json, total: bytesOf(chain).most });
      const wanted = {
        vault,
        backupId,
        directory,
        expectedSha256: options.sha256,
        identities,
        places,
        standsAlone: !options.asIs,
        acceptsBadPages: options.acceptBadPages ?? false,
        chain,
        progress: progress.add,
      };
      const restored = await restoreApart(wanted, interruption()).finally(() => progress.end());
      if (options.json) sayJson(document(restored, directory, options, progress.seconds), 2);
      else say(report(restored, directory, options, progress.summary));
    });
}

/** What `--json` prints. Fields may be added, and none ever changes. */
function document(restored: RestoredBackup, to: string, { from, asIs }: Options, seconds: number) {
  const { manifest, sha256, chain, files, bytes, outside, changed, warnings, advice } = restored;
  const { backupId, datastore, completedAt, instanceName } = manifest;
  return {
    restored: {
      ...{ backupId, instanceName, datastore, completedAt, sha256, region: from, directory: to },
      ...{ files, bytes, seconds: Math.ceil(seconds), chain, outside, changed, standsAlone: !asIs, warnings, advice },
    },
  };
}

function report(restored: RestoredBackup, to: string, { from, asIs }: Options, summary: string): string {
  const { manifest, chain, files, outside, changed, warnings, advice } = restored;
  const { backupId, datastore, completedAt, instanceName } = manifest;
  const lines = [
    `Restored backup ${backupId} of ${inLine(instanceName)} (${datastore.type} ${inLine(datastore.version)}, completed ${completedAt})`,
    `from ${from} to ${to}: ${summary}. All ${files} files match the server's manifest.`,
  ];
  if (chain.length > 1) lines.push(`It was put together from these backups, in this order: ${chain.join(', ')}`);
  if (outside.length > 0) lines.push(`These places outside of the folder belong to it: ${outside.join(', ')}`);
  if (changed.length > 0) {
    lines.push(
      '',
      'This was changed, so that the server does not act for its source. Each original lies beside it as *.before-restore:',
    );
    lines.push(...changed.map((line) => `  ${line}`));
  }
  if (asIs) {
    lines.push(
      '',
      'Nothing was changed. Once the server runs, it archives, follows, is followed and subscribes as its source does.',
    );
  }
  for (const warning of warnings) lines.push('', `Warning: ${warning}`);
  lines.push('', ...advice);
  return lines.join('\n');
}
