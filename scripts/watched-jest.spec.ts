import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { patience } from '../test/services/patience.js';

const root = join(__dirname, '..');
const outcome = z.object({ status: z.int().nullable(), unended: z.string().optional() });
const open = z.array(z.object({ spec: z.string(), left: z.array(z.string()) }));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-watched-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What is told of a run of Jest that has one file, with this text. Jest's own process runs it. */
function told(text: string, graceMs = 60_000) {
  const [config, underWay, leftOpen] = ['jest.config.json', 'under-way', 'left-open'].map((name) => join(folder, name));
  mkdirSync(String(underWay));
  writeFileSync(join(folder, 'one.spec.js'), text);
  const testEnvironment = join(root, 'test', 'services', 'patient-environment.mjs');
  writeFileSync(String(config), JSON.stringify({ testEnvironment, transform: {}, testMatch: ['<rootDir>/*.spec.js'] }));
  const jest = [
    join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
    '--config',
    config,
    '--runInBand',
    '--no-watchman',
  ];
  const options = { underWay, graceMs: graceMs * patience, stdio: 'ignore', cwd: folder };
  const program = `
    import { watchedJest } from ${JSON.stringify(join(__dirname, 'watched-jest.mjs'))};
    const env = { ...process.env, STRONGROOM_UNDER_WAY: ${JSON.stringify(underWay)}, STRONGROOM_LEFT_OPEN: ${JSON.stringify(leftOpen)} };
    const options = { ...${JSON.stringify(options)}, env, descendantsOf: () => [] };
    console.log(JSON.stringify(await watchedJest([process.execPath, ...${JSON.stringify(jest)}], options)));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  const lines = existsSync(String(leftOpen)) ? readFileSync(String(leftOpen), 'utf8').split('\n').filter(Boolean) : [];
  return { ...outcome.parse(JSON.parse(stdout)), leftOpen: open.parse(lines.map((line) => JSON.parse(line))) };
}

describe('a file of tests', () => {
  it('that computes without end is named with its test, and the run is ended', () => {
    expect(told(`describe('a sum', () => test('is found', () => { for (;;); }, 100));`, 1_000)).toEqual({
      status: null,
      unended: expect.stringMatching(/^one\.spec\.js is in its test of "a sum is found", and has been for \d+ s$/),
      leftOpen: [],
    });
  }, 60_000);

  it('that leaves something open is named with what it is, and the run is ended', () => {
    expect(told(`test('waits', () => { setInterval(() => {}, 1_000); });`, 2_000)).toEqual({
      status: null,
      unended: expect.stringMatching(/^Jest did not end within \d+ s after its last file$/),
      leftOpen: [{ spec: 'one.spec.js', left: ['1 × Timeout'] }],
    });
  }, 60_000);

  it('that ends is not spoken of, and its failure is the status', () => {
    expect(told(`test('holds', () => { setTimeout(() => {}, 50); });`)).toEqual({ status: 0, leftOpen: [] });
    rmSync(join(folder, 'under-way'), { recursive: true });
    expect(told(`test('fails', () => { throw new Error('no'); });`)).toEqual({ status: 1, leftOpen: [] });
  }, 60_000);
});
