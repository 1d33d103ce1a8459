/**
 * Restores a chain of backups into a data folder: the full one, and in place what was built on it. Every file is compared with
 * the server's own manifests while it is written, and in the end the folder with the newest manifest. `pg_verifybackup` calls
 * the result good, and a server starts from it. No server starts on it before.
 *
 * Tablespaces lie beside the folder, in DIR.tablespaces/<oid>, or where the caller wants them. pg_tblspc has links to them. The
 * links are absolute, so they must be made anew when the folders are moved.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { RestoredFolder, RestoreOptions, RestoreSource } from '../../engine.js';
import { amendManifest } from './amend-manifest.js';
import { type AppliedBackup, applyBackup } from './apply-backup.js';
import { cancelledRestore, invalid, limitBlocksOf } from './archives-of.js';
import { controlFileAt } from './control-file.js';
import { finishManifest } from './finish-manifest.js';
import { PageCheck } from './page-check.js';
import { standAlone } from './stand-alone.js';
import { startAdvice } from './start-advice.js';
import { mapName } from './tablespace-map.js';
import { TablespacePlaces } from './tablespace-places.js';
import { controlName, TargetTree } from './target-tree.js';
import { compareTree, syncTree } from './tree-walk.js';

/** @throws {EngineFault} and leaves the folder empty, or as it was where it could not be used */
export async function restoreDataDirectory(
  chain: readonly RestoreSource[],
  target: string,
  options: RestoreOptions = {},
): Promise<RestoredFolder> {
  const newest = checkChain(chain);
  const directory = resolve(target);
  const places = TablespacePlaces.plan(newest.manifest, directory, options.places);
  const tree = await TargetTree.hold(directory, places, newest.manifest.backupId);
  try {
    const restored = await restoreInto(tree, chain, newest, options);
    for (const folder of [...tree.links.values(), directory]) {
      if (options.signal?.aborted) throw cancelledRestore();
      await syncTree(folder);
    }
    await tree.finish();
    return restored;
  } catch (error) {
    throw await tree.giveUp(error);
  }
}

/** @returns the last backup @throws {EngineFault} when one is not built on the one before it, or is of another server */
function checkChain(chain: readonly RestoreSource[]): RestoreSource {
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
  const newest = chain.at(-1);
  if (!newest) throw invalid('there is none');
  return newest;
}

async function restoreInto(
  tree: TargetTree,
  chain: readonly RestoreSource[],
  newest: RestoreSource,
  options: RestoreOptions,
): Promise<RestoredFolder> {
  let bytes = 0;
  let applied: AppliedBackup | undefined;
  for (const source of chain) {
    applied = await applyBackup(tree, source, options.progress);
    bytes += applied.bytes;
  }
  if (!applied) throw invalid('there is none');
  const isCombined = chain.length > 1;
  const control = (options.checksPages ?? isCombined) ? await controlFileAt(tree.at(controlName)) : undefined;
  const warnings = await finishManifest(tree, {
    newest,
    isCombined,
    pages: control && new PageCheck(control, newest.manifest),
    acceptsBadPages: options.acceptsBadPages ?? false,
    signal: options.signal,
  });
  await compareTree(tree, applied);
  if (await isThere(tree.at(mapName))) {
    // A server would make links to the source's places from it.
    await tree.remove(mapName);
    await amendManifest(tree, new Set([mapName]));
  }
  const hasSettings = await isThere(tree.at('postgresql.conf'));
  const { standsAlone = false } = options;
  const changed = standsAlone ? await standAlone(tree, newest.manifest) : [];
  const outside = [...tree.links.values()];
  const { version } = newest.manifest.datastore;
  return {
    files: applied.files.size,
    bytes,
    outside,
    changed,
    warnings: [...unlimited(chain), ...warnings],
    advice: startAdvice({ directory: tree.directory, outside, version, hasSettings, standsAlone }),
  };
}

/** Warns of incrementals that were taken before the limits of relations were kept. */
function unlimited([, ...incrementals]: readonly RestoreSource[]): string[] {
  const without = incrementals.filter(({ manifest }) => limitBlocksOf(manifest) === undefined);
  if (without.length === 0) return [];
  const ids = without.map(({ manifest }) => manifest.backupId).join(', ');
  return [
    `Incremental backups ${ids} don't say which tables were cut by vacuum since their parent. Where such a table has grown again before the backup, PostgreSQL itself may bring deleted rows back: compare what matters with another source, or restore the full backup.`,
  ];
}

async function isThere(path: Buffer): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
