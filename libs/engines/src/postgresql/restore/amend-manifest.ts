/** Brings the manifest of a restored folder up to date with files that were changed, removed or added since it was written. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { manifestName } from '../backup/base-backup.js';
import { type ListedFile, listedFiles, type ManifestFrame, manifestText } from './server-manifest.js';
import { modes, type TargetTree } from './target-tree.js';

const unfinished = `${manifestName}.restoring`;

export async function amendManifest(tree: TargetTree, touched: ReadonlySet<string>): Promise<void> {
  const frame: ManifestFrame = { head: '', tail: '' };
  const listed = listedFiles(createReadStream(tree.at(manifestName)), frame);
  const to = createWriteStream(tree.at(unfinished), { mode: modes.owner.file, flags: 'wx' });
  tree.note(unfinished);
  await pipeline(manifestText(amended(tree, listed, touched), frame), to);
  await rename(tree.at(unfinished), tree.at(manifestName));
}

async function* amended(
  tree: TargetTree,
  listed: AsyncIterable<ListedFile>,
  touched: ReadonlySet<string>,
): AsyncGenerator<ListedFile> {
  const left = new Set(touched);
  for await (const file of listed) {
    const found = left.delete(file.path) ? await asItIs(tree, file.path) : file;
    if (found) yield found;
  }
  for (const path of left) {
    const found = await asItIs(tree, path);
    if (found) yield found;
  }
}

/** Lists a file as it lies in the folder. Undefined when it is not there. */
async function asItIs(tree: TargetTree, path: string): Promise<ListedFile | undefined> {
  const found = await stat(tree.at(path)).catch(() => undefined);
  if (!found) return undefined;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(tree.at(path))) hash.update(chunk);
  return { path, sizeBytes: found.size, modified: modifiedAt(found.mtime), sha256: hash.digest('hex') };
}

/** The time as a server writes it into its manifest. */
export function modifiedAt(time: Date): string {
  return `${time.toISOString().replace('T', ' ').slice(0, 19)} GMT`;
}
