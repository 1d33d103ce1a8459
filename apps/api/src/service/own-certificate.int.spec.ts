import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { request as plainRequest } from 'node:http';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getHealthLive, getSchedules, pathOf } from '@strongroom/contracts';
import { CertificateAuthority, type Certified } from '../../../../test/services/certificates.js';
import { eventually } from '../../../../test/services/eventually.js';
import { Gateway } from '../../fixtures/gateway.js';

const authority = CertificateAuthority.create('authority of the API');
const first = authority.issue({ name: 'first', hosts: ['127.0.0.1', 'localhost'] });
const second = authority.issue({ name: 'second', hosts: ['127.0.0.1', 'localhost'] });

interface Seen {
  status: number | undefined;
  subject: string;
  headers: NodeJS.Dict<string | string[]>;
}

describe('the API with a certificate of its own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-api-tls-'));
  const files = { certificate: join(folder, 'api.crt'), key: join(folder, 'api.key') };
  let gateway: Gateway;
  const show = async ({ certificate, key }: Certified) => {
    await writeFile(files.certificate, certificate);
    await writeFile(files.key, key);
  };
  beforeAll(async () => {
    await show(first);
    gateway = await Gateway.open({
      env: { STRONGROOM_TLS_CERT_FILE: files.certificate, STRONGROOM_TLS_KEY_FILE: files.key },
    });
  }, 120_000);
  afterAll(async () => {
    await gateway.close();
    await rm(folder, { recursive: true });
  });

  function ask(ca = authority.certificate, path = pathOf(getSchedules, { accountId: '1234' })): Promise<Seen> {
    const agent = new Agent({ maxCachedSessions: 0 });
    return new Promise((resolve, reject) => {
      const headers = { 'x-auth-token': gateway.tokenOf('admin') };
      const asked = request(`${gateway.url}${path}`, { ca, headers, agent }, (response) => {
        const { subject } = (response.socket as TLSSocket).getPeerCertificate();
        response.resume().once('end', () => {
          resolve({ status: response.statusCode, subject: String(subject.CN), headers: response.headers });
        });
      });
      asked.once('error', reject).end();
    });
  }

  it('answers by HTTPS, says so in its links, and tells clients to stay with it', async () => {
    expect(gateway.url).toMatch(/^https:/);
    expect(await ask()).toMatchObject({
      status: 200,
      subject: 'first',
      headers: { 'strict-transport-security': 'max-age=31536000' },
    });
    expect((await ask(authority.certificate, getHealthLive.path)).status).toBe(200);
    await expect(ask(CertificateAuthority.create('another').certificate)).rejects.toThrow(/certificate/);
  });

  it('answers nothing in clear', async () => {
    const url = gateway.url.replace('https:', 'http:');
    const inClear = new Promise((resolve, reject) => {
      plainRequest(`${url}/health/live`, resolve).once('error', reject).end();
    });
    await expect(inClear).rejects.toThrow();
  });

  it.each(['TLSv1', 'TLSv1.1'] as const)('does not speak %s', async (version) => {
    const { hostname: host, port } = new URL(gateway.url);
    const old = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const socket = connect({ host, port: Number(port), ca: authority.certificate, ...old });
    const [error] = await once(socket, 'error');
    expect(error).toMatchObject({ code: expect.stringContaining('PROTOCOL_VERSION') });
    socket.destroy();
  });

  it('shows a renewed certificate without a new start, and none that is not whole', async () => {
    await writeFile(files.certificate, 'half of it');
    await eventually(() => expect(gateway.lines.join()).toContain('the certificate of clients stays as it is'), {
      withinMs: 30_000,
    });
    expect((await ask()).subject).toBe('first');
    await show(second);
    await eventually(async () => expect((await ask()).subject).toBe('second'), { withinMs: 30_000 });
    expect(gateway.lines.join()).not.toContain('PRIVATE KEY');
  }, 90_000);
});
