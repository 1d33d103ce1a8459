/**
 * The lane of the jobs whose servers have their data in a folder. Whoever has the folder works in it, so that servers of other hosts wait for
 * nothing here. The lane is a name that lies in the folder: it stays when the process or the host has another name.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const file = '.host';
const form = /^host-[0-9a-f-]{36}$/;

/**
 * Makes the name where there is none, whole or not at all. A folder that can't be used has a new name for this process alone, and no
 * server gets there.
 */
export function hostLane(folder: string): string {
  const path = join(folder, file);
  const fresh = `host-${randomUUID()}`;
  try {
    mkdirSync(folder, { recursive: true });
    return read(path) ?? make(path, fresh);
  } catch {
    // Another process may have made it meanwhile.
    return read(path) ?? fresh;
  }
}

function make(path: string, name: string): string {
  const whole = `${path}.${name}`;
  try {
    writeFileSync(whole, name, { flag: 'wx' });
    // What is there can't be read: an earlier process was ended while it wrote, or the disk was full.
    if (existsSync(path)) renameSync(whole, path);
    else linkSync(whole, path);
    return name;
  } finally {
    rmSync(whole, { force: true });
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
