/**
 * The lane of the jobs whose servers have their data in a folder. Whoever has the folder works in it, so that servers of other hosts wait for
 * nothing here. The lane is a name that lies in the folder: it stays when the process or the host has another name.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const file = '.host';
const form = /^host-[0-9a-f-]{36}$/;

/**
 * Makes the name where there is none. A folder that can't be used has a new name for this process alone, and no server gets there.
 */
export function hostLane(folder: string): string {
  const path = join(folder, file);
  const fresh = `host-${randomUUID()}`;
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, fresh, { flag: 'wx' });
    return fresh;
  } catch {
    return read(path) ?? fresh;
  }
}

function read(path: string): string | undefined {
  try {
    const name = readFileSync(path, 'utf8').trim();
    return form.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}
