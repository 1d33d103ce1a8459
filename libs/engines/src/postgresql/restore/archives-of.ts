/** Finds the archives in a stored backup of PostgreSQL: one of the data folder, and one of each tablespace. */
import type { VaultManifest } from '@strongroom/contracts';
import { EngineFault } from '../../engine-fault.js';
import { manifestName } from '../backup/base-backup.js';

export interface Archive {
  objectName: string;
  /** The tablespace's oid. The data folder's archive has none. */
  oid: string | undefined;
}

/** The data folder's archive comes first: it says which tablespaces are linked. @throws {EngineFault} */
export function archivesOf(manifest: VaultManifest): Archive[] {
  const archives: Archive[] = [];
  const limits = limitBlocksOf(manifest);
  for (const { name } of manifest.objects) {
    const plain = name.replace(/\.zst$/, '');
    if (plain === manifestName || plain === limits) continue;
    const [, base, oid] = /^(?:(base)|(\d+))\.tar$/.exec(plain) ?? [];
    if (base === undefined && oid === undefined) throw invalid(`it has ${name}, which is no archive of PostgreSQL`);
    if (oid === undefined) archives.unshift({ objectName: plain, oid });
    else archives.push({ objectName: plain, oid });
  }
  if (archives[0] === undefined || archives[0].oid !== undefined) throw invalid('it has no base.tar');
  return archives;
}

/** The object with the limits of the relations that were cut since the parent. Undefined when the backup has none. */
export function limitBlocksOf({ engine }: VaultManifest): string | undefined {
  const name = engine.limitBlocks;
  return typeof name === 'string' ? name : undefined;
}

export function invalid(why: string): EngineFault {
  return new EngineFault('backup-content-invalid', `The backup can't be restored: ${why}.`);
}

export function cancelledRestore(): EngineFault {
  return new EngineFault('cancelled', 'The restore was cancelled.');
}
