/** Writes a file that is there whole or not at all, even when the writer is killed. */
import { renameSync, writeFileSync } from 'node:fs';

/** Only the owner of the file can read it. */
export function writeWhole(path: string, text: string): void {
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, text, { mode: 0o600 });
  renameSync(unfinished, path);
}

export function writeJson(path: string, content: unknown): void {
  writeWhole(path, `${JSON.stringify(content, null, 2)}\n`);
}
