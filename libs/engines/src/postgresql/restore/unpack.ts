/** Reads a tar archive of a server, entry by entry. None of its names leads out of the folder. */
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { EngineFault } from '../../engine-fault.js';
import { shown } from './byte-path.js';

/** What to do with each entry. Paths are bytes (byte-path.ts) without `.` and `..`. An error ends the unpacking. */
export interface ArchiveReader {
  onFolder(path: string, mode: Mode): Promise<void>;
  /** Reads the content to its end. */
  onFile(path: string, content: AsyncIterable<unknown>, mode: Mode): Promise<void>;
  onLink(path: string): Promise<void>;
}

/** Whether the server's group may read, which is the only difference between PostgreSQL's two modes. */
export type Mode = 'owner' | 'group';

/** Asks tar-stream for names as bytes. Its types lack the option. */
const asBytes = { filenameEncoding: 'latin1', highWaterMark: 16_384 };
const groupMayRead = 0o040;
/** A header of its own kind may have a name of megabytes. No server sends one: its names have a hundred bytes at most. */
const longestName = 256;
/** The errors of the file system that are of a name and not of the disk. Its own words have the path of this host. */
const badNames: ReadonlyMap<unknown, string> = new Map([
  ['EEXIST', 'is there already'],
  ['ENOTDIR', 'lies in what is no folder'],
  ['EISDIR', 'is a folder already'],
  ['ENAMETOOLONG', 'has a name that is too long'],
]);

/** @throws {EngineFault} `backup-content-invalid`; errors of the source, and of a disk that can't be written to, as they are */
export async function unpack(archive: Readable, reader: ArchiveReader): Promise<void> {
  const entries = extract(asBytes);
  let ofSource: Error | undefined;
  let ofTar: Error | undefined;
  entries.once('error', (error) => {
    ofTar = error;
  });
  archive.once('error', (error) => {
    ofSource = error;
    entries.destroy(error);
  });
  archive.pipe(entries);
  let path = '';
  try {
    for await (const entry of entries) {
      const { name, type, mode, pax, size } = entry.header;
      path = safePath(name);
      if (pax) throw invalid(`it has ${shown(path)} with a header of a kind that no server sends`);
      // tar-stream would wait for ever for the end of an entry whose size is no number.
      if (!Number.isSafeInteger(size) || size < 0)
        throw invalid(`it has ${shown(path)} with a size that is no number of bytes`);
      const access = (mode & groupMayRead) === 0 ? 'owner' : 'group';
      if (type === 'directory') await reader.onFolder(path, access);
      else if (type === 'symlink') await reader.onLink(path);
      else if (type === 'file') await reader.onFile(path, entry, access);
      else throw invalid(`it has ${shown(path)}, a ${type}, which no backup of PostgreSQL holds`);
      // Even an entry without bytes must be read to its end before the next one comes.
      if (type !== 'file') entry.resume();
    }
  } catch (error) {
    if (ofSource) throw ofSource;
    // The reader of an entry learns only that its stream was destroyed.
    if (isDestroyed(error)) throw invalid(ofTar?.message ?? 'it breaks off');
    const why = whyBadName(error);
    if (why !== undefined) throw invalid(`${shown(path)} ${why}`, error);
    throw isOfTar(error) ? invalid(error.message) : error;
  } finally {
    archive.destroy();
  }
}

function safePath(name: string): string {
  if (name.length > longestName) throw invalid(`it has a name of ${name.length} bytes`);
  const path = posix.normalize(name).replace(/\/$/, '');
  if (posix.isAbsolute(path) || path === '..' || path.startsWith('../') || path.includes('\0')) {
    throw invalid(`${JSON.stringify(shown(name))} leads outside of the folder`);
  }
  return path === '.' ? '' : path;
}

/** The folder was empty, so a name that it does not take is the archive's fault. */
function whyBadName(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error ? badNames.get(error.code) : undefined;
}

/** Errors of tar-stream have neither a code nor a class of their own. */
function isOfTar(error: unknown): error is Error {
  return error instanceof Error && error.constructor === Error && !('code' in error);
}

function isDestroyed(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'STREAM_DESTROYED';
}

function invalid(why: string, cause?: unknown): EngineFault {
  return new EngineFault('backup-content-invalid', `The backup can't be unpacked: ${why}.`, { cause });
}
