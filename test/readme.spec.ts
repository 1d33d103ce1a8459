import { spawnSync } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '@strongroom/server-processes';
import { z } from 'zod';
import { folderForStack, Launcher } from '../apps/stack/fixtures/launcher.js';
import { patienceNow } from './services/patience.js';

const root = join(__dirname, '..');
const cli = join(root, 'dist', 'apps', 'cli', 'src', 'main.js');

/** What is written between `npm start` and a verified copy: commands, each with the answer that follows it. */
interface Step {
  commands: string;
  answer: unknown;
}

function stepsOf(readme: string): Step[] {
  const section = /^## From the token to the verified copy\n(.*?)^## /ms.exec(readme)?.[1] ?? '';
  const blocks = [...section.matchAll(/^```(sh|json)\n(.*?)^```$/gms)].map(([, kind, text = '']) => ({ kind, text }));
  return blocks.flatMap(({ kind, text }, index) => {
    if (kind === 'json') return [];
    const next = blocks[index + 1];
    return [{ commands: text, answer: next?.kind === 'json' ? JSON.parse(next.text) : undefined }];
  });
}

/**
 * The form of an answer, which is the same for two backups. Words are kept, and what differs at each run is replaced by
 * its form.
 */
function formOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(formOf);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, formOf(each)]));
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal';
  if (typeof value !== 'string') return value;
  const forms: [RegExp, string][] = [
    [/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'an id'],
    [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, 'a time in UTC'],
    [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/, 'a time'],
    [/^[0-9a-f]{64}$/, 'a SHA-256'],
    [/^strongroom:\/\/DFW\//, 'a place in DFW'],
    [/^strongroom:\/\/IAD\//, 'a place in IAD'],
    [/^strongroom:\/\/ORD\//, 'a place in ORD'],
    [/^\d+\.\d+$/, 'a version as the server tells it'],
    [/^shop-\d{8}T\d{6}Z$/, 'the name and the time'],
  ];
  return forms.find(([form]) => form.test(value))?.[1] ?? value;
}

describe('the README', () => {
  let folder: string;
  let launcher: Launcher;
  const steps = stepsOf(readFileSync(join(root, 'README.md'), 'utf8'));

  beforeAll(async () => {
    folder = folderForStack();
    launcher = new Launcher({ folder, port: await freePort() }, '--broker', 'embedded');
    symlinkSync('data', join(folder, '.strongroom'));
    await launcher.says('Up in');
  }, 120_000);
  afterAll(() => launcher.remove());

  it('leads from the token to a verified copy: each call is answered as it says', () => {
    expect(steps).toHaveLength(6);
    // The slot is moved away from now, so that the schedule does not run twice.
    const hour = new Date(Date.now() - 3_600_000).getUTCHours();
    // Nothing is installed in the folder of the test, so npx has nothing to find.
    const script = [
      `set -euo pipefail; npx() { shift; node '${cli}' "$@"; }`,
      ...steps.map(({ commands }) => commands.replace('"hour": 14', `"hour": ${hour}`)),
    ].join('\nprintf "\\n-- next --\\n"\n');
    const timeout = 120_000 * patienceNow({ measured: true });
    const ran = spawnSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8', timeout });
    expect({ status: ran.status, stderr: ran.stderr }).toMatchObject({ status: 0 });
    const [, ...said] = ran.stdout.split('\n-- next --\n');
    const answers = said.map((text) => (text.trim() === '' ? undefined : JSON.parse(text)));
    expect(answers.map(formOf)).toEqual(steps.map(({ answer }) => formOf(answer)));
  }, 180_000);

  it('shows a backup whose copies have its own SHA-256', () => {
    const copied = z.object({
      backups: z.tuple([
        z.object({
          checksum: z.string(),
          copies: z.array(z.object({ checksum: z.string(), verified: z.literal(true) })),
        }),
      ]),
    });
    const [backup] = copied.parse(steps[4]?.answer).backups;
    expect(backup.copies.map(({ checksum }) => checksum)).toEqual([backup.checksum, backup.checksum]);
  });
});
