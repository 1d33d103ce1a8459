import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CertificateAuthority, type Certified } from '../../../../test/services/certificates.js';
import { eventually } from '../../../../test/services/eventually.js';
import { BackedUpServer } from '../../fixtures/backed-up-server.js';
import type { EngineTarget } from '../engine.js';

const withinMs = 20_000;
const ofServer = CertificateAuthority.create('authority of the server');
const ofClients = CertificateAuthority.create('authority of the clients');

let server: BackedUpServer;
/** The server asks for a client certificate and nothing else. */
beforeAll(async () => {
  const started = await BackedUpServer.start();
  if (!started) throw new Error('there is no PostgreSQL 18');
  server = started;
  await serveWith(ofServer.issue({ name: 'db', hosts: ['localhost', '127.0.0.1'] }));
}, 120_000);
afterAll(() => server.remove());

/** Has the server show a certificate, and let the role in by a client certificate alone. */
async function serveWith({ certificate, key }: Certified): Promise<void> {
  const data = server.server.dataDirectory;
  const files = { 'server.crt': certificate, 'server.key': key, 'clients.crt': ofClients.certificate };
  for (const [name, text] of Object.entries(files)) await writeFile(join(data, name), text, { mode: 0o600 });
  await writeFile(
    join(data, 'pg_hba.conf'),
    [
      'host all postgres all scram-sha-256',
      'hostssl replication backup all cert',
      'hostssl all backup all cert',
      '',
    ].join('\n'),
  );
  await BackedUpServer.ownedByServer(data);
  await server.query("alter system set ssl_ca_file = 'clients.crt'");
  await server.query('alter system set ssl = on');
  await server.query('select pg_reload_conf()');
  await eventually(async () => expect(await server.query('show ssl')).toEqual([{ ssl: 'on' }]), { withinMs: 20_000 });
}

const client = ofClients.issue({ name: 'backup' });

function target(endpoint: Partial<EngineTarget['endpoint']>, clientKey: string | undefined = client.key): EngineTarget {
  const { target } = server;
  const certificates = { caCertificate: ofServer.certificate, clientCertificate: client.certificate };
  return {
    ...target,
    password: '',
    clientKey,
    endpoint: { ...target.endpoint, tls: 'verify-full', ...certificates, ...endpoint },
  };
}

async function missing(endpoint: Partial<EngineTarget['endpoint']>, clientKey?: string): Promise<string[]> {
  return (await server.engine.test(target(endpoint, clientKey), { withinMs })).full.missing;
}

describe('a server that lets clients in by their certificate', () => {
  it('is backed up, full and incremental, under an authority of its own', async () => {
    const test = await server.engine.test(target({}), { withinMs });
    expect(test).toMatchObject({ full: { missing: [] }, incremental: { missing: [] } });
    const full = await server.take(null, { target: target({}) });
    await server.query('create table added (id int)');
    const incremental = await server.take(full, { target: target({}) });
    expect((await server.manifest(incremental)).parentId).toBe(full);
  }, 120_000);

  it.each(['localhost', '127.0.0.1'])('is known by its name and by its address: %s', async (host) => {
    expect(await missing({ host })).toEqual([]);
  });

  it('says that a client without a certificate is not let in', async () => {
    expect(await missing({ clientCertificate: null })).toEqual([
      expect.stringMatching(/valid client certificate|certificate required/i),
    ]);
  });

  it('says that a certificate of another role, or of another authority, is not let in', async () => {
    const another = ofClients.issue({ name: 'somebody' });
    expect((await missing({ clientCertificate: another.certificate }, another.key)).join()).toMatch(
      /certificate authentication failed/,
    );
    const foreign = ofServer.issue({ name: 'backup' });
    expect((await missing({ clientCertificate: foreign.certificate }, foreign.key)).length).toBe(1);
  });

  it('is not trusted under another authority, nor under those that this process trusts', async () => {
    for (const tls of ['verify-full', 'verify-ca'] as const) {
      for (const caCertificate of [ofClients.certificate, null]) {
        expect(await missing({ tls, caCertificate })).toEqual([expect.stringMatching(/certificate/)]);
      }
    }
    expect(await missing({ tls: 'require', caCertificate: null })).toEqual([]);
  });

  it('is trusted with a certificate for another host by verify-ca, and not by verify-full', async () => {
    await serveWith(ofServer.issue({ name: 'db', hosts: ['db.example.com'] }));
    await eventually(async () => expect(await missing({})).toEqual([expect.stringMatching(/altname|certificate/i)]), {
      withinMs: 20_000,
    });
    expect(await missing({ tls: 'verify-ca' })).toEqual([]);
  });
});
