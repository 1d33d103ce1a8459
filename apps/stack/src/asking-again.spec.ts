import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { freePort } from '@strongroom/server-processes';
import { askingAgain } from './asking-again.js';

let server: Server;
let port: number;
let statuses: number[];
let seen: IncomingHttpHeaders[];
let waits: string[];
beforeEach(async () => {
  port = await freePort();
  statuses = [];
  seen = [];
  waits = [];
  server = createServer(({ headers }, response) => {
    seen.push(headers);
    response.writeHead(statuses.shift() ?? 200).end();
  });
});
afterEach(() => void server.close());

const listening = () => once(server.listen(port, '127.0.0.1'), 'listening');
const url = () => `http://127.0.0.1:${port}/`;
const asking = (signal = new AbortController().signal, longestMs?: number) =>
  askingAgain({ signal, onWait: (why) => waits.push(why), ...(longestMs !== undefined && { longestMs }) });

describe('asking an API that is starting', () => {
  it('goes on at every 503 until there is an answer, with one key for the whole request', async () => {
    await listening();
    statuses = [503, 503, 202];
    expect((await asking()(url(), { method: 'POST' })).status).toBe(202);
    expect(new Set(seen.map((headers) => headers['idempotency-key'])).size).toBe(1);
    expect(seen[0]?.['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect(waits).toEqual(['the API answers 503', 'the API answers 503']);
  });

  it('goes on while nobody listens', async () => {
    const answer = asking()(url());
    await new Promise((resolve) => setImmediate(resolve));
    await listening();
    expect((await answer).status).toBe(200);
    expect(seen[0]).not.toHaveProperty('idempotency-key');
  });

  it('takes a refusal for an answer, and gives the last 503 in the end', async () => {
    await listening();
    statuses = [422];
    expect((await asking()(url())).status).toBe(422);
    statuses = Array.from({ length: 9 }, () => 503);
    expect((await asking(undefined, 600)(url())).status).toBe(503);
  });

  it('ends when it is called off', async () => {
    const callOff = new AbortController();
    const answer = asking(callOff.signal)(url());
    callOff.abort(new Error('stopped by SIGINT'));
    await expect(answer).rejects.toThrow('stopped by SIGINT');
  });
});
