import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { dial } from './dial.js';

const never = new AbortController().signal;
const distanceMs = 600;

/** A host so far away that its answer takes much longer than the pause before the next address is tried. */
class Distant extends Socket {
  override connect = (options: unknown): this => {
    setTimeout(() => !this.destroyed && super.connect(options as { host: string; port: number }), distanceMs);
    return this;
  };
}
/** A host that takes packets and answers none. */
class Dead extends Socket {
  override connect = (): this => this;
}

describe('a host with several addresses', () => {
  let server: Server;
  let port: number;
  beforeEach(async () => {
    server = createServer((socket) => socket.on('error', () => {}));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  afterEach(() => {
    for (const socket of made.splice(0)) socket.destroy();
    server.close();
  });
  const among =
    (...addresses: string[]) =>
    async () =>
      addresses.map((address) => ({ address, family: 4 }));
  const made: Socket[] = [];
  const socketFor = (address: string) => {
    const kinds: Record<string, new () => Socket> = { '127.0.0.1': Distant, '203.0.113.1': Dead, '203.0.113.2': Dead };
    const socket = new (kinds[address] ?? Socket)();
    made.push(socket);
    return socket;
  };

  it.each([
    ['before', ['203.0.113.1', '127.0.0.1']],
    ['behind', ['127.0.0.1', '203.0.113.1']],
    ['on both sides of', ['203.0.113.1', '127.0.0.1', '203.0.113.2']],
  ])('is reached at a distant one with a dead one %s it, and the others are let go', async (_, addresses) => {
    const socket = await dial('db', port, { withinMs: 20_000, signal: never, lookup: among(...addresses), socketFor });
    expect(socket.remoteAddress).toBe('127.0.0.1');
    expect(made.filter(({ destroyed }) => !destroyed)).toEqual([socket]);
  });

  it('is reached at the next one at once where one refuses', async () => {
    const lookup = among('127.0.0.2', '127.0.0.3', '127.0.0.1');
    const socket = await dial('db', port, { withinMs: 20_000, signal: never, lookup });
    expect(socket.remoteAddress).toBe('127.0.0.1');
    socket.destroy();
  });

  it('is told with each of them when none answers in time, or when each refuses', async () => {
    const dead = among('203.0.113.1', '203.0.113.2');
    const late = dial('db', port, { withinMs: 400, signal: never, lookup: dead, socketFor });
    await expect(late).rejects.toThrow('nothing answered at 203.0.113.1 or 203.0.113.2 within 0.4 s');
    expect(made.every(({ destroyed }) => destroyed)).toBe(true);
    const refused = dial('db', port, { withinMs: 20_000, signal: never, lookup: among('127.0.0.2', '127.0.0.3') });
    await expect(refused).rejects.toThrow(/ECONNREFUSED 127\.0\.0\.2:\d+, connect ECONNREFUSED 127\.0\.0\.3/);
  });

  it('says so when its name is not looked up in time', async () => {
    const lookup = () => new Promise<never>(() => {});
    await expect(dial('db', port, { withinMs: 50, signal: never, lookup })).rejects.toThrow(
      'the name db was not looked up within 0.05 s',
    );
  });

  it('ends at once when it is called off', async () => {
    const calledOff = new AbortController();
    const dialling = dial('db', port, {
      withinMs: 20_000,
      signal: calledOff.signal,
      lookup: among('203.0.113.1'),
      socketFor,
    });
    calledOff.abort(new Error('called off'));
    await expect(dialling).rejects.toThrow('called off');
  });
});

describe('an IPv6 address', () => {
  it.each(['::1', '::1%lo'])('%s is dialled as it is', async (host) => {
    const server = createServer((socket) => socket.on('error', () => {}));
    server.listen(0, '::1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const socket = await dial(host, port, { withinMs: 20_000, signal: never });
    expect(socket.remoteAddress).toMatch(/^::1/);
    socket.destroy();
    server.close();
  });
});
