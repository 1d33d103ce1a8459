/**
 * Unpacks a full backup into a data folder, and checks each file against the server's own manifest as it is written. The
 * result is what `pg_verifybackup` calls good and a server starts from.
 *
 * Tablespaces lie beside the folder, in DIR.tablespaces/<oid>, with links to them in pg_tblspc: a server refuses folders
 * where it has links, and within its own folder they would be strangers to its manifest. The links are absolute: who
 * moves the folders makes them anew.
 */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { RestoredFolder, RestoreSource } from '../engine.js';
import { EngineFault } from '../engine-fault.js';
import { manifestName } from './base-backup.js';
import { empty, exists, openEmpty, syncName, syncTree, targetFault } from './data-folder.js';
import { type FileOfServer, parseServerManifest } from './server-manifest.js';
import { type UnpackedFile, unpack } from './unpack.js';

const linksOfTablespaces = /^pg_tblspc\/(\d+)$/;
/** The WAL is not in the server's manifest; the archive's own digest proves it. */
/** WAL is not in the server's manifest; what lies beside it under pg_wal is. */
const maybeUnlisted = /^pg_wal\//;

/** @throws {EngineFault} and leaves the folder empty */
export async function restoreDataDirectory(
  source: RestoreSource,
  target: string,
  progress?: (bytes: number) => void,
): Promise<RestoredFolder> {
  const directory = resolve(target);
  const spaces = `${directory}.tablespaces`;
  await openEmpty(directory);
  const archives = archivesOf(source);
  const hasSpaces = archives.length > 1;
  if (hasSpaces) await openEmpty(spaces);
  try {
    const restored = await restoreInto(directory, spaces, source, archives, progress);
    for (const folder of hasSpaces ? [spaces, directory] : [directory]) {
      await syncTree(folder);
      await syncName(folder);
    }
    return restored;
  } catch (error) {
    await empty(directory);
    if (hasSpaces) await empty(spaces);
    throw targetFault(error, directory);
  }
}

async function restoreInto(
  directory: string,
  spaces: string,
  source: RestoreSource,
  archives: readonly Archive[],
  progress?: (bytes: number) => void,
): Promise<RestoredFolder> {
  const manifest = await buffer(source.open(manifestName));
  const expected = parseServerManifest(manifest);
  const files = expected.size;
  const outside: string[] = [];
  let bytes = manifest.length;
  for (const { objectName, oid } of archives) {
    const link = oid === undefined ? undefined : `pg_tblspc/${oid}`;
    const isLinked = oid !== undefined && outside.includes(join(spaces, oid));
    const folder = isLinked ? join(spaces, oid) : join(directory, link ?? '');
    const onFile = (file: UnpackedFile) => {
      const path = link === undefined ? file.path : `${link}/${file.path}`;
      if (expected.has(path) || !maybeUnlisted.test(path)) compare(path, file, expected);
      bytes += file.sizeBytes;
    };
    const onLink = async (path: string) => {
      const of = linksOfTablespaces.exec(path)?.[1];
      if (oid !== undefined || of === undefined) throw invalid(`it has a link at ${path}, where PostgreSQL has none`);
      const space = join(spaces, of);
      await mkdir(space, { recursive: true, mode: 0o700 });
      await mkdir(dirname(join(directory, path)), { recursive: true, mode: 0o700 });
      await symlink(space, join(directory, path));
      outside.push(space);
    };
    await unpack(source.open(objectName), folder, { onFile, onLink, ...(progress && { progress }) });
  }
  const [missing] = expected.keys();
  if (missing !== undefined) throw invalid(`${expected.size} files are missing, ${missing} among them`);
  await writeFile(join(directory, manifestName), manifest, { mode: 0o600, flag: 'wx' });
  return { files, bytes, outside, hasSettings: await exists(join(directory, 'postgresql.conf')) };
}

interface Archive {
  objectName: string;
  /** Of the tablespace; none for the data folder itself. */
  oid: string | undefined;
}

/** The data folder's first: it says which tablespaces are linked. */
function archivesOf({ manifest }: RestoreSource): Archive[] {
  const archives: Archive[] = [];
  for (const { name } of manifest.objects) {
    const plain = name.replace(/\.zst$/, '');
    if (plain === manifestName) continue;
    const [, base, oid] = /^(?:(base)|(\d+))\.tar$/.exec(plain) ?? [];
    if (base === undefined && oid === undefined) throw invalid(`it has ${name}, which is no archive of PostgreSQL`);
    if (oid === undefined) archives.unshift({ objectName: plain, oid });
    else archives.push({ objectName: plain, oid });
  }
  if (archives[0] === undefined || archives[0].oid !== undefined) throw invalid('it has no base.tar');
  return archives;
}

function compare(path: string, written: UnpackedFile, expected: Map<string, FileOfServer>): void {
  const wanted = expected.get(path);
  if (!wanted) throw invalid(`${path} is not in the server's manifest`);
  if (wanted.sizeBytes !== written.sizeBytes || wanted.sha256 !== written.sha256) {
    throw invalid(`${path} is not what the server's manifest says`);
  }
  expected.delete(path);
}

function invalid(why: string): EngineFault {
  return new EngineFault('backup-content-invalid', `The backup can't be restored: ${why}.`);
}
