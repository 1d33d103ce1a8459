import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const run = promisify(execFile);
const script = join(__dirname, 'console.mjs');
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-console-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Compresses the files as the build does. @returns their size, in bytes */
async function compressed(files: Record<string, Buffer>): Promise<number> {
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
  const ask = `import { compressAll } from ${JSON.stringify(script)}; console.log(compressAll(${JSON.stringify(folder)}));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', ask]);
  return Number(stdout);
}

describe('the files of the console', () => {
  it('are compressed, and may have 60 KiB together', async () => {
    const fits = { 'a.js': randomBytes(30_000), 'b.css': randomBytes(30_000), 'c.js': Buffer.alloc(1_000_000) };
    expect(await compressed(fits)).toBeLessThanOrEqual(60 * 1_024);
    expect((await readdir(folder)).sort()).toEqual(['a.js.gz', 'b.css.gz', 'c.js.gz']);
  });

  it('fail the build when they have more', async () => {
    const tooMuch = { 'a.js': randomBytes(31_000), 'b.css': randomBytes(31_000) };
    await expect(compressed(tooMuch)).rejects.toThrow(/the console has 6\d{4} bytes, compressed, and may have 61440/);
  });
});
