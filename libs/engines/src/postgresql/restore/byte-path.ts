/**
 * The names of a server's files are bytes, in any encoding. In the code a path is a string in which each character stands for
 * one byte (latin1), so that a name that is not UTF-8 stays as it is.
 */
import { Buffer } from 'node:buffer';

/** A path for the file system. @param path within the folder; the empty one is the folder itself */
export function pathIn(directory: string, path: string): Buffer {
  if (path === '') return Buffer.from(directory);
  return Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, 'latin1')]);
}

/** A path for people: as text where it is text, else with its bytes spelled out. */
export function shown(path: string): string {
  const bytes = Buffer.from(path, 'latin1');
  const text = bytes.toString('utf8');
  if (Buffer.from(text).equals(bytes)) return text;
  return path.replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** The path of the folder that an entry lies in. Empty for the data folder itself. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
