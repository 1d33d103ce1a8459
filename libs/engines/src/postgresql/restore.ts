/**
 * Unpacks a backup into a data folder: the full one, then what was built on it in place, and checks each file against
 * the server's own manifests as it is written. The result is what `pg_verifybackup` calls good and a server starts from.
 *
 * Tablespaces lie beside the folder, in DIR.tablespaces/<oid>, with links to them in pg_tblspc: a server refuses folders
 * where it has links, and within its own folder they would be strangers to its manifest. The links are absolute: who
 * moves the folders makes them anew.
 */
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { RestoredFolder, RestoreSource } from '../engine.js';
import { archivesOf, compare, invalid, noneMissing } from './archives-of.js';
import { manifestName } from './base-backup.js';
import { empty, exists, openEmpty, syncName, syncTree, targetFault } from './data-folder.js';
import { applyIncremental, manifestOfCombined } from './incremental.js';
import { parseServerManifest } from './server-manifest.js';
import { TablespaceLinks } from './tablespace-links.js';
import { unpack } from './unpack.js';

/** @throws {EngineFault} and leaves the folder empty */
export async function restoreDataDirectory(
  chain: readonly RestoreSource[],
  target: string,
  progress?: (bytes: number) => void,
): Promise<RestoredFolder> {
  checkChain(chain);
  const directory = resolve(target);
  const spaces = `${directory}.tablespaces`;
  const hasSpaces = chain.some(({ manifest }) => archivesOf(manifest).length > 1);
  await openEmpty(directory);
  if (hasSpaces) await openEmpty(spaces);
  try {
    const restored = await restoreInto(directory, spaces, chain, progress);
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

/** @throws {EngineFault} when one is not built on the one before it, or is of another server */
function checkChain(chain: readonly RestoreSource[]): void {
  for (const [index, { manifest }] of chain.entries()) {
    const parent = chain[index - 1]?.manifest;
    if (manifest.parentId !== (parent?.backupId ?? null)) {
      throw invalid(
        `backup ${manifest.backupId} is built on ${manifest.parentId ?? 'nothing'}, which does not come before it`,
      );
    }
    if (!parent) continue;
    const { systemId, parentStartLsn, parentTimeline } = manifest.engine;
    const before = parent.engine;
    if (systemId !== before.systemId)
      throw invalid(`backup ${manifest.backupId} is of another server than ${parent.backupId}`);
    if (parentStartLsn !== before.startLsn || parentTimeline !== before.timeline) {
      throw invalid(`backup ${manifest.backupId} was not built on ${parent.backupId} as it is here`);
    }
  }
  if (chain.length === 0) throw invalid('there is none');
}

async function restoreInto(
  directory: string,
  spaces: string,
  [full, ...incrementals]: readonly RestoreSource[],
  progress?: (bytes: number) => void,
): Promise<RestoredFolder> {
  if (!full) throw invalid('there is none');
  const links = new TablespaceLinks(directory, spaces);
  let manifest: Buffer = await buffer(full.open(manifestName));
  let { files, bytes } = await unpackFull(directory, links, full, manifest, progress);
  for (const source of incrementals) {
    manifest = await buffer(source.open(manifestName));
    const applied = await applyIncremental({ directory, links, source, manifest, progress });
    files = applied.files;
    bytes += applied.bytes;
  }
  if (incrementals.length > 0) manifest = await manifestOfCombined(directory, manifest);
  await writeFile(join(directory, manifestName), manifest, { mode: 0o600 });
  return { files, bytes, outside: links.made, hasSettings: await exists(join(directory, 'postgresql.conf')) };
}

async function unpackFull(
  directory: string,
  links: TablespaceLinks,
  source: RestoreSource,
  manifest: Buffer,
  progress?: (bytes: number) => void,
): Promise<{ files: number; bytes: number }> {
  const expected = parseServerManifest(manifest);
  const files = expected.size;
  let bytes = manifest.length;
  for (const { objectName, oid } of archivesOf(source.manifest)) {
    const prefix = oid === undefined ? '' : `pg_tblspc/${oid}/`;
    await unpack(source.open(objectName), join(directory, prefix), {
      onFile: (file) => {
        compare(`${prefix}${file.path}`, file, expected);
        bytes += file.sizeBytes;
      },
      onLink: (path) => links.make(`${prefix}${path}`),
      ...(progress && { progress }),
    });
  }
  noneMissing(expected);
  return { files, bytes };
}
