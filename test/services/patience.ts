/** Time limits for tests that wait for real services on a busy machine. A test that hangs still fails. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { jest } from '@jest/globals';

/** How much slower this machine was than an idle one when the file of tests began, at least 1. */
export const patience = patienceNow();

/** The same for now: as it was measured last, or `measured` anew, which takes a moment. */
export function patienceNow({ measured = false } = {}): number {
  const known = Math.max(1, Number(process.env.STRONGROOM_TEST_PATIENCE) || 1);
  if (!measured) return known;
  const url = pathToFileURL(join(__dirname, 'slowness.mjs')).href;
  const ask = `import { slowness } from ${JSON.stringify(url)}; console.log(slowness())`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', ask], { encoding: 'utf8' });
  return Math.max(known, Number(stdout) || 1);
}

jest.setTimeout(60_000);
