/** Unpacks a tar archive into a folder, hashing each file as it is written. Nothing gets outside of the folder. */
import { createHash } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { EngineFault } from '../engine-fault.js';
import { writeAll } from './write-all.js';

export interface UnpackedFile {
  /** Within the archive, without `.` and `..`. */
  path: string;
  sizeBytes: number;
  sha256: string;
}

/** Puts a file's bytes where they belong. Returns how many came, and their digest. */
export type FileWriter = (path: string, content: AsyncIterable<unknown>) => Promise<Omit<UnpackedFile, 'path'>>;

export interface UnpackOptions {
  /** Default: a new file of that name in the folder. */
  write?: FileWriter;
  /** Called for each folder of the archive. */
  onFolder?: (path: string) => void;
  /** Called when the file is written; what it throws ends the unpacking. */
  onFile(file: UnpackedFile): void;
  /** Links are never made here: it says what becomes of one, or throws. */
  onLink(path: string): Promise<void>;
  /** Gets the bytes written since the last call. */
  progress?: (bytes: number) => void;
}

const folderMode = 0o700;
const fileMode = 0o600;
/** What the file system says of a name that is there already, goes through a file, or is too long. */
const badNames: ReadonlySet<unknown> = new Set(['EEXIST', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG']);

/** @throws {EngineFault} `backup-content-invalid`; errors of the source, and of a disk that can't be written to, as they are */
export async function unpack(archive: Readable, folder: string, options: UnpackOptions): Promise<void> {
  const entries = extract();
  let ofSource: Error | undefined;
  archive.once('error', (error) => {
    ofSource = error;
    entries.destroy(error);
  });
  archive.pipe(entries);
  const writeFile = options.write ?? ((path, content) => write(content, join(folder, path), options.progress));
  try {
    for await (const entry of entries) {
      const { name, type } = entry.header;
      const path = safePath(name);
      if (type === 'directory') {
        await mkdir(join(folder, path), { recursive: true, mode: folderMode });
        options.onFolder?.(path);
      } else if (type === 'symlink') await options.onLink(path);
      else if (type === 'file') options.onFile({ path, ...(await writeFile(path, entry)) });
      else throw invalid(`it has ${path}, a ${type}, which no backup of PostgreSQL holds`);
      // Also what has no bytes must be read to its end before the next entry comes.
      if (type !== 'file') entry.resume();
    }
  } catch (error) {
    throw ofSource ?? (isOfArchive(error) ? invalid(String(error.message)) : error);
  } finally {
    archive.destroy();
  }
}

/** @param flag `wx` for a file that must not be there, `w` for one that takes the place of another */
export async function write(
  content: AsyncIterable<unknown>,
  target: string,
  progress?: (bytes: number) => void,
  flag: 'wx' | 'w' = 'wx',
): Promise<Omit<UnpackedFile, 'path'>> {
  await mkdir(dirname(target), { recursive: true, mode: folderMode });
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const file = await open(target, flag, fileMode);
  try {
    for await (const chunk of content) {
      if (!Buffer.isBuffer(chunk)) throw new TypeError('an archive gave no bytes');
      hash.update(chunk);
      await writeAll(file, chunk);
      sizeBytes += chunk.length;
      progress?.(chunk.length);
    }
  } finally {
    await file.close();
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}

function safePath(name: string): string {
  const path = posix.normalize(name).replace(/\/$/, '');
  if (posix.isAbsolute(path) || path === '..' || path.startsWith('../') || path.includes('\0')) {
    throw invalid(`${JSON.stringify(name)} leads outside of the folder`);
  }
  return path;
}

/**
 * Errors of tar-stream have neither a code nor a class of their own. The folder was empty: a name that it can't take is
 * the archive's fault.
 */
function isOfArchive(error: unknown): error is { message: unknown } {
  if (typeof error !== 'object' || error === null || !('message' in error)) return false;
  return 'code' in error ? badNames.has(error.code) : error.constructor === Error;
}

function invalid(why: string): EngineFault {
  return new EngineFault('backup-content-invalid', `The backup can't be unpacked: ${why}.`);
}
