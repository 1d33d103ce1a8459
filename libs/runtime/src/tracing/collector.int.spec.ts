import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { eventually } from '../../../../test/services/eventually.js';
import { createLogger } from '../log.js';
import { Metrics } from '../metrics.js';
import { tellSpans } from './collector.js';
import { inOwnTrace } from './spans.js';

/** What waits for the collector at the most, as decision 232 has it. */
const mostWaiting = 2_048;

let server: Server;
let asked: ServerResponse[];
beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    request.resume().on('end', () => asked.push(response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
});

async function telling() {
  const metrics = new Metrics();
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`);
  const config = { url, headers: {}, sampledShare: 1, serviceName: 'spec' };
  const log = createLogger({ app: 'spec', level: 'silent' });
  const collector = await tellSpans(config, { log, metrics, process: 'spec' });
  const lost = async () => Number(/^strongroom_spans_lost_total (\d+)/m.exec(await metrics.text())?.[1] ?? 0);
  const work = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, at) => inOwnTrace([], { name: 'work' }, () => Promise.resolve(at))));
  return { collector, lost, work };
}

it('a collector that hangs holds nothing up: so many spans wait for it, and the others are left out and counted', async () => {
  const { collector, lost, work } = await telling();
  expect(await work(10_000)).toHaveLength(10_000);
  expect(await lost()).toBe(10_000 - mostWaiting);
  await eventually(() => expect(asked).toHaveLength(1), { withinMs: 4_000 });
  // What it takes in the end makes room for as many.
  asked[0]?.setHeader('content-type', 'application/json').end('{}');
  await eventually(() => expect(asked).toHaveLength(2), { withinMs: 4_000 });
  await work(1_000);
  expect(await lost()).toBe(10_000 - mostWaiting + 1_000 - 512);
  // One batch is under way at a time.
  expect(asked).toHaveLength(2);
  await collector.end();
}, 60_000);
