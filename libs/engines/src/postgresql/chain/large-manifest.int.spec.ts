import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

const run = promisify(execFile);
const root = join(__dirname, '..', '..', '..', '..', '..');

/** The nightly run has three million. */
const many = Number(process.env.STRONGROOM_MANIFEST_FILES ?? 1_000_000);

describe("a server's manifest", () => {
  const found = z.object({ taken: z.int(), writtenBytes: z.int(), rssKib: z.number() });
  it.each([
    [`${many} files`, many, 1],
    ['three hundred thousand files, in a chain of five', 300_000, 5],
  ])(
    'of %s takes less than 256 MiB of memory to read, compare and write',
    async (_, files, backups) => {
      const script = join(root, 'scripts', 'run-typescript.cjs');
      const measured = join(root, 'libs', 'engines', 'fixtures', 'read-large-manifest.ts');
      // Newer versions of Node let more garbage lie before they collect it: that is no need of ours.
      const args = ['--max-heap-size=128', script, measured, String(files), String(backups)];
      const { taken, writtenBytes, rssKib } = found.parse(JSON.parse((await run(process.execPath, args)).stdout));
      expect(taken).toBe(files * backups);
      expect(writtenBytes).toBeGreaterThan(files * 190);
      expect(rssKib / 1_024).toBeLessThan(256);
    },
    600_000,
  );
});
