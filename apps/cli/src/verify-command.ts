/**
 * `strongroom verify`: reads every byte of a backup, and of the backups that it is built on, and compares them with the
 * manifests. With `--restore` it also restores the backup and reads its tables, and with `--tell` it tells the service of that.
 */
import { findChain, openChain } from '@strongroom/engines';
import { storedBytes, VaultFault } from '@strongroom/vault';
import type { Command } from 'commander';
import { withConnection } from './api/api-options.js';
import type { ConnectionOptions } from './api/connection.js';
import { UsageFault } from './command-fault.js';
import { endWith } from './exit-codes.js';
import { type IdentityOptions, identitiesOf, withIdentity } from './identity-options.js';
import { inLine, note, say, sayJson } from './output.js';
import { Progress } from './progress.js';
import { bytesOf, interruption } from './restore-apart.js';
import { withDigest } from './restore-options.js';
import { RestoreTeller } from './restore-teller.js';
import { type TriedRestore, tryRestore } from './trial-restore.js';
import { type VaultOptions, vaultOf, withVault } from './vault-options.js';

interface Options extends VaultOptions, IdentityOptions, ConnectionOptions {
  sha256?: string;
  restore?: boolean;
  scratch?: string;
  programs?: string;
  tell?: boolean;
  json?: boolean;
}

export function addVerify(program: Command): void {
  const command = withVault(program.command('verify')).description(
    'Read every byte of a backup in a vault, and of what it is built on, and compare it with the manifest. Needs no service.',
  );
  withIdentity(withDigest(command))
    .option(
      '--restore',
      'restore it too, into a folder that is removed again: compare every file and page, start a server on it that nobody else can reach, and read every table. Ends with 3 where no server of its version is at hand',
    )
    .option(
      '--scratch <directory>',
      'where --restore restores to, with room for all of it; default: the folder for temporary files',
    )
    .option(
      '--programs <directory>',
      "where --restore finds the server's programs; default: those that come with Strongroom",
    )
    .option(
      '--tell',
      'with --restore: tell the service how the restore ended and how long it took, so that everybody sees it',
    )
    .option('--json', 'print what was found as JSON');
  withConnection(command).action(async (backupId: string, options: Options) => {
    if (options.tell && !options.restore) throw new UsageFault('--tell is for a restore.', 'Give it with --restore.');
    const teller = options.tell ? await RestoreTeller.of(backupId, options.from, options) : undefined;
    try {
      await verify(backupId, options, teller);
    } catch (error) {
      await teller?.failed(error);
      throw error;
    }
  });
}

async function verify(backupId: string, options: Options, teller: RestoreTeller | undefined): Promise<void> {
  const vault = vaultOf(options);
  const tell = (text: string) => {
    if (!options.json) say(text);
  };
  // An incremental is worth nothing without its parents, so a missing parent is found before anything is read.
  const chain = await findChain(vault, backupId, { expectedSha256: options.sha256 });
  const backups: { backupId: string; region: string; sha256: string; objects: number; sizeBytes: number }[] = [];
  for (const { manifest, sha256 } of chain) {
    const id = manifest.backupId;
    const totalBytes = manifest.objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const progress = new Progress(`verifying ${id}`, { json: options.json, total: totalBytes });
    const verified = await vault.verify(id, progress.add).finally(() => progress.end());
    if (verified.sha256 !== sha256) throw changedItsMind(id, options.from);
    const objects = manifest.objects.length;
    backups.push({ backupId: id, region: options.from, sha256, objects, sizeBytes: storedBytes(verified) });
    tell(`Backup ${id} in ${options.from} is whole: ${objects} objects, ${progress.summary}.\nSHA-256 ${sha256}`);
  }
  if (chain.length > 1) tell(`All ${chain.length} backups that ${backupId} is put together from are whole.`);
  const trial = options.restore ? await tried(backupId, options) : undefined;
  if (trial) for (const line of told(trial)) tell(line);
  const isStarted = trial !== undefined && !('notStarted' in trial.read);
  if (options.json) sayJson({ backups, ...(trial && inJson(trial)) }, 2);
  if (trial && !isStarted)
    endWith('incomplete', 'Give the programs of a server of its version, and run it again: --programs DIRECTORY');
  if (!trial || !teller) return;
  await teller.passed(trial.seconds, isStarted ? 'tables-read' : 'files-compared');
  note('The service was told of the restore.');
}

async function tried(backupId: string, options: Options): Promise<TriedRestore> {
  const identities = await identitiesOf(options);
  const chain = await openChain(vaultOf(options), backupId, { expectedSha256: options.sha256, identities });
  const progress = new Progress('restoring', { json: options.json, total: bytesOf(chain).most });
  return tryRestore({
    vault: vaultOf(options),
    backupId,
    expectedSha256: options.sha256,
    identities,
    scratch: options.scratch,
    programs: options.programs,
    chain,
    progress: progress.add,
    signal: interruption(),
  }).finally(() => progress.end());
}

/** What was read is whole, and is another backup than the vault had shown before. */
function changedItsMind(id: string, region: string): VaultFault {
  return new VaultFault(
    'object-altered',
    region,
    `What the vault of ${region} has as backup ${id} has changed while it was read. See who writes there, and verify it again.`,
  );
}

function told({ restored, read, seconds }: TriedRestore): string[] {
  const lines = [
    `Restored in ${seconds} s: all ${restored.files} files match the server's manifest, and every page was looked at.`,
  ];
  lines.push(...restored.warnings.map((warning) => `Warning: ${warning}`));
  if ('notStarted' in read) return [...lines, `Not started: ${read.notStarted}`];
  const { version } = restored.manifest.datastore;
  const count = read.reduce((sum, { tables }) => sum + tables.length, 0);
  lines.push(
    `A server of version ${version.split('.')[0]} started on it; all ${count} tables of ${read.length} databases were read:`,
  );
  for (const { name, tables } of read) {
    const rows = tables.reduce((sum, table) => sum + BigInt(table.rows), 0n);
    lines.push(`  ${inLine(name)}: ${tables.length} tables, ${rows} rows`);
  }
  return lines;
}

function inJson({ restored, read, seconds }: TriedRestore) {
  const { files, bytes, warnings } = restored;
  const found = 'notStarted' in read ? { started: false, why: read.notStarted } : { started: true, databases: read };
  return { restored: { files, bytes, warnings, seconds, ...found } };
}
