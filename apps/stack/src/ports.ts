/** The ports of a stack's own servers: free ones at the first start, the same ones afterwards, for they are known outside. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, isFree } from '@strongroom/server-processes';

/** @returns the port that the server had before, or another when that is taken by now */
export async function portOf(name: string, folder: string): Promise<number> {
  const path = join(folder, `${name}.port`);
  const before = existsSync(path) ? Number(readFileSync(path, 'utf8')) : undefined;
  const port = before && (await isFree(before)) ? before : await freePort();
  if (port !== before) writeFileSync(path, String(port));
  return port;
}
