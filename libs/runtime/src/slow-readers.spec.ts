import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import fastify, { type FastifyInstance } from 'fastify';
import { eventually } from '../../../test/services/eventually.js';
import { createLogger } from './log.js';
import { endSlowReaders } from './slow-readers.js';

const megabytes = 64;
const body = 'x'.repeat(megabytes * 1_048_576);
let server: FastifyInstance;
let lines: string[];
let socket: Socket;
async function open(longestMs: number): Promise<void> {
  lines = [];
  server = fastify();
  const log = createLogger({ app: 'spec', level: 'info', to: { write: (line) => lines.push(line) } });
  endSlowReaders(server, { longestMs, log });
  server.get('/', async () => body);
  const { port } = new URL(await server.listen({ port: 0, host: '127.0.0.1' }));
  socket = connect(Number(port), '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
}
afterEach(async () => {
  socket.destroy();
  await server.close();
});

const connections = () => new Promise<number>((resolve) => server.server.getConnections((_, count) => resolve(count)));
const asks = (connection: string) => socket.write(`GET / HTTP/1.1\r\nHost: a\r\nConnection: ${connection}\r\n\r\n`);

describe('a client that does not take its answer', () => {
  it('loses its connection, though it asks for more meanwhile', async () => {
    await open(500);
    asks('keep-alive');
    asks('keep-alive');
    await eventually(async () => expect(await connections()).toBe(0), { withinMs: 20_000 });
    expect(lines.length).toBeGreaterThan(0);
    expect(lines[0]).toContain('does not take the answer');
  });
});

describe('a client that takes its answer', () => {
  it('gets all of it', async () => {
    await open(60_000);
    let bytes = 0;
    socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
    asks('close');
    await once(socket, 'close');
    expect(bytes).toBeGreaterThan(body.length);
    expect(lines).toEqual([]);
  });
});
