/** What stands between us and a server, or a server itself, may answer when it is asked for TLS. */
import { once } from 'node:events';
import { type AddressInfo, connect as connectPlainly, createServer, type Server, type Socket } from 'node:net';
import { connect, TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import { CertificateAuthority } from '../../../../test/services/certificates.js';
import { ServerConnection } from './connection.js';

const never = new AbortController().signal;
const authority = CertificateAuthority.create('authority of the server');
const { certificate: cert, key } = authority.issue({ name: 'db', hosts: ['127.0.0.1'] });
const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

describe('a server that is asked for TLS', () => {
  let server: Server | undefined;
  let heard: Buffer[] = [];
  const sockets = new Set<Socket>();
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    server?.close();
  });

  /** @param answer is given the socket when the request for TLS has come */
  async function serve(answer: (socket: Socket) => void): Promise<number> {
    heard = [];
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('data', (said) => {
        heard.push(said);
        socket.on('data', (more) => heard.push(more));
        answer(socket);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  function open(port: number, tls: 'require' | 'verify-full' = 'verify-full', connectMs = 10_000) {
    const endpoint = { host: '127.0.0.1', port, user: 'backup', database: 'shop', tls };
    const target = {
      instanceId: '6f1c2b0a-0000-4000-8000-000000000001',
      endpoint: { ...endpoint, caCertificate: authority.certificate },
      password: 'sesame',
    };
    return ServerConnection.open(target, 'sql', { connectMs, answerMs: 10_000, signal: never });
  }

  it.each<[string, string]>([
    ['says no', 'N'],
    ['says no, and then yes', 'NS'],
    // Before TLS has begun, anybody can put it there.
    ['says yes, and sends something before TLS has begun', 'SR\0\0\0\x08\0\0\0\x03'],
    ['says yes twice', 'SS'],
    ['asks for the password at once', 'R\0\0\0\x08\0\0\0\x03'],
    ['sends an error', 'E\0\0\0\x10SERROR\0C1\0Mx\0\0'],
  ])('and %s gets nothing in clear', async (_, answer) => {
    for (const tls of ['require', 'verify-full'] as const) {
      const port = await serve((socket) => socket.write(answer));
      await expect(open(port, tls)).rejects.toMatchObject({ name: 'EngineFault' });
      expect(Buffer.concat(heard)).toEqual(sslRequest);
      server?.close();
    }
  });

  it.each<[string, (socket: Socket) => void]>([
    ['says nothing', () => {}],
    ['never begins its handshake', (socket) => socket.write('S')],
    [
      'breaks off in its handshake',
      (socket) => {
        socket.once('data', () => socket.write(Buffer.from([22, 3, 3, 0, 100, 2])));
        socket.write('S');
      },
    ],
  ])('and %s is given up in time', async (_, answer) => {
    const late = open(await serve(answer), 'verify-full', 300);
    await expect(late).rejects.toMatchObject({ code: 'server-unreachable', retryable: true });
    await expect(late).rejects.toThrow('did not let it in within 0.3 s');
  });

  it.each(['TLSv1', 'TLSv1.1'] as const)('and speaks %s alone is not spoken to', async (version) => {
    const old = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const secure = (socket: Socket) => {
      socket.removeAllListeners('data');
      socket.write('S');
      new TLSSocket(socket, { isServer: true, cert, key, ...old }).on('error', () => {});
    };
    const port = await serve(secure);
    const refused = open(port);
    await expect(refused).rejects.toMatchObject({ code: 'server-not-trusted', retryable: false });
    await expect(refused).rejects.toThrow('ssl_min_protocol_version');
    // The server itself is sound: a client that takes less gets through.
    const lax = connect({ port, host: '127.0.0.1', ca: authority.certificate, ...old, socket: await asked(port) });
    await once(lax, 'secureConnect');
    expect(lax.getProtocol()).toBe(version);
    lax.destroy();
  });

  async function asked(port: number): Promise<Socket> {
    const socket = connectPlainly(port, '127.0.0.1');
    socket.write(sslRequest);
    await once(socket, 'data');
    return socket;
  }
});
