/**
 * Puts one backup of a chain into the folder: a full one into the empty folder, an incremental one over what its parent left.
 * A whole file replaces the one that was there, changed blocks are written where they belong, and a file that the backup does
 * not name is removed. Each file is compared with the server's own manifest while it is written.
 */
import { createHash } from 'node:crypto';
import type { RestoreSource } from '../../engine.js';
import { manifestName } from '../backup/base-backup.js';
import { archivesOf, invalid, limitBlocksOf } from './archives-of.js';
import { shown } from './byte-path.js';
import { applyChangedBlocks, type BlockLimit, type BlockSizes, blockSizesOf } from './changed-blocks.js';
import { LimitBlocks } from './limit-blocks.js';
import type { PathTable } from './path-table.js';
import { readSmall } from './read-small.js';
import { type RelationFile, relationFileOf, relationOf, visibilityMapFork } from './relation-file.js';
import { listedFiles, tableOf } from './server-manifest.js';
import { linkedIn, mapName } from './tablespace-map.js';
import { modes, type TargetTree } from './target-tree.js';
import { type ExpectedTree, prune } from './tree-walk.js';
import { type Mode, unpack } from './unpack.js';
import { type WrittenFile, write } from './write-all.js';

export const labelName = 'backup_label';
const ofIncremental = /^INCREMENTAL FROM (?:LSN|TLI): .*\n/gm;
/** The server's manifest does not list WAL. It may list other files under pg_wal. */
const maybeUnlisted = /^pg_wal\//;
const mostOfLabel = 65_536;
const mostOfMap = 67_108_864;
/** A server has a folder for each database, and one for each in a tablespace. */
const mostFolders = 1_000_000;
/** A segment of WAL has a megabyte at the least. */
const mostOfWal = 1_000_000;

export interface AppliedBackup extends ExpectedTree {
  /** Bytes that came, before they were put together. */
  bytes: number;
}

/** @throws {EngineFault} `backup-content-invalid` */
export async function applyBackup(
  tree: TargetTree,
  source: RestoreSource,
  progress?: (bytes: number) => void,
): Promise<AppliedBackup> {
  const { manifest } = source;
  const manifestBytes = manifest.objects.find(({ name }) => name.startsWith(manifestName))?.rawBytes ?? 0;
  const applying = new Applying(tree, source, progress, await tableOf(source.open(manifestName), manifestBytes));
  return applying.run(manifestBytes);
}

/**
 * A backup of an older version has no limits. Its server may not have told that a visibility map has changed either
 * (docs/decisions/0023-what-was-cut-is-told-beside.md). So nothing of the parent's map counts, and the next vacuum makes it anew.
 */
function unlisted({ fork }: RelationFile): BlockLimit | undefined {
  return fork === visibilityMapFork ? { said: -1, kept: 0 } : undefined;
}

class Applying {
  private readonly folders = new Set<string>();
  private readonly wal = new Set<string>();
  private readonly isFull: boolean;
  private readonly sizes: BlockSizes | undefined;
  private limits: LimitBlocks | undefined;
  private bytes = 0;
  /** The tablespaces whose links are not in the archive of the data folder. */
  private readonly mapped = new Set<string>();
  /** Size and digest of the label as it was written, which differs from what came. */
  private labelBytes: number | undefined;

  constructor(
    private readonly tree: TargetTree,
    private readonly source: RestoreSource,
    private readonly progress: ((bytes: number) => void) | undefined,
    private readonly files: PathTable,
  ) {
    this.isFull = source.manifest.parentId === null;
    this.sizes = this.isFull ? undefined : blockSizesOf(source.manifest);
  }

  async run(manifestBytes: number): Promise<AppliedBackup> {
    const { manifest } = this.source;
    if (!this.isFull) this.tree.holdsParent();
    const limits = limitBlocksOf(manifest);
    if (limits !== undefined && !this.isFull) {
      const { parentStartLsn, startLsn, timeline } = manifest.engine;
      const span = { startLsn: String(parentStartLsn), endLsn: String(startLsn), timeline: Number(timeline) };
      this.limits = await LimitBlocks.read(this.source.open(limits), span);
    }
    for (const { objectName, oid } of archivesOf(manifest)) {
      const prefix = oid === undefined ? '' : `pg_tblspc/${oid}`;
      const isWanted = oid === undefined || this.tree.wants(oid);
      if (oid !== undefined && this.mapped.has(oid)) await this.link(prefix);
      await unpack(this.source.open(objectName), {
        onFolder: async (path, mode) => {
          if (isWanted) await this.folder(joined(prefix, path), mode);
        },
        onLink: (path) => this.link(joined(prefix, path)),
        onFile: (path, content, mode) => this.file(joined(prefix, path), content, mode, isWanted),
      });
    }
    if (this.files.left > 0) throw invalid(`${this.files.left} files are missing, ${await this.missing()} among them`);
    const { files, folders, wal } = this;
    if (!this.isFull) await prune(this.tree, { files, folders, wal });
    return { files, folders, wal, bytes: this.bytes + manifestBytes };
  }

  private async folder(path: string, mode: Mode): Promise<void> {
    await this.tree.makeFolder(path, mode);
    this.expectFolder(path);
  }

  /** Makes a folder with those above it: an archive need not name them. */
  private expectFolder(path: string): void {
    for (let at = path; at !== '' && !this.folders.has(at); at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
      this.folders.add(at);
    }
    if (this.folders.size > mostFolders) throw invalid(`it has more than ${mostFolders} folders`);
  }

  private async link(path: string): Promise<void> {
    await this.tree.link(path);
    if (this.tree.isLink(path)) this.expectFolder(path);
  }

  private async file(path: string, content: AsyncIterable<unknown>, mode: Mode, isWanted: boolean): Promise<void> {
    // No server sends it, and the restore writes its own.
    if (path === manifestName) throw invalid(`it has ${manifestName} among its files`);
    const written = isWanted ? await this.write(path, content, mode) : await digested(content);
    this.bytes += written.sizeBytes;
    const taken = this.files.take(path, written.sizeBytes, written.sha256);
    if (taken === 'unknown' && maybeUnlisted.test(path) && this.wal.size < mostOfWal) this.wal.add(path);
    else if (taken === 'unknown') throw invalid(`${shown(path)} is not in the server's manifest`);
    else if (taken !== 'as-listed') throw invalid(`${shown(path)} is not what the server's manifest says`);
    if (path === labelName && this.labelBytes !== undefined) this.files.setSize(path, this.labelBytes);
  }

  private async write(path: string, content: AsyncIterable<unknown>, mode: Mode): Promise<WrittenFile> {
    const { tree, progress } = this;
    const above = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    await tree.makeFolder(above);
    this.expectFolder(above);
    const relation = this.isFull ? undefined : relationOf(path);
    if (relation !== undefined) return this.changeBlocks(relation, content);
    await tree.giveWay(path, 'file');
    // Noted before it is written: what comes may break off.
    tree.note(path);
    const flag = this.isFull ? 'wx' : 'w';
    const options = { mode: modes[mode].file, flag, progress } as const;
    if (path === labelName && !this.isFull) return this.writeLabel(content, options);
    const written = await write(content, tree.at(path), options);
    if (path === mapName) {
      const map = await readSmall(tree.at(path), { name: mapName, mostBytes: mostOfMap });
      for (const oid of linkedIn(map.toString('utf8'))) this.mapped.add(oid);
    }
    return written;
  }

  private async changeBlocks(relation: string, content: AsyncIterable<unknown>): Promise<WrittenFile> {
    const { sizes, limits } = this;
    if (this.files.has(relation)) throw invalid(`it has ${shown(relation)} both whole and as changes`);
    if (!sizes) throw invalid('it is full, and has changes of a file');
    const file = relationFileOf(relation);
    const limit = file && (limits ? limits.of(file, sizes) : unlisted(file));
    const place = { target: this.tree.at(relation), name: shown(relation) };
    return applyChangedBlocks(content, place, sizes, limit, this.progress);
  }

  /** Writes the label as that of a full backup. @throws {EngineFault} when the backup was not built on this parent */
  private async writeLabel(content: AsyncIterable<unknown>, options: { mode: number; flag: 'w' | 'wx' }) {
    const { manifest } = this.source;
    const bytes = await readSmall(content, { name: labelName, mostBytes: mostOfLabel });
    const label = bytes.toString('utf8');
    const [, lsn] = /^INCREMENTAL FROM LSN: (\S+)$/m.exec(label) ?? [];
    const [, timeline] = /^INCREMENTAL FROM TLI: (\d+)$/m.exec(label) ?? [];
    const { parentStartLsn, parentTimeline } = manifest.engine;
    if (lsn !== parentStartLsn || Number(timeline) !== parentTimeline) {
      throw invalid(
        `backup ${manifest.backupId} is built on a backup from ${lsn}, and its parent is from ${parentStartLsn}`,
      );
    }
    const ofFull = Buffer.from(label.replaceAll(ofIncremental, ''));
    await write([ofFull], this.tree.at(labelName), options);
    this.labelBytes = ofFull.length;
    return { sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  }

  /** The name of one that is missing. The manifest is read once more, since the table keeps no names. */
  private async missing(): Promise<string> {
    for await (const { path } of listedFiles(this.source.open(manifestName))) {
      if (!this.files.isTaken(path)) return shown(path);
    }
    return 'one';
  }
}

/** Joins two paths with a slash, unless one of them is empty. */
function joined(prefix: string, path: string): string {
  return prefix === '' || path === '' ? `${prefix}${path}` : `${prefix}/${path}`;
}

async function digested(content: AsyncIterable<unknown>): Promise<WrittenFile> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of content) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('an archive gave no bytes');
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}
