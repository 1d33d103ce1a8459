/** The archives in a stored backup of PostgreSQL: one of the data folder, and one of each tablespace. */
import type { VaultManifest } from '@strongroom/contracts';
import { EngineFault } from '../engine-fault.js';
import { manifestName } from './base-backup.js';
import { limitBlocksName } from './limit-list.js';
import type { FileOfServer } from './server-manifest.js';
import type { UnpackedFile } from './unpack.js';

export interface Archive {
  objectName: string;
  /** Of the tablespace; none for the data folder itself. */
  oid: string | undefined;
}

/** The data folder's first: it says which tablespaces are linked. @throws {EngineFault} */
export function archivesOf(manifest: VaultManifest): Archive[] {
  const archives: Archive[] = [];
  for (const { name } of manifest.objects) {
    const plain = name.replace(/\.zst$/, '');
    if (plain === manifestName || plain === limitBlocksName) continue;
    const [, base, oid] = /^(?:(base)|(\d+))\.tar$/.exec(plain) ?? [];
    if (base === undefined && oid === undefined) throw invalid(`it has ${name}, which is no archive of PostgreSQL`);
    if (oid === undefined) archives.unshift({ objectName: plain, oid });
    else archives.push({ objectName: plain, oid });
  }
  if (archives[0] === undefined || archives[0].oid !== undefined) throw invalid('it has no base.tar');
  return archives;
}

/** WAL is not in the server's manifest; what lies beside it under pg_wal is. */
const maybeUnlisted = /^pg_wal\//;

/** Takes a file that matches off the list of those that are expected. @throws {EngineFault} when it does not */
export function compare(path: string, written: Omit<UnpackedFile, 'path'>, expected: Map<string, FileOfServer>): void {
  const wanted = expected.get(path);
  if (!wanted && maybeUnlisted.test(path)) return;
  if (!wanted) throw invalid(`${path} is not in the server's manifest`);
  if (wanted.sizeBytes !== written.sizeBytes || wanted.sha256 !== written.sha256) {
    throw invalid(`${path} is not what the server's manifest says`);
  }
  expected.delete(path);
}

/** @throws {EngineFault} when the server's manifest names files that never came */
export function noneMissing(expected: ReadonlyMap<string, FileOfServer>): void {
  const [missing] = expected.keys();
  if (missing !== undefined) throw invalid(`${expected.size} files are missing, ${missing} among them`);
}

export function invalid(why: string): EngineFault {
  return new EngineFault('backup-content-invalid', `The backup can't be restored: ${why}.`);
}
