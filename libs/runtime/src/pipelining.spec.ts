import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/services/eventually.js';
import { createLogger } from './log.js';
import { limitPipelining } from './pipelining.js';

let server: Server;
let socket: Socket;
let lines: string[];
let asked: ServerResponse[];
beforeEach(async () => {
  [lines, asked] = [[], []];
  server = createServer((_, response) => asked.push(response));
  const log = createLogger({ app: 'spec', level: 'info', to: { write: (line) => lines.push(line) } });
  limitPipelining(server, { most: 4, log });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  socket = connect(typeof address === 'object' ? (address?.port ?? 0) : 0, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
});
afterEach(async () => {
  socket.destroy();
  server.close();
  await once(server, 'close');
});

const ask = (count: number) => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(count));

describe('requests that are sent ahead', () => {
  it('end their connection when there are far too many, and the rest of them costs nothing', async () => {
    ask(1_000);
    socket.resume();
    await once(socket, 'close');
    expect(asked).toHaveLength(4);
    expect(lines).toEqual([expect.stringContaining('too many requests ahead')]);
  });

  it('are answered one after the other while they are few, however many there are in all', async () => {
    let said = '';
    socket.on('data', (data) => {
      said += data.toString();
    });
    for (let round = 1; round <= 5; round += 1) {
      ask(4);
      await eventually(() => expect(asked).toHaveLength(4), { withinMs: 10_000 });
      for (const [n, response] of asked.splice(0).entries()) response.end(`answer ${round}.${n};`);
      await eventually(() => expect(said).toContain(`answer ${round}.3;`), { withinMs: 10_000 });
    }
    expect(said.match(/answer/g)).toHaveLength(20);
  });
});
