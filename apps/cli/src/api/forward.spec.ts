import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type EventResource, eventResource } from '@strongroom/contracts';
import { cursorIn, forwarded } from './forward.js';

const event = (n: number): EventResource =>
  eventResource.parse({
    ...{ id: `01a215f5-024d-71e2-8f62-00000000000${n}`, type: 'ScheduleDeleted', at: '2026-11-26T03:45:08.177Z' },
    ...{ subject: { kind: 'schedule', id: 's' }, version: n, instance_id: 'i', data: {}, request_id: 'r' },
    ...{ correlation_id: 'r', causation_id: null, actor: 'jane', actor_details: null, reason: null },
    ...{ client_request_id: null, client_correlation_id: null },
  });
const never = new AbortController().signal;

let server: Server;
let url: string;
let folder: string;
let received: unknown[];
/** What the receiver answers, one time after the other; 204 after that. */
let answers: number[];

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  received = [];
  answers = [];
  server = createServer(async (request, response) => {
    const status = answers.shift() ?? 204;
    const body = await json(request);
    if (status === 204) received.push(body);
    response.writeHead(status, { location: '/elsewhere' }).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/hook`;
  folder = await mkdtemp(join(tmpdir(), 'strongroom-forward-'));
});
afterEach(async () => {
  jest.restoreAllMocks();
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

describe('an event that is forwarded', () => {
  it('is sent until it is taken, and then remembered', async () => {
    const cursor = join(folder, 'cursor');
    expect(await cursorIn(cursor)).toBeUndefined();
    answers = [503, 429];
    for (const each of [event(1), event(2)]) await forwarded(each, { url, cursor }, never);
    expect(received).toEqual([event(1), event(2)]);
    expect(await cursorIn(cursor)).toBe(event(2).id);
    expect(await readFile(cursor, 'utf8')).toBe(`${event(2).id}\n`);
    expect(await readdir(folder)).toEqual(['cursor']);
  });

  it('that is refused for good ends the command, and is not remembered', async () => {
    const cursor = join(folder, 'cursor');
    for (const status of [400, 404, 302]) {
      answers = [status];
      await expect(forwarded(event(1), { url, cursor }, never)).rejects.toThrow(
        `answers ${status} to event ${event(1).id}`,
      );
    }
    expect(received).toEqual([]);
    expect(await cursorIn(cursor)).toBeUndefined();
  });

  it('is not sent again when the user ends the command', async () => {
    const ending = new AbortController();
    answers = Array.from({ length: 9 }, () => 503);
    const sent = forwarded(event(1), { url }, ending.signal);
    ending.abort(new Error('ended'));
    await expect(sent).rejects.toThrow();
    expect(received).toEqual([]);
  });

  it('is not looked for in a file that has something else', async () => {
    await writeFile(join(folder, 'notes'), 'remember the milk\n');
    await expect(cursorIn(join(folder, 'notes'))).rejects.toThrow('does not have the id of an event');
  });
});
