import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectionTestResponse, getInstancesId, postInstancesIdAction, streamOf } from '@strongroom/contracts';
import { z } from 'zod';
import { CustomerDatabase } from '../../../../test/customer-database.js';
import { CertificateAuthority } from '../../../../test/services/certificates.js';
import { eventually } from '../../../../test/services/eventually.js';
import { faultOf, nothing } from '../../fixtures/answers.js';
import { type Call, Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
let customer: CustomerDatabase;
beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 1, settings: { summarize_wal: 'on' } });
  gateway = await Gateway.open();
}, 120_000);
afterAll(async () => {
  await gateway.close();
  await customer.stop();
});

const registered = (fields: Record<string, unknown> = {}) =>
  gateway.register('admin', { connection: { ...customer.server, ...fields } });
const ask = (id: string, call: Call = {}) =>
  gateway.call(postInstancesIdAction, { id, body: { 'test-connection': {} }, ...call });
const test = async (id: string) => {
  const answer = await ask(id);
  expect(answer.status).toBe(200);
  return connectionTestResponse.parse(answer.body).connection_test;
};
const version = async () => {
  const rows = await customer.query("select current_setting('server_version') as version");
  return z.array(z.object({ version: z.string() })).parse(rows)[0]?.version;
};

describe('test-connection', () => {
  it('says who the server is, what was tried, and that nothing is missing; the instance shows the version', async () => {
    const id = await registered();
    expect(await test(id)).toEqual({
      server: {
        version: await version(),
        system_id: expect.stringMatching(/^\d+$/),
        clock_ahead_seconds: expect.any(Number),
      },
      full: { possible: true, missing: [] },
      incremental: { possible: true, missing: [] },
      tried: [
        { what: expect.stringContaining('replication'), fault: null },
        { what: expect.stringContaining('database'), fault: null },
      ],
      warnings: [],
    });
    expect((await gateway.call(getInstancesId, { id })).body).toMatchObject({
      instance: { datastore: { version: await version() } },
    });
    await test(id);
    const events = await gateway.ledger.readStream(streamOf('instance', id));
    expect(events.map(({ type }) => type)).toEqual(['InstanceRegistered', 'InstanceVersionFound']);
  });

  it('says what is missing for full and for incremental backups, in words that can be followed', async () => {
    await customer.query(`create role reader login password '${customer.server.password}'`);
    const found = await test(await registered({ user: 'reader' }));
    expect(found).toMatchObject({ full: { possible: false }, incremental: { possible: false } });
    expect(found.full.missing.join('\n')).toContain('ALTER ROLE "reader" REPLICATION');
    const noDatabase = await test(await registered({ database: 'nowhere' }));
    expect(noDatabase).toMatchObject({ full: { possible: true }, incremental: { possible: false } });
    expect(noDatabase.incremental.missing).toEqual([expect.stringContaining('"nowhere"')]);
  });

  it('is an answer too when the server lets nobody in, or is not there, and tells no password', async () => {
    const password = 'never tell this one';
    for (const fields of [{ password }, { port: 1 }, { tls: 'require' }]) {
      const found = await test(await registered(fields));
      expect(found).toMatchObject({ server: null, full: { possible: false }, incremental: { possible: false } });
      expect(found.tried.map(({ fault }) => typeof fault?.code)).toEqual(['string', 'string']);
      expect(JSON.stringify([found, gateway.lines])).not.toContain(password);
    }
  });

  it('is over in its time when the server falls silent', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    try {
      const port = typeof address === 'object' && address ? address.port : 0;
      const found = await test(await registered({ port }));
      expect(found.tried[0]?.fault).toMatchObject({ code: 'server-unreachable' });
      expect(found.tried[0]?.fault?.message).toContain('No database server was reached');
    } finally {
      silent.close();
    }
  }, 30_000);

  it('asks no service of the deployment, though its network is allowed and the password is right', async () => {
    const { hostname: host, port, username: user, password } = new URL(gateway.database.url);
    const own = { host, port: Number(port), user, password: decodeURIComponent(password), tls: 'disable' };
    const found = await test(await registered(own));
    expect(found).toMatchObject({ server: null, full: { possible: false }, incremental: { possible: false } });
    expect(new Set(found.tried.map(({ fault }) => fault?.code))).toEqual(new Set(['server-unreachable']));
  });

  it('leaves nothing on the server', async () => {
    await test(await registered());
    await eventually(
      async () => {
        expect(await customer.query('select from pg_replication_slots')).toEqual([]);
        expect(await customer.query("select from pg_stat_activity where application_name = 'strongroom'")).toEqual([]);
      },
      { withinMs: 20_000 },
    );
  });

  it('warns of certificates that end soon', async () => {
    const authority = CertificateAuthority.create('authority');
    const soon = new Date(Date.now() + 86_400_000);
    const { certificate, key } = authority.issue({ name: 'backup', expires: soon });
    const id = await registered({ tls: 'require', client_certificate: certificate, client_key: key });
    expect((await test(id)).warnings).toEqual([expect.stringContaining('ends at')]);
  });

  it('is for those who may create, of instances of their own account', async () => {
    const id = await registered();
    expect((await ask(id, { as: 'creator' })).status).toBe(200);
    expect(faultOf(await ask(id, { as: 'observer' }))).toEqual([403, 'forbidden']);
    expect(faultOf(await ask(id, { as: 'other' }))).toEqual([404, 'itemNotFound']);
    expect(faultOf(await ask(nothing))).toEqual([404, 'itemNotFound']);
    const wrong = { id, body: { 'test-connection': { host: 'other' } } };
    expect(faultOf(await gateway.call(postInstancesIdAction, wrong))).toEqual([400, 'badRequest']);
  });

  it('is answered the same again with its key, and asked anew without one', async () => {
    const id = await registered();
    const first = await ask(id, { idempotencyKey: `test-${id}` });
    const again = await ask(id, { idempotencyKey: `test-${id}` });
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
    expect(again.body).toEqual(first.body);
  });

  it('is refused while there is no server yet, and where the credential can not be opened', async () => {
    const id = await registered();
    await gateway.sql(`update instance_credential set ciphertext = 'spoilt' where instance_id = '${id}'`);
    expect(faultOf(await ask(id))).toEqual([422, 'unprocessableEntity']);
  });
});
