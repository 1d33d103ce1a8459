/**
 * Applies an incremental backup in place to the data folder as its parent left it: what is whole in it takes the place of
 * what was there, changed blocks are written where they belong, and what it does not name is gone.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { RestoreSource } from '../engine.js';
import { archivesOf, compare, invalid, noneMissing } from './archives-of.js';
import { manifestName } from './base-backup.js';
import { applyChangedBlocks, relationOf } from './changed-blocks.js';
import { combinedManifest, parseServerManifest } from './server-manifest.js';
import type { TablespaceLinks } from './tablespace-links.js';
import { type FileWriter, unpack, write } from './unpack.js';

export interface IncrementalOptions {
  directory: string;
  links: TablespaceLinks;
  source: RestoreSource;
  /** The server's own, of the incremental. */
  manifest: Buffer;
  progress?: ((bytes: number) => void) | undefined;
}

const labelName = 'backup_label';
const ofIncremental = /^INCREMENTAL FROM (?:LSN|TLI): .*\n/gm;

/** @returns how many files were compared with the server's manifest, and the bytes written */
export async function applyIncremental(options: IncrementalOptions): Promise<{ files: number; bytes: number }> {
  const { directory, links, source, manifest, progress } = options;
  const expected = parseServerManifest(manifest);
  const files = expected.size;
  /** Everything that the backup has, as the data folder names it. */
  const named = new Set<string>([manifestName]);
  let bytes = manifest.length;
  for (const { objectName, oid } of archivesOf(source.manifest)) {
    const prefix = oid === undefined ? '' : `pg_tblspc/${oid}/`;
    await unpack(source.open(objectName), join(directory, prefix), {
      write: writerOf(options, prefix, named),
      onFolder: (path) => named.add(`${prefix}${path}`),
      onFile: (file) => {
        compare(`${prefix}${file.path}`, file, expected);
        bytes += file.sizeBytes;
      },
      onLink: (path) => {
        named.add(`${prefix}${path}`);
        return links.make(`${prefix}${path}`);
      },
      ...(progress && { progress }),
    });
  }
  noneMissing(expected);
  for (const path of links.paths) if (!named.has(path)) await links.remove(path);
  await removeUnnamed(directory, '', named, new Set(links.paths));
  return { files, bytes };
}

function writerOf({ directory, source, progress }: IncrementalOptions, prefix: string, named: Set<string>): FileWriter {
  const blockSize = Number(source.manifest.engine.blockSize);
  return async (inArchive, content) => {
    const path = `${prefix}${inArchive}`;
    const relation = relationOf(path);
    named.add(relation ?? path);
    if (relation !== undefined) return applyChangedBlocks(content, join(directory, relation), blockSize, progress);
    if (path === labelName) return writeLabel(directory, source, content);
    return write(content, join(directory, path), progress, 'w');
  };
}

/** The label of the result is that of a full backup. @throws {EngineFault} when it was not built on the parent */
async function writeLabel(directory: string, { manifest }: RestoreSource, content: AsyncIterable<unknown>) {
  const label = await text(content as AsyncIterable<Buffer>);
  const [, lsn] = /^INCREMENTAL FROM LSN: (\S+)$/m.exec(label) ?? [];
  const [, timeline] = /^INCREMENTAL FROM TLI: (\d+)$/m.exec(label) ?? [];
  const { parentStartLsn, parentTimeline } = manifest.engine;
  if (lsn !== parentStartLsn || Number(timeline) !== parentTimeline) {
    throw invalid(
      `backup ${manifest.backupId} is built on a backup from ${lsn}, and its parent is from ${parentStartLsn}`,
    );
  }
  await writeFile(join(directory, labelName), label.replaceAll(ofIncremental, ''), { mode: 0o600 });
  return { sizeBytes: Buffer.byteLength(label), sha256: createHash('sha256').update(label).digest('hex') };
}

/** What was removed from the server since the parent. @param within of the data folder, `''` or ending in `/` */
async function removeUnnamed(
  directory: string,
  within: string,
  named: ReadonlySet<string>,
  links: ReadonlySet<string>,
): Promise<void> {
  for (const entry of await readdir(join(directory, within), { withFileTypes: true })) {
    const path = `${within}${entry.name}`;
    const isFolder = entry.isDirectory() || links.has(path);
    if (!named.has(path)) await rm(join(directory, path), { recursive: true, force: true });
    else if (isFolder) await removeUnnamed(directory, `${path}/`, named, links);
  }
}

/** The manifest of the folder as it is now. @param newest the server's own, of the last backup that was applied */
export async function manifestOfCombined(directory: string, newest: Buffer): Promise<Buffer> {
  const files = new Map<string, { sizeBytes: number; sha256: string; modified: Date }>();
  for (const [listed, file] of parseServerManifest(newest)) {
    const path = relationOf(listed) ?? listed;
    const { size, mtime } = await stat(join(directory, path));
    const isAsListed = path === listed && path !== labelName;
    const sha256 = isAsListed ? file.sha256 : await digestOf(join(directory, path));
    files.set(path, { sizeBytes: size, sha256, modified: mtime });
  }
  return combinedManifest(files, newest);
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}
