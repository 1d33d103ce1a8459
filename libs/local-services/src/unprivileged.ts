/**
 * Where and as whom a server runs that refuses root. PostgreSQL does; and the user it then runs as cannot enter root's
 * home, nor anything below a folder that is closed to others.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { ServiceFault } from './service-fault.js';

export interface SystemUser {
  name: string;
  uid: number;
  gid: number;
}

/** The user to run as instead of root: `postgres` where there is one, else `nobody`. Undefined when this is not root. */
export function insteadOfRoot(): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
  const user = ['postgres', 'nobody'].map((name) => users.find((each) => each.name === name)).find(Boolean);
  if (!user)
    throw new ServiceFault(
      'PostgreSQL does not run as root, and there is no user postgres or nobody to run it as. Run this as an ordinary user.',
    );
  return user;
}

/** Whether the user may pass through every folder above the path and the nearest existing one itself. */
export function canReach(path: string, { uid, gid }: SystemUser): boolean {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const found = statSync(folder, { throwIfNoEntry: false });
    if (found?.isDirectory()) {
      const bit = found.uid === uid ? 0o100 : found.gid === gid ? 0o010 : 0o001;
      if ((found.mode & bit) === 0) return false;
    }
    if (folder === dirname(folder)) return true;
  }
}

/** The path itself where the user can reach it, else a place of its own outside, always the same for the same path. */
export function reachablePlace(path: string, user: SystemUser | undefined): string {
  if (!user || canReach(path, user)) return resolve(path);
  const mark = createHash('sha256').update(resolve(path)).digest('hex').slice(0, 12);
  return join('/var/tmp', `strongroom-${mark}`, basename(path));
}
