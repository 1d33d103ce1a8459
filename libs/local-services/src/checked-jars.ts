/** Compares fetched jars with the list of their digests in `kafka/jars.sha256`. Each jar of the list is there, and no other. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @param list a file as `sha256sum` writes it
 * @throws an error that names the first jar that is not the one of the list
 */
export function checkJars(folder: string, list: string): void {
  const wanted = new Map(
    readFileSync(list, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line): [string, string] => [line.slice(66), line.slice(0, 64)]),
  );
  const there = readdirSync(folder).sort();
  for (const name of there) {
    const digest = createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex');
    const expected = wanted.get(name);
    if (expected === undefined) throw new Error(`it brought ${name}, which ${list} does not list`);
    if (digest !== expected) throw new Error(`it brought another ${name} than ${list} lists: its SHA-256 is ${digest}`);
  }
  const missing = [...wanted.keys()].find((name) => !there.includes(name));
  if (missing !== undefined) throw new Error(`it brought no ${missing}`);
}
