/** The ports of a stack's own servers. They are free ports at the first start and stay the same, because others know them. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, isFree } from '@strongroom/server-processes';

/** @returns the port that the server had before, or another when that one is taken now */
export async function portOf(name: string, folder: string): Promise<number> {
  const path = join(folder, `${name}.port`);
  const before = existsSync(path) ? Number(readFileSync(path, 'utf8')) : undefined;
  const port = before && (await isFree(before)) ? before : await freePort();
  if (port !== before) writeFileSync(path, String(port));
  return port;
}
