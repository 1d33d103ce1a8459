import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { BearerTokens } from './bearer-tokens.js';

let server: Server;
let asked: number;
let answer: () => { status: number; headers?: Record<string, string>; body: unknown };
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-tokens-'));
  asked = 0;
  answer = () => ({ status: 200, body: { access_token: `token ${asked}`, expires_in: 100 } });
  server = createServer((_, response) => {
    asked += 1;
    const { status, headers = {}, body } = answer();
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

const urlOf = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
const source = () => ({ is: 'server', url: urlOf(), client: 'strongroom', secret: 'the-secret' }) as const;

it('a token of a server is shown until a fifth of its time is left, and then another one is asked for', async () => {
  let nowMs = 1_000;
  const tokens = new BearerTokens(source(), () => nowMs);
  expect(await tokens.get()).toBe('token 1');
  nowMs += 79_999;
  expect(await tokens.get()).toBe('token 1');
  nowMs += 1;
  expect(await tokens.get()).toBe('token 2');
  expect(asked).toBe(2);
});

it('a token of which the server tells no time is shown for four minutes', async () => {
  answer = () => ({ status: 200, body: { access_token: `token ${asked}` } });
  let nowMs = 0;
  const tokens = new BearerTokens(source(), () => nowMs);
  expect(await tokens.get()).toBe('token 1');
  nowMs = 239_999;
  expect(await tokens.get()).toBe('token 1');
  nowMs = 240_000;
  expect(await tokens.get()).toBe('token 2');
});

it('a token of a file is read each time, so that a new one counts at once', async () => {
  const path = join(folder, 'token');
  const tokens = new BearerTokens({ is: 'file', path });
  await writeFile(path, 'first\n');
  expect(await tokens.get()).toBe('first');
  await writeFile(path, 'second\n');
  expect(await tokens.get()).toBe('second');
});

it.each([
  ['refuses', { status: 401, body: { access_token: 'of-a-refusal', error: 'invalid_client' } }],
  ['answers with no token', { status: 200, body: { token: 'of-another-name' } }],
  ['leads elsewhere', { status: 307, headers: { location: '/elsewhere' }, body: { access_token: 'of-elsewhere' } }],
])('a server of tokens that %s gives none, and the secret is in no message', async (_, made) => {
  answer = () => made;
  const error = await new BearerTokens(source()).get().then(String, (thrown: Error) => thrown);
  expect(error).toBeInstanceOf(Error);
  const { message, cause } = error as Error;
  expect(message).toContain('KAFKA_SASL_TOKEN_URL');
  const secret = /the-secret|of-a|of-elsewhere/;
  expect(`${message} ${String(cause)}`).not.toMatch(secret);
  // Whoever answers at the other place would get the secret.
  expect(asked).toBe(1);
});
