/** `strongroom list`: lists the backups that a vault holds, with nothing but the vault. */
import { isEncrypted } from '@strongroom/contracts';
import { type ListedBackup, storedBytes, type Vault } from '@strongroom/vault';
import type { Command } from 'commander';
import type { PrintOptions } from './api/api-options.js';
import { encryptedFor } from './encrypted-for.js';
import { endWith } from './exit-codes.js';
import { inLine, note, say, sayJson } from './output.js';
import { fromVault, type VaultOptions, vaultOf } from './vault-options.js';

/** One line of `--json`, for one backup. Fields may be added, and none ever changes. */
interface Line {
  backupId: string;
  /** Absent when the backup is encrypted. */
  instanceName?: string;
  /** Whose keys open the backup, as its keys say; null when it is not encrypted. Absent when that can't be read. */
  encryptedFor?: string[] | null;
  instanceId?: string;
  accountId?: string;
  type?: string;
  parentId?: string | null;
  completedAt?: string;
  sizeBytes?: number;
  sha256?: string;
  location?: string;
  /** Until when the store keeps it from everybody; absent when it does not. */
  lockedUntil?: string;
  /** Why the backup cannot be read. */
  fault?: { code: string; message: string };
}

export function addList(program: Command): void {
  fromVault(program.command('list'))
    .description('List the backups that a vault holds, with what each is built on. Needs no service.')
    .option('--json', 'print a line of JSON for each')
    .option('--plain', 'print lines with tabs between the fields, and no headings')
    .action(async (options: VaultOptions & PrintOptions) => {
      const vault = vaultOf(options);
      const rows: Row[] = [];
      let unreadable = 0;
      for await (const listed of vault.list()) {
        if ('fault' in listed) unreadable += 1;
        // JSON is printed as backups are found. A table has to be sorted first.
        const holders = await holdersOf(vault, listed);
        const lockedUntil = await lockOf(vault, listed);
        const more = {
          ...(holders !== undefined && { encryptedFor: holders }),
          ...(lockedUntil !== undefined && { lockedUntil }),
        };
        if (options.json) sayJson({ ...lineOf(listed), ...more });
        else rows.push(rowOf(listed, holders, lockedUntil));
      }
      if (options.plain) for (const row of sorted(rows)) say(row.cells.map((cell) => cell || '-').join('\t'));
      else if (!options.json && rows.length > 0) say(table(rows, options.from));
      else if (!options.json) note(`The vault of ${options.from} holds no backups.`);
      if (unreadable > 0) {
        note(`strongroom: ${unreadable} backups in ${options.from} can't be read.`);
        endWith('incomplete', `Run: strongroom verify BACKUP_ID --from ${options.from}`);
      }
    });
}

async function lockOf(vault: Vault, listed: ListedBackup): Promise<string | undefined> {
  if (!vault.keeps || 'fault' in listed) return undefined;
  return (await vault.keptUntil(listed.backupId))?.toISOString();
}

function lineOf(listed: ListedBackup): Line {
  const { backupId } = listed;
  if ('fault' in listed) return { backupId, fault: { code: listed.fault.code, message: listed.fault.message } };
  const { manifest, sha256, location } = listed.sealed;
  const { instanceId, accountId, type, parentId, completedAt } = manifest;
  const instanceName = isEncrypted(manifest) ? {} : { instanceName: manifest.instanceName };
  const sizeBytes = storedBytes(listed.sealed);
  return { backupId, ...instanceName, instanceId, accountId, type, parentId, completedAt, sizeBytes, sha256, location };
}

/** Whose keys open a backup, as its keys say; null when it is not encrypted, and undefined when that can't be read. */
async function holdersOf(vault: Vault, listed: ListedBackup): Promise<string[] | null | undefined> {
  if ('fault' in listed) return undefined;
  return isEncrypted(listed.sealed.manifest) ? encryptedFor(vault, listed.backupId) : null;
}

interface Row {
  id: string;
  cells: string[];
  completedAt: string;
  parentId: string | null;
  note: string;
}

function rowOf(
  listed: ListedBackup,
  holders: readonly string[] | null | undefined,
  lockedUntil: string | undefined,
): Row {
  const { backupId: id } = listed;
  if ('fault' in listed) {
    return {
      id,
      cells: [id, '?', '?', '', '', '', '?'],
      completedAt: '',
      parentId: null,
      note: inLine(listed.fault.message),
    };
  }
  const { manifest } = listed.sealed;
  const { type, parentId, completedAt } = manifest;
  // The names in the keys are those that whoever wrote them gave.
  const opens = holders ? holders.join(', ') || 'nobody' : '(not encrypted)';
  const instance = isEncrypted(manifest) ? '-' : manifest.instanceName;
  const size = `${(storedBytes(listed.sealed) / 1_000_000).toFixed(1)} MB`;
  return {
    id,
    cells: [id, inLine(instance), type, parentId ?? '-', completedAt, size, inLine(opens)],
    completedAt,
    parentId,
    note: lockedUntil === undefined ? '' : `locked until ${lockedUntil}`,
  };
}

/** By time, so that each backup is below the one that it is built on. */
function sorted(rows: readonly Row[]): Row[] {
  return [...rows].sort((one, other) => one.completedAt.localeCompare(other.completedAt));
}

function table(rows: Row[], region: string): string {
  const there = new Set(rows.map(({ id }) => id));
  const heading = ['BACKUP', 'INSTANCE', 'TYPE', 'PARENT', 'COMPLETED', 'SIZE', 'ENCRYPTED FOR'];
  const widths = heading.map((name, column) =>
    Math.max(name.length, ...rows.map(({ cells }) => cells[column]?.length ?? 0)),
  );
  const lineFor = (cells: string[], note = '') =>
    [...cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)), note].join('  ').trimEnd();
  const lines = sorted(rows).map(({ cells, parentId, note }) => {
    const isCut = parentId !== null && !there.has(parentId);
    const cut = isCut ? `its parent is not in ${region}: it can't be restored from here` : '';
    return lineFor(cells, [cut, note].filter(Boolean).join('; '));
  });
  return [lineFor(heading), ...lines].join('\n');
}
