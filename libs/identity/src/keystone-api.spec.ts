import { once } from 'node:events';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { CertificateAuthority } from '../../../test/services/certificates.js';
import { KeystoneApi } from './keystone-api.js';

const user = { name: 'us', domain: 'Default', password: 'hush', project: 'service', projectDomain: 'Default' };

describe('a Keystone', () => {
  const servers: Server[] = [];
  let asked: string[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
    asked = [];
  });

  async function listening(server: Server): Promise<number> {
    servers.push(server);
    server.on('request', ({ url = '' }) => void asked.push(url));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }
  const ask = (url: string) => new KeystoneApi({ url: new URL(url), user, timeoutMs: 5_000 }).ownToken();

  it('that nobody vouches for gets no password', async () => {
    const { certificate: cert, key } = CertificateAuthority.create('nobody knows it').issue({
      name: 'keystone',
      hosts: ['127.0.0.1'],
    });
    const port = await listening(createServer({ cert, key }));
    await expect(ask(`https://127.0.0.1:${port}`)).rejects.toMatchObject({
      code: 'keystone-unavailable',
      message: expect.stringMatching(/certificate/),
    });
    expect(asked).toEqual([]);
  });

  it('that leads elsewhere is not followed with the password', async () => {
    const elsewhere = await listening(createHttpServer());
    const leading = createHttpServer((_, answer) =>
      answer.writeHead(307, { location: `http://127.0.0.1:${elsewhere}/v3/auth/tokens` }).end(),
    );
    await expect(ask(`http://127.0.0.1:${await listening(leading)}`)).rejects.toMatchObject({
      code: 'keystone-unavailable',
    });
    expect(asked).toEqual(['/v3/auth/tokens']);
  });
});
