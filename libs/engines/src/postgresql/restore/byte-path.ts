/**
 * Names of files as a server has them: bytes, in whatever encoding. Within the code a path is a string of which each
 * character stands for one byte (latin1), so that a name that is no UTF-8 goes through unharmed.
 */
import { Buffer } from 'node:buffer';

/** For the file system. @param path within the folder; the empty one is the folder itself */
export function pathIn(directory: string, path: string): Buffer {
  if (path === '') return Buffer.from(directory);
  return Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, 'latin1')]);
}

/** For people: as text where it is text, else with its bytes spelled out. */
export function shown(path: string): string {
  const bytes = Buffer.from(path, 'latin1');
  const text = bytes.toString('utf8');
  if (Buffer.from(text).equals(bytes)) return text;
  return path.replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** Of the entry above; empty for what lies in the folder itself. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
