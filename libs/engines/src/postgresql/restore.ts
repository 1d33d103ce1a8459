/**
 * Unpacks a full backup into a data folder, and checks each file against the server's own manifest as it is written.
 * Tablespaces become folders under pg_tblspc, where the backup has links: the restored folder is whole in itself.
 */
import { createHash } from 'node:crypto';
import { chmod, type FileHandle, mkdir, open, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { extract, type Header } from 'tar-stream';
import type { RestoreSource } from '../engine.js';
import { EngineFault } from '../engine-fault.js';
import { manifestName } from './base-backup.js';
import { type FileOfServer, parseServerManifest } from './server-manifest.js';

const linksOfTablespaces = /^pg_tblspc\/\d+$/;
const notInManifest = /^pg_wal\//;

/** @throws {EngineFault} and leaves the folder empty */
export async function restoreDataDirectory(
  source: RestoreSource,
  directory: string,
  progress?: (bytes: number) => void,
): Promise<void> {
  await openEmpty(directory);
  try {
    const manifest = await buffer(source.open(manifestName));
    const expected = parseServerManifest(manifest);
    for (const { name } of source.manifest.objects) {
      const archive = /^(base|\d+)\.tar/.exec(name)?.[1];
      if (archive === undefined) continue;
      await unpack(source, name, archive === 'base' ? '' : `pg_tblspc/${archive}/`, directory, expected, progress);
    }
    const [missing] = expected.keys();
    if (missing !== undefined) throw invalid(`${expected.size} files are missing, ${missing} among them`);
    await writeFile(join(directory, manifestName), manifest, { mode: 0o600, flush: true });
  } catch (error) {
    await empty(directory);
    throw asFault(error, directory);
  }
}

async function unpack(
  source: RestoreSource,
  objectName: string,
  prefix: string,
  directory: string,
  expected: Map<string, FileOfServer>,
  progress?: (bytes: number) => void,
): Promise<void> {
  const bytes = source.open(objectName);
  const entries = extract();
  bytes.on('error', (error) => entries.destroy(error));
  bytes.pipe(entries);
  try {
    for await (const entry of entries) {
      const path = prefix + safePath(entry.header);
      const target = join(directory, path);
      if (entry.header.type === 'directory') {
        await mkdir(target, { recursive: true, mode: 0o700 });
        entry.resume();
      } else if (entry.header.type === 'symlink' && linksOfTablespaces.test(path)) {
        await mkdir(target, { recursive: true, mode: 0o700 });
        entry.resume();
      } else if (entry.header.type === 'file') {
        const written = await write(entry, target, progress);
        if (!notInManifest.test(path)) compare(path, written, expected);
      } else throw invalid(`${path} is a ${entry.header.type}, which no backup of PostgreSQL holds`);
    }
  } finally {
    bytes.destroy();
  }
}

async function write(
  entry: AsyncIterable<unknown>,
  target: string,
  progress?: (bytes: number) => void,
): Promise<FileOfServer> {
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const file: FileHandle = await open(target, 'wx', 0o600);
  try {
    for await (const chunk of entry) {
      if (!Buffer.isBuffer(chunk)) throw new TypeError('an archive gave no bytes');
      hash.update(chunk);
      for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
      sizeBytes += chunk.length;
      progress?.(chunk.length);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}

function compare(path: string, written: FileOfServer, expected: Map<string, FileOfServer>): void {
  const wanted = expected.get(path);
  if (!wanted) throw invalid(`${path} is not in the server's manifest`);
  if (wanted.sizeBytes !== written.sizeBytes || wanted.sha256 !== written.sha256) {
    throw invalid(`${path} is not what the server's manifest says`);
  }
  expected.delete(path);
}

/** An archive must not reach outside of the folder it is unpacked into. */
function safePath({ name }: Header): string {
  const path = posix.normalize(name).replace(/\/$/, '').replace(/^\.\//, '');
  if (posix.isAbsolute(path) || path === '..' || path.startsWith('../') || path.includes('\0')) {
    throw invalid(`${JSON.stringify(name)} leads outside of the data folder`);
  }
  return path === '.' ? '' : path;
}

async function openEmpty(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const found = await readdir(directory);
    if (found.length > 0) {
      throw new EngineFault(
        'restore-target-unusable',
        `${directory} is not empty. Restore into an empty or a new folder.`,
      );
    }
    // PostgreSQL does not start on a folder that others can look into.
    await chmod(directory, 0o700);
  } catch (error) {
    throw asFault(error, directory);
  }
}

async function empty(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch(() => []))
    await rm(join(directory, name), { recursive: true, force: true });
}

function invalid(why: string): EngineFault {
  return new EngineFault('backup-content-invalid', `The backup can't be restored: ${why}.`);
}

function asFault(error: unknown, directory: string): Error {
  if (!(error instanceof Error) || error instanceof EngineFault || error.name.endsWith('Fault')) return error as Error;
  const isSystem = 'syscall' in error;
  if (!isSystem)
    return new EngineFault('backup-content-invalid', `The backup can't be unpacked: ${error.message}.`, {
      cause: error,
    });
  return new EngineFault(
    'restore-target-unusable',
    `Could not write to ${directory}: ${error.message}. See that there is room and that you may write there.`,
    { cause: error },
  );
}
