/** Walks over a restored folder, tablespaces included, one entry at a time, since there may be millions. */
import type { Dirent } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { syncFolder } from '@strongroom/vault';
import { manifestName } from '../backup/base-backup.js';
import { invalid } from './archives-of.js';
import { shown } from './byte-path.js';
import { heldControlName, sync } from './held-folder.js';
import type { PathTable } from './path-table.js';
import { changesOf } from './relation-file.js';
import { controlName, type TargetTree } from './target-tree.js';

const atOnce = 128;

/** What the folder must have: no more, and no less. */
export interface ExpectedTree {
  /** The files of the newest backup's manifest. A file of which it lists changes is one of them. */
  files: PathTable;
  /** Every folder and every link of the backup. */
  folders: ReadonlySet<string>;
  /** The files under pg_wal, of which the server's manifest lists hardly any. */
  wal: ReadonlySet<string>;
}

/** Removes what the backup does not have, since the server has removed it after the parent. */
export async function prune(tree: TargetTree, expected: ExpectedTree): Promise<void> {
  await visit(tree, '', async (path, entry) => {
    if (entry.isFile() ? isFileOf(expected, path) : expected.folders.has(path)) return true;
    if (tree.isLink(path)) throw invalid(`it lacks ${path}, which backups before it and after it have`);
    await tree.remove(path);
    return false;
  });
}

/** @throws {EngineFault} where folder and backup differ: it names what should not be there, or says how much is missing */
export async function compareTree(tree: TargetTree, expected: ExpectedTree): Promise<void> {
  let files = 0;
  let folders = 0;
  let wal = 0;
  const waiting: Promise<void>[] = [];
  const compareSize = async (path: string, listed: number) => {
    const { size } = await lstat(tree.at(path));
    if (size !== listed) throw invalid(`${shown(path)} has ${size} bytes and should have ${listed}`);
  };
  await visit(tree, '', async (path, entry) => {
    const isRightKind = entry.isFile() ? isFileOf(expected, path) : entry.isDirectory() || tree.isLink(path);
    if (!isRightKind || (!entry.isFile() && !expected.folders.has(path))) {
      throw invalid(`${shown(path)} is in the folder and not in the backup`);
    }
    if (!entry.isFile()) folders += 1;
    else if (path === manifestName) return true;
    else if (expected.wal.has(path)) wal += 1;
    else files += 1;
    const listed = entry.isFile() ? expected.files.sizeOf(path) : undefined;
    if (listed !== undefined) waiting.push(compareSize(path, listed));
    if (waiting.length >= atOnce) await Promise.all(waiting.splice(0));
    return true;
  });
  await Promise.all(waiting);
  const missing = [
    [expected.files.size - files, 'files'],
    [expected.wal.size - wal, 'files of WAL'],
    [expected.folders.size - folders, 'folders'],
  ].filter(([count]) => count !== 0);
  if (missing.length > 0) {
    throw invalid(
      `the folder lacks ${missing.map(([count, what]) => `${count} ${what}`).join(' and ')} that were written`,
    );
  }
}

/** Makes everything durable at the end. Doing it file by file costs a commit of the file system's journal each time. */
export async function syncTree(folder: string): Promise<void> {
  await syncWithin(Buffer.from(folder));
}

async function syncWithin(folder: Buffer): Promise<void> {
  let waiting: Promise<void>[] = [];
  for await (const entry of await opendir(folder, { encoding: 'latin1' })) {
    const path = Buffer.concat([folder, Buffer.from('/'), Buffer.from(entry.name, 'latin1')]);
    if (entry.isDirectory()) await syncWithin(path);
    else if (entry.isFile()) waiting.push(sync(path));
    if (waiting.length < atOnce) continue;
    await Promise.all(waiting);
    waiting = [];
  }
  await Promise.all(waiting);
  await syncFolder(folder);
}

function isFileOf({ files, wal }: ExpectedTree, path: string): boolean {
  return path === manifestName || files.has(path) || wal.has(path) || files.has(changesOf(path));
}

/**
 * @param within a folder; `''` for everything
 * @param see says whether to go into a folder
 */
async function visit(
  tree: TargetTree,
  within: string,
  see: (path: string, entry: Dirent) => Promise<boolean>,
): Promise<void> {
  for await (const entry of await opendir(tree.at(within), { encoding: 'latin1', bufferSize: atOnce })) {
    const name = within === '' ? entry.name : `${within}/${entry.name}`;
    const path = name === heldControlName ? controlName : name;
    if (tree.isHold(path)) continue;
    const goesOn = await see(path, entry);
    if (goesOn && (entry.isDirectory() || tree.isLink(path))) await visit(tree, path, see);
  }
}
