import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { freePort } from '@strongroom/server-processes';
import { answerOf } from './server-answer.js';

let server: Server | undefined;
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server?.close();
});

/** A server that says these bytes to whoever has said something. */
async function saying(...said: Buffer[]): Promise<number> {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => {
      for (const bytes of said) socket.write(bytes);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function refusing(code: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0Mno matter\0\0`, 'latin1');
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

const asksForPassword = Buffer.from([0x52, 0, 0, 0, 12, 0, 0, 0, 5, 1, 2, 3, 4]);

describe('the answer of a server to somebody who does not log in', () => {
  it.each([
    ['that asks who one is', [asksForPassword], 'accepts'],
    ['that refuses the user', [refusing('28000')], 'accepts'],
    ['that has no connection free', [refusing('53300')], 'accepts'],
    ['that is starting', [refusing('57P03')], 'starting'],
    ['that says so byte by byte', [...refusing('57P03')].map((byte) => Buffer.from([byte])), 'starting'],
    ['that speaks another protocol', [Buffer.from('HTTP/1.1 400 Bad Request\r\n')], 'none'],
    ['whose message has no end', [Buffer.from([0x45, 0x7f, 0xff, 0xff, 0xff])], 'none'],
  ])('%s', async (_, said, answer) => {
    expect(await answerOf(await saying(...said))).toBe(answer);
  });

  it('is none where nobody listens, or nothing is said', async () => {
    expect(await answerOf(await freePort())).toBe('none');
    expect(await answerOf(await saying())).toBe('none');
  }, 30_000);
});
