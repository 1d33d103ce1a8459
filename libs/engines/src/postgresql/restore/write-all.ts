/** Writes all bytes to a file. A disk that is nearly full takes some of them and reports success, so one write is not enough. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';

/** @param position in the file; default: where the last write ended */
export async function writeAll(file: FileHandle, bytes: Buffer, position?: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const into = position === undefined ? null : position + at;
    at += (await file.write(bytes, at, bytes.length - at, into)).bytesWritten;
  }
}

/** The size and digest of what was written. */
export interface WrittenFile {
  sizeBytes: number;
  sha256: string;
}

export interface WriteOptions {
  /** Default: readable by its owner alone. The umask does not change it. */
  mode?: number;
  /** `wx` for a file that must not be there yet; `w` for one that may replace another. Default: `wx`. */
  flag?: 'wx' | 'w';
  /** Called with the bytes written since the last call. */
  progress?: ((bytes: number) => void) | undefined;
}

/** Makes a file of what comes. Errors of the content and of the disk are thrown as they are. */
export async function write(
  content: AsyncIterable<unknown> | Iterable<unknown>,
  target: Buffer | string,
  { mode = 0o600, flag = 'wx', progress }: WriteOptions = {},
): Promise<WrittenFile> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const file = await open(target, flag, mode);
  try {
    if (mode !== 0o600) await file.chmod(mode);
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
