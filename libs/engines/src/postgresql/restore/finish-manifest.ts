/**
 * Writes the manifest of the restored folder, and proves it: every file is read once more where it lies. A file that is whole
 * in the newest backup must have the digest that its server gave. A file that was put together gets the digest that is read.
 * Every page of a relation is looked at.
 */
import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import type { RestoreSource } from '../../engine.js';
import { manifestName } from '../backup/base-backup.js';
import { modifiedAt } from './amend-manifest.js';
import { labelName } from './apply-backup.js';
import { cancelledRestore, invalid } from './archives-of.js';
import { shown } from './byte-path.js';
import type { PageCheck } from './page-check.js';
import { relationFileOf, relationOf } from './relation-file.js';
import { type ListedFile, listedFiles, type ManifestFrame, manifestText } from './server-manifest.js';
import type { TargetTree } from './target-tree.js';
import { write } from './write-all.js';

const readBytes = 1_048_576;
const mostTold = 10;

export interface FinishOptions {
  newest: RestoreSource;
  /** Whether the folder was put together from several backups. */
  isCombined: boolean;
  /** Undefined when pages are not to be looked at. */
  pages: PageCheck | undefined;
  /** Whether bad pages are reported, and don't end the restore. */
  acceptsBadPages: boolean;
  signal: AbortSignal | undefined;
}

/** @returns the bad pages, each a sentence, where they are accepted @throws {EngineFault} */
export async function finishManifest(tree: TargetTree, options: FinishOptions): Promise<string[]> {
  const { newest, isCombined, pages } = options;
  const inspecting = new Inspecting(tree, options);
  // Noted before it is written, so that a restore that ends meanwhile leaves nothing.
  tree.note(manifestName);
  if (isCombined) {
    const frame: ManifestFrame = { head: '', tail: '' };
    const text = manifestText(inspecting.combined(listedFiles(newest.open(manifestName), frame)), frame);
    await write(text, tree.at(manifestName));
  } else {
    await write(newest.open(manifestName), tree.at(manifestName));
    if (pages) for await (const _ of inspecting.combined(listedFiles(newest.open(manifestName))));
  }
  return inspecting.told;
}

class Inspecting {
  readonly told: string[] = [];
  private readonly buffer = Buffer.from(new ArrayBuffer(readBytes));

  constructor(
    private readonly tree: TargetTree,
    private readonly options: FinishOptions,
  ) {}

  /** The files of the folder as they lie there now. */
  async *combined(listed: AsyncIterable<ListedFile>): AsyncGenerator<ListedFile> {
    for await (const file of listed) {
      if (this.options.signal?.aborted) throw cancelledRestore();
      const path = relationOf(file.path) ?? file.path;
      const read = await this.inspect(path);
      const isAsListed = path === file.path && !(this.options.isCombined && path === labelName);
      if (isAsListed && (read.sizeBytes !== file.sizeBytes || read.sha256 !== file.sha256)) {
        throw invalid(`${shown(path)} does not read as it was written`);
      }
      yield isAsListed ? file : { path, ...read };
    }
  }

  private async inspect(path: string): Promise<Omit<ListedFile, 'path'>> {
    const { pages } = this.options;
    const relation = pages && relationFileOf(path);
    const hash = createHash('sha256');
    let sizeBytes = 0;
    const file = await open(this.tree.at(path), 'r');
    try {
      for (;;) {
        const length = await this.fill(file);
        if (length === 0) break;
        const bytes = this.buffer.subarray(0, length);
        hash.update(bytes);
        if (relation) {
          const { blockSize } = pages.control;
          for (let at = 0; at + blockSize <= length; at += blockSize) {
            const block = (sizeBytes + at) / blockSize;
            const why = pages.whyInvalid(bytes.subarray(at, at + blockSize), relation, block);
            if (why !== undefined) this.bad(path, block, why);
          }
        }
        sizeBytes += length;
      }
    } finally {
      await file.close();
    }
    const { mtime } = await stat(this.tree.at(path));
    return { sizeBytes, modified: modifiedAt(mtime), sha256: hash.digest('hex') };
  }

  /** Reads as much as there is room for, so that only the end of the file is shorter. */
  private async fill(file: Awaited<ReturnType<typeof open>>): Promise<number> {
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(this.buffer, length, readBytes - length, null);
      length += bytesRead;
      if (bytesRead === 0 || length === readBytes) return length;
    }
  }

  /** @throws {EngineFault} unless bad pages are accepted */
  private bad(path: string, block: number, why: string): void {
    const what = `block ${block} of ${shown(path)} is no good: ${why}`;
    if (!this.options.acceptsBadPages) throw invalid(what);
    if (this.told.length < mostTold) this.told.push(`${what}.`);
    else if (this.told.length === mostTold) this.told.push('There are more bad blocks than these.');
  }
}
