import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/services/eventually.js';
import { limitConnections } from './connection-limit.js';
import { createLogger } from './log.js';

let server: Server;
let lines: string[];
let sockets: Socket[];
let requests: number;
/** Where the connections to come are from. */
let from: string;

beforeEach(async () => {
  [lines, sockets, requests, from] = [[], [], 0, '192.0.2.1'];
  server = createServer((_, reply) => {
    requests += 1;
    reply.end('served');
  });
  limitConnections(server, {
    most: 4,
    mostOfAddress: 2,
    addresses: { of: () => from, isProxy: (address) => address === 'proxy' },
    log: createLogger({ app: 'spec', level: 'warn', to: { write: (line) => lines.push(line) } }),
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, 'close');
});

async function open(): Promise<Socket> {
  const address = server.address();
  const socket = connect(typeof address === 'object' ? (address?.port ?? 0) : 0, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

describe('a server with as many connections as it serves', () => {
  it('answers 503 to the next one, which costs it no request, and serves again when one is closed', async () => {
    from = 'proxy';
    const [first] = [await open(), await open(), await open(), await open()];
    const refused = await open();
    refused.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const told = await text(refused);
    expect(told).toMatch(/^HTTP\/1\.1 503 .*Retry-After: 5\r\n.*{"serviceUnavailable":{"code":503/s);
    expect(requests).toBe(0);
    first?.destroy();
    await eventually(
      async () => {
        const served = await open();
        served.end('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
        expect(await text(served)).toContain('served');
      },
      { withinMs: 10_000 },
    );
  });

  it('says so once a minute at most, and stands a flood of them', async () => {
    from = 'proxy';
    await Promise.all([open(), open(), open(), open()]);
    const flood = await Promise.all(Array.from({ length: 50 }, open));
    await Promise.all(flood.map((socket) => text(socket)));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('STRONGROOM_MAX_CONNECTIONS');
  });
});

describe('an address with as many connections as it may have', () => {
  it('is answered 503 for the next one, and keeps nobody else from being served', async () => {
    await Promise.all([open(), open()]);
    expect(await text(await open())).toMatch(/^HTTP\/1\.1 503 .*Your address has as many connections/s);
    expect(lines).toEqual([expect.stringContaining('STRONGROOM_MAX_CONNECTIONS_PER_ADDRESS')]);
    from = '2001:db8:0:0:a::1';
    const served = await open();
    served.end('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(await text(served)).toContain('served');
  });

  it('has one count with its neighbours where it has many, and none where it is a listed proxy', async () => {
    from = '2001:db8:0:0:a::1';
    await open();
    from = '2001:db8::b:0:0:2';
    await open();
    expect(await text(await open())).toContain('Your address');
    from = 'proxy';
    await Promise.all([open(), open()]);
    expect(await text(await open())).toContain('as many connections as it serves');
  });
});
