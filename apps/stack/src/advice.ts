/** Says what to do about a file that the user of this process may not change, which is most often one that root has made. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';

const refused = z.object({ code: z.enum(['EACCES', 'EPERM', 'EROFS']), path: z.string() });

/** @returns sentences to add to the message, beginning with a line break; empty for any other error */
export function adviceOn(error: unknown, uid = process.getuid?.()): string {
  const found = refused.safeParse(error);
  if (!found.success || uid === undefined) return '';
  const folder = existing(found.data.path);
  const owner = statSync(folder).uid;
  const elsewhere = 'Or keep the data elsewhere: npm start -- --data DIRECTORY';
  if (found.data.code === 'EROFS') return `\n${folder} is on a file system that can only be read. ${elsewhere}`;
  if (owner === uid)
    return `\nYou own ${folder}, but its mode lets you not write there: chmod -R u+rwX ${folder}. ${elsewhere}`;
  const who = owner === 0 ? 'root; an earlier start as root has made it' : `another user (${owner})`;
  return `\n${folder} belongs to ${who}. Give it to yourself: sudo chown -R ${uid} ${folder}. ${elsewhere}`;
}

/** The path, or the nearest folder above it that exists. */
function existing(path: string): string {
  return statSync(path, { throwIfNoEntry: false }) || path === dirname(path) ? path : existing(dirname(path));
}
