import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { runStrongroom } from '../../../test/services/run-strongroom.js';
import { exitCodes } from './exit-codes.js';

const id = randomUUID();
let folder: string;
/** It refuses everything, as the service refuses a run of a schedule while another one goes on. */
let refusing: Server;
let url: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-next-'));
  mkdirSync(join(folder, 'IAD'));
  const fault = { code: 422, message: 'It is still running.', refusal: 'backup-running-for-instance' };
  refusing = createServer((_, response) => {
    response.writeHead(422, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ unprocessableEntity: fault }));
  }).listen(0, '127.0.0.1');
  await once(refusing, 'listening');
  const address = refusing.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
});
afterAll(() => {
  refusing.close();
  rmSync(folder, { recursive: true });
});

const here = () => ['--url', url, '--account', 'acme'];
const vault = (name: string) => ['--from', 'IAD', '--vault', `IAD=${pathToFileURL(join(folder, name)).href}`];
const nowhere = ['--url', 'http://127.0.0.1:1', '--account', 'acme'];
const withToken = { STRONGROOM_TOKEN: 'a-token' };
const noVault = { STRONGROOM_VAULTS: 'IAD=file:///nowhere' };

it.each([
  ['usage', '(strongroom schedule show --help shows the options)', () => ['schedule', 'show', 'x'], {}],
  ['usage', 'Run: strongroom login --url URL --account ACCOUNT', () => ['schedule', 'list'], {}],
  ['usage', 'Say what is, such as --at 14:30.', () => ['schedule', 'update', id, ...here()], withToken],
  ['usage', "Give the URL of the ledger's database: STRONGROOM_DATABASE_URL", () => ['migrate'], {}],
  ['credentials', 'Run: strongroom login --profile NAME --url http', () => ['schedule', 'list', ...here()], {}],
  [
    'busy',
    'Run it again later. See how far that is: strongroom region list',
    () => ['region', 'list', ...here()],
    withToken,
  ],
  ['busy', 'See the address: strongroom profile list', () => ['region', 'list', ...nowhere], withToken],
  ['notFound', 'See what the vault holds: strongroom list --from IAD', () => ['verify', id, ...vault('IAD')], {}],
  ['failed', 'strongroom doctor --only vaults', () => ['verify', id, ...vault('none')], {}],
  ['failed', 'look again: strongroom doctor', () => ['doctor', '--only', 'vaults'], noVault],
  ['incomplete', 'Do what is said beside each of these', () => ['doctor', '--only', 'kafka'], {}],
] as const)('an error that ends a command as %s says what is next: %s', async (ending, next, args, env) => {
  const { code, stdout, output } = await runStrongroom(args(), { HOME: folder, ...env }, folder);
  expect({ code, said: output.slice(stdout.length) }).toEqual({
    code: exitCodes[ending],
    said: expect.stringContaining(next),
  });
});

it('a comparison that is no success says what is next, and prints nothing of that where data go', async () => {
  const file = join(folder, 'schedules.yaml');
  writeFileSync(file, 'schedules: [}');
  const { code, stdout, output } = await runStrongroom(['diff', '-f', file, ...here()], withToken, folder);
  expect({ code, stdout, output }).toEqual({
    code: exitCodes.usage,
    stdout: '',
    output: expect.stringMatching(/\nSee a file in the right form: strongroom schedule export\n$/),
  });
});
