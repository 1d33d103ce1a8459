import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '@strongroom/server-processes';
import { z } from 'zod';
import { folderForStack, Launcher } from '../apps/stack/fixtures/launcher.js';
import { commandsOf } from '../scripts/command-blocks.js';
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
    expect(steps.map(({ commands }) => commands)).toEqual(commandsOf(readFileSync(join(root, 'README.md'), 'utf8')));
    // The slot is moved away from now, so that the schedule does not run twice.
    const hour = new Date(Date.now() - 3_600_000).getUTCHours();
    // Nothing is installed in the folder of the test, so npx has nothing to find.
    const script = [
      `set -euo pipefail; npx() { shift; node '${cli}' "$@"; }`,
      ...steps.map(({ commands }) => commands.replace('"hour": 14', `"hour": ${hour}`)),
    ].join('\nprintf "\\n-- next --\\n"\n');
    const timeout = Math.ceil(120_000 * patienceNow({ measured: true }));
    const ran = spawnSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8', timeout });
    expect({ status: ran.status, stderr: ran.stderr }).toMatchObject({ status: 0 });
    const [, ...said] = ran.stdout.split('\n-- next --\n');
    const answers = said.map((text) => (text.trim() === '' ? undefined : JSON.parse(text)));
    expect(answers.map(formOf)).toEqual(steps.map(({ answer }) => formOf(answer)));
  }, 180_000);

  it('is gone on from by the tasks: each of their commands does what it says', () => {
    const [setUp = ''] = steps.map(({ commands }) => commands);
    const known = steps.flatMap(({ commands }) => commands.match(/^(INSTANCE|SCHEDULE|BACKUP)=.*$/gm) ?? []);
    const blocks = commandsOf(readFileSync(join(root, 'docs', 'tasks.md'), 'utf8'));
    expect([known.length, blocks.length]).toEqual([3, expect.any(Number)]);
    expect(blocks.length).toBeGreaterThan(10);
    const script = [
      `set -euo pipefail; npx() { shift; node '${cli}' "$@"; }`,
      // A refusal of the API ends the script.
      setUp.replace('curl -s ', 'curl -s --fail-with-body '),
      ...known,
      ...blocks,
    ].join('\n');
    runScript(script);
    expect(readdirSync(join(folder, 'restored'))).toContain('PG_VERSION');
  }, 180_000);

  it('is gone on from by the page of operations: each of its commands that can run here does what it says', () => {
    const known = steps.flatMap(({ commands }) => commands.match(/^BACKUP=.*$/gm) ?? []);
    const blocks = commandsOf(readFileSync(join(root, 'docs', 'operations.md'), 'utf8'));
    expect([known.length, blocks.length]).toEqual([1, 7]);
    const here = (text: string) => text.replaceAll(/\/(elsewhere|big\/disk)\b/g, (place) => `${folder}${place}`);
    const ring = "JSON.parse(fs.readFileSync('.strongroom/secrets.json')).secretKey";
    const script = [
      `set -euo pipefail; strongroom() { node '${cli}' "$@"; }; mkdir -p elsewhere big/disk`,
      // The ring of the services is left as it is: they have it from their environment.
      `node -p "${ring}" > ring; export STRONGROOM_SECRET_KEY_FILE=$PWD/ring`,
      ...known,
      ...blocks.map(here),
    ].join('\n');
    runScript(script);
    expect(readdirSync(folder)).toEqual(
      expect.arrayContaining(['owner.txt', 'ca.pem', 'db.internal.pem', 'tokens.json']),
    );
    expect(readdirSync(join(folder, 'elsewhere'))).toEqual(['heads']);
  }, 180_000);

  /** @throws what it has printed last, when it fails */
  function runScript(script: string): void {
    const timeout = Math.ceil(120_000 * patienceNow({ measured: true }));
    const ran = spawnSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8', timeout });
    if (ran.status !== 0) throw new Error(`${ran.stdout.slice(-2_000)}\n${ran.stderr.slice(-2_000)}`);
  }

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
