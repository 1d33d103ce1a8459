import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger, Metrics } from '@strongroom/runtime';
import { Heartbeat } from './heartbeat.js';

let server: Server;
let asked: string[];
let status: number;
let metrics: Metrics;
let nowMs: number;
let looks: 'well' | 'failing';
let heartbeat: Heartbeat;

beforeEach(async () => {
  asked = [];
  status = 200;
  nowMs = 0;
  looks = 'well';
  metrics = new Metrics();
  server = createServer((request, reply) => {
    asked.push(`${request.method} ${request.url}`);
    reply.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end('OK');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  heartbeat = new Heartbeat({
    url: new URL(`http://127.0.0.1:${port}/secret-key?rid=1`),
    probe: async () => {
      if (looks === 'failing') throw new Error('the database at db.internal is away');
    },
    metrics,
    log: createLogger({ app: 'spec', level: 'silent' }),
    now: () => nowMs,
  });
});
afterEach(
  () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
);

const told = async (outcome: string) =>
  Number(new RegExp(`strongroom_heartbeats_total\\{outcome="${outcome}"\\} (\\d+)`).exec(await metrics.text())?.[1]);

describe('the heartbeat of a scheduler', () => {
  it('is told once a minute while the looks for due slots succeed', async () => {
    expect(await heartbeat.beat()).toEqual({ nextInMs: 60_000 });
    expect(asked).toEqual(['GET /secret-key?rid=1']);
    expect([await told('taken'), await told('failed')]).toEqual([1, 0]);
  });

  it('says that looks fail when they have failed for half a minute, and nothing of why', async () => {
    looks = 'failing';
    expect(await heartbeat.beat()).toEqual({ nextInMs: 10_000 });
    nowMs = 29_000;
    await heartbeat.beat();
    expect(asked).toEqual([]);
    nowMs = 30_000;
    expect(await heartbeat.beat()).toEqual({ nextInMs: 60_000 });
    expect(asked).toEqual(['GET /secret-key/fail?rid=1']);
  });

  it('begins to count anew when a look has succeeded', async () => {
    looks = 'failing';
    await heartbeat.beat();
    looks = 'well';
    nowMs = 20_000;
    await heartbeat.beat();
    looks = 'failing';
    nowMs = 40_000;
    await heartbeat.beat();
    expect(asked).toEqual(['GET /secret-key?rid=1']);
  });

  it.each([404, 500, 302])(
    'is counted as failed when %i is answered, and its fault does not show the secret',
    async (answer) => {
      status = answer;
      const fault = await heartbeat.beat().catch((error: unknown) => String(error));
      expect(fault).toMatch(/127\.0\.0\.1:\d+ does not take the heartbeat/);
      expect(fault).not.toContain('secret-key');
      expect(asked).toHaveLength(1);
      expect([await told('taken'), await told('failed')]).toEqual([0, 1]);
    },
  );

  it('is no fault of the notifier when the process stops', async () => {
    const stopping = AbortSignal.abort(new Error('the heartbeat is stopping'));
    await expect(heartbeat.beat(stopping)).rejects.toThrow('the heartbeat is stopping');
    expect(await told('failed')).toBe(0);
  });
});
