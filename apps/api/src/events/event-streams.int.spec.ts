import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createDataSource, migrate } from '@strongroom/database';
import { hashToken, StaticTokens } from '@strongroom/identity';
import { Ledger } from '@strongroom/ledger';
import { createLogger, RandomIds, SystemClock } from '@strongroom/runtime';
import createServer, { type FastifyInstance } from 'fastify';
import type { DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { answer } from '../edge/http-fault.filter.js';
import { HttpFault } from '../edge/http-fault.js';
import { EventStreams } from './event-streams.js';

const token = 'the token of the spec';
const right = { name: 'spec', sha256: hashToken(token), accountId: 'acme', roles: ['observer'] };
const within = { withinMs: 20_000 };
const ids = new RandomIds();
const log = createLogger({ app: 'api', level: 'silent', to: { write: () => {} } });

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
let folder: string;
let tokensFile: string;
let identity: StaticTokens;
let streams: EventStreams;
let server: FastifyInstance;
/** The server's response of the newest stream. */
let raw: ServerResponse;

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = await createDataSource({ url: database.url, applicationName: 'event-streams-spec' }).initialize();
  await migrate(dataSource);
  ledger = new Ledger(dataSource);
  folder = await mkdtemp(join(tmpdir(), 'strongroom-streams-'));
  tokensFile = join(folder, 'tokens.json');
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
  await rm(folder, { recursive: true });
});

/** The gateway's streams at a faster pace: what takes a minute takes a moment. */
beforeEach(async () => {
  await writeFile(tokensFile, JSON.stringify([right]));
  identity = await StaticTokens.open({ path: tokensFile, clock: new SystemClock(), log });
  const timings = { pollMs: 20, heartbeatMs: 100, trustMs: 100 };
  streams = new EventStreams(ledger, identity, log, timings);
  await streams.onModuleInit();
  server = createServer();
  server.setErrorHandler((error, _, reply) => {
    if (!(error instanceof HttpFault)) throw error;
    answer(reply, error);
  });
  server.get('/stream', async (request, reply) => {
    raw = reply.raw;
    await streams.open({ accountId: 'acme', after: 0, request, reply });
  });
  await server.listen({ port: 0, host: '127.0.0.1' });
});
afterEach(async () => {
  await streams.onModuleDestroy();
  await server.close();
});

const url = () => `${server.listeningOrigin}/stream`;
const open = () => fetch(url(), { headers: { 'x-auth-token': token } });

describe('a stream of events', () => {
  it('that has nothing to tell says so now and then, as long as its token is trusted', async () => {
    const response = await open();
    let said = '';
    for await (const chunk of response.body ?? []) {
      said += Buffer.from(chunk).toString();
      if (said.split(': still here\n\n').length > 10) break;
    }
    expect(said).toMatch(/^retry: 2000\nid: 0\n\n(: still here\n\n)+$/);
  });

  it.each([
    ['is nobody’s any more', []],
    ['has lost its role', [{ ...right, roles: ['member'] }]],
    ['is of another account now', [{ ...right, accountId: 'other' }]],
  ])('ends when its token %s', async (_, tokens) => {
    const response = await open();
    await writeFile(tokensFile, JSON.stringify(tokens));
    // The text is there when the stream has ended.
    await expect(response.text()).resolves.toContain('retry: 2000');
  });

  it('whose client does not read waits for it, costs no memory, and loses nothing', async () => {
    const count = 4_000;
    const instanceId = ids.next();
    for (let n = 0; n < count; n += 500) {
      const data = {
        scheduleId: ids.next(),
        instanceId,
        slotAt: '2026-11-23T14:30:00.000Z',
        reason: 'x'.repeat(2_000),
      };
      await ledger.append({
        stream: `backup-${ids.next()}`,
        expectedVersion: 0,
        accountId: 'acme',
        instanceId,
        context: { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' },
        events: Array.from({ length: 500 }, () => ({ id: ids.next(), type: 'SlotSkipped', data })),
        claims: [],
        releases: [],
      });
    }
    const { hostname, port } = new URL(url());
    const socket = connect(Number(port), hostname).pause();
    socket.write(`GET /stream HTTP/1.1\r\nHost: x\r\nX-Auth-Token: ${token}\r\n\r\n`);
    let most = 0;
    let sent = 0;
    let looksAtStandstill = 0;
    await eventually(() => {
      most = Math.max(most, raw.writableLength);
      const { bytesWritten = 0 } = raw.socket ?? {};
      looksAtStandstill = raw.writableNeedDrain && bytesWritten === sent ? looksAtStandstill + 1 : 0;
      sent = bytesWritten;
      expect(looksAtStandstill).toBeGreaterThan(20);
    }, within);
    expect(most).toBeLessThan(200_000);

    let told = 0;
    let rest = '';
    socket.on('data', (chunk: Buffer) => {
      const lines = `${rest}${chunk.toString()}`.split('\n');
      rest = lines.pop() ?? '';
      told += lines.filter((line) => line === 'event: SlotSkipped').length;
    });
    socket.resume();
    await eventually(() => expect(told).toBe(count), within);
    socket.destroy();
    await once(socket, 'close');
  });

  it('is not begun by a gateway that stops, which would leave it without an end', async () => {
    const before = await open();
    await streams.onModuleDestroy();
    await before.text();
    const response = await open();
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    await expect(response.json()).resolves.toMatchObject({ serviceUnavailable: { code: 503 } });
  });
});
