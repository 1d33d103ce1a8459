/** Writes bytes to a file, all of them: a disk that is nearly full takes a part of what it is given, and calls it a success. */
import type { FileHandle } from 'node:fs/promises';

/** @param position in the file; default: where the last write ended */
export async function writeAll(file: FileHandle, bytes: Buffer, position?: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const into = position === undefined ? null : position + at;
    at += (await file.write(bytes, at, bytes.length - at, into)).bytesWritten;
  }
}
