/**
 * Chooses the user for a server that refuses to run as root, as PostgreSQL does, and the place of its files. That user can't
 * enter the home of root, nor anything below a folder that is closed to others. What it can't reach lies in a folder of its own
 * under /var/tmp, which is always the same for the same path.
 */
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ServiceFault } from './service-fault.js';

export interface SystemUser {
  name: string;
  uid: number;
  gid: number;
}

const outside = '/var/tmp';
const open = 0o755;
const writableByOthers = 0o022;

/** The user to run as instead of root: `postgres` if there is one, else `nobody`. Undefined when this process is not root's. */
export function insteadOfRoot(): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
  const user = ['postgres', 'nobody'].map((name) => users.find((each) => each.name === name)).find(Boolean);
  if (!user)
    throw new ServiceFault(
      'no-place',
      'PostgreSQL does not run as root, and there is no user postgres or nobody to run it as. Run this as an ordinary user.',
    );
  return user;
}

/** Whether the user may pass through the nearest folder of the path that exists, and through every folder above it. */
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

/** The name of the folder that replaces a path. The folder need not be there. */
export function placeOutside(path: string): string {
  const mark = createHash('sha256').update(resolve(path)).digest('hex').slice(0, 12);
  return join(outside, `strongroom-${mark}`);
}

/**
 * Makes the folder that replaces a path.
 * @throws {ServiceFault} when a folder of that name belongs to somebody else, since anybody may make folders there
 */
export function makePlaceOutside(path: string): string {
  const place = placeOutside(path);
  mkdirSync(place, { recursive: true });
  const { uid, mode } = lstatSync(place);
  if (!lstatSync(place).isDirectory() || uid !== process.getuid?.() || (mode & writableByOthers) !== 0) {
    throw new ServiceFault(
      'no-place',
      `${place} is not a folder that only this user can change. Remove it and start again.`,
    );
  }
  // The folder is there for others to pass through, so the umask must not change its mode.
  chmodSync(place, open);
  return place;
}
