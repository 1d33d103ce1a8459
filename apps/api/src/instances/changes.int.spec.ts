import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  getInstancesId,
  patchInstancesId,
  postBackups,
  postInstances,
  putInstancesId,
  streamOf,
} from '@strongroom/contracts';
import { Credentials } from '@strongroom/credentials';
import { fold, instanceDecider } from '@strongroom/domain';
import { Ledger } from '@strongroom/ledger';
import { z } from 'zod';
import { CustomerDatabase } from '../../../../test/customer-database.js';
import { CertificateAuthority, encryptedKey, withoutReadableEnd } from '../../../../test/services/certificates.js';
import { openDataSource } from '../../../../test/services/database.js';
import { faultIn, faultOf, fullFaultOf, nothing } from '../../fixtures/answers.js';
import { type Call, Gateway } from '../../fixtures/gateway.js';
import { removeLeftCredentials } from './left-credentials.js';

let gateway: Gateway;
let customer: CustomerDatabase;
beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 1 });
  gateway = await Gateway.open();
}, 120_000);
afterAll(async () => {
  await gateway.close();
  await customer.stop();
});

/** An instance of the customer's server. */
function registered(fields: Record<string, unknown> = {}): Promise<string> {
  const connection = { ...customer.server, ...fields };
  return gateway.register('admin', { connection });
}
const patch = (id: string, instance: object, call: Call = {}) =>
  gateway.call(patchInstancesId, { id, body: { instance }, ...call });
const shown = z.object({ instance: z.looseObject({ updated: z.string() }) });
const show = async (id: string) => shown.parse((await gateway.call(getInstancesId, { id })).body).instance;
const eventsOf = async (id: string) => (await gateway.ledger.readStream(streamOf('instance', id))).slice(1);

describe('an instance', () => {
  it('gets another name, by PATCH and by PUT, and keeps everything else', async () => {
    const id = await registered();
    await gateway.schedule(id);
    const before = await show(id);
    expect((await patch(id, { name: 'bills' })).status).toBe(202);
    expect(await show(id)).toEqual({ ...before, name: 'bills', updated: expect.any(String) });
    const body = { instance: { name: 'invoices' } };
    expect((await gateway.call(putInstancesId, { id, body })).status).toBe(202);
    expect(await show(id)).toEqual({ ...before, name: 'invoices', updated: expect.any(String) });
    expect(await eventsOf(id)).toMatchObject([
      { type: 'InstanceChanged', data: { name: 'bills', credentialId: null }, context: { actor: 'admin' } },
      { type: 'InstanceChanged', data: { name: 'invoices' } },
    ]);
  });

  it.each<[object, number, string]>([
    [{}, 400, 'badRequest'],
    [{ name: 'orders' }, 400, 'badRequest'],
    [{ name: null, connection: null, configuration: null, replica_of: null }, 400, 'badRequest'],
    [{ verify: false }, 400, 'badRequest'],
    [{ connection: {} }, 400, 'badRequest'],
    [{ connection: { user: 'backup' } }, 400, 'badRequest'],
    [{ name: '' }, 400, 'badRequest'],
    [{ configuration: nothing }, 400, 'badRequest'],
    [{ flavor: 1 }, 400, 'badRequest'],
    [{ connection: { port: 0 } }, 400, 'badRequest'],
    [{ connection: { sslmode: 'require' } }, 400, 'badRequest'],
  ])('is not changed by %j, and the answer says so', async (instance, status, type) => {
    const id = await registered();
    expect(faultOf(await patch(id, instance))).toEqual([status, type]);
    expect(await eventsOf(id)).toEqual([]);
  });

  it('is not changed by the password that it has', async () => {
    const id = await registered();
    const answer = await patch(id, { connection: { password: customer.server.password } });
    expect(faultOf(answer)).toEqual([400, 'badRequest']);
  });

  it('is changed by its own account alone, by those who may create', async () => {
    const id = await registered();
    expect(faultOf(await patch(id, { name: 'x' }, { as: 'other' }))).toEqual([404, 'itemNotFound']);
    expect(faultOf(await patch(id, { name: 'x' }, { as: 'other', account: '1234' }))).toEqual([403, 'forbidden']);
    expect(faultOf(await patch(id, { name: 'x' }, { as: 'observer' }))).toEqual([403, 'forbidden']);
    expect(faultOf(await patch(id, { name: 'x' }, { as: 'roleless' }))).toEqual([403, 'forbidden']);
    expect(faultOf(await patch(id, { name: 'x' }, { as: 'nobody', account: '1234' }))).toEqual([401, 'unauthorized']);
    expect((await patch(id, { name: 'by a creator' }, { as: 'creator' })).status).toBe(202);
    expect(await eventsOf(id)).toMatchObject([{ context: { actor: 'creator' } }]);
  });

  it('is changed only as it was read, where the client says so', async () => {
    const id = await registered();
    const ifMatch = (await gateway.call(getInstancesId, { id })).headers.get('etag') ?? '';
    expect((await patch(id, { name: 'first' }, { ifMatch })).status).toBe(202);
    expect(faultOf(await patch(id, { name: 'second' }, { ifMatch }))).toEqual([412, 'preconditionFailed']);
    const put = { id, body: { instance: { name: 'second' } }, ifMatch };
    expect(faultOf(await gateway.call(putInstancesId, put))).toEqual([412, 'preconditionFailed']);
    expect(await show(id)).toMatchObject({ name: 'first' });
  });

  it('is changed once by a request that comes twice with its key', async () => {
    const id = await registered();
    const call = { idempotencyKey: `rename ${id}`.replaceAll(' ', '-') };
    expect((await patch(id, { name: 'once' }, call)).status).toBe(202);
    const again = await patch(id, { name: 'once' }, call);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([202, 'true']);
    expect(await eventsOf(id)).toHaveLength(1);
    expect(faultOf(await patch(id, { name: 'another' }, call))).toEqual([422, 'unprocessableEntity']);
  });

  it('takes every one of several names that come at once, also with If-Match: *', async () => {
    const id = await registered();
    const names = Array.from({ length: 4 }, (_, index) => `name ${index}`);
    const answers = await Promise.all(
      names.map((name, index) => patch(id, { name }, index % 2 === 0 ? {} : { ifMatch: '*' })),
    );
    expect(answers.map(({ status }) => status)).toEqual(names.map(() => 202));
    expect(await eventsOf(id)).toHaveLength(names.length);
  });

  it('takes every change of the connection that comes at once with If-Match: *', async () => {
    const id = await registered();
    const changes = [{ user: 'b2' }, { database: 'b3' }, { tls: 'require' }];
    const answers = await Promise.all(
      changes.map((connection) => patch(id, { connection, verify: false }, { ifMatch: '*' })),
    );
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(await show(id)).toMatchObject({ connection: { user: 'b2', database: 'b3', tls: 'require' } });
  });

  it('takes every one of many changes that come at once', async () => {
    const id = await registered();
    const changes = [
      { name: 'bills' },
      { connection: { tls: 'require' }, verify: false },
      { connection: { user: 'b2' }, verify: false },
    ];
    const answers = await Promise.all(changes.map((change) => patch(id, change)));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(await show(id)).toMatchObject({ name: 'bills', connection: { tls: 'require', user: 'b2' } });
  });
});

describe('the credential of an instance', () => {
  const rotated = () => `rotated-${randomBytes(6).toString('hex')}`;
  const alter = (password: string) => customer.query(`alter role backup password '${password}'`);
  const inForce = async (id: string) => {
    const state = fold(instanceDecider, await gateway.ledger.readStream(streamOf('instance', id)));
    return state.is === 'registered' ? state.credentialId : undefined;
  };

  it('is changed alone when the server takes it, and stands in no answer, event or log line', async () => {
    const id = await registered();
    const password = rotated();
    await alter(password);
    try {
      const answer = await patch(id, { connection: { password } });
      expect(answer.status).toBe(202);
      expect(await inForce(id)).toEqual(expect.any(String));
      const told = [answer, await show(id), await gateway.events(), gateway.lines];
      expect(JSON.stringify(told)).not.toContain(password);
    } finally {
      await alter(customer.server.password);
    }
  });

  it('that the server does not take leaves the one before in force, and the answer says what the server said', async () => {
    const id = await registered();
    const [status, type, message] = fullFaultOf(await patch(id, { connection: { password: 'never right' } }));
    expect([status, type]).toEqual([422, 'unprocessableEntity']);
    expect(message).toContain('28P01');
    expect(message).toContain('Nothing was changed');
    expect(message).not.toContain('never right');
    expect(await eventsOf(id)).toEqual([]);
  });

  it('is asked for where the stored one can not be opened: the server is not blamed for that', async () => {
    const id = await registered();
    await gateway.sql(`update instance_credential set ciphertext = 'spoilt' where instance_id = '${id}'`);
    const [status, , message] = fullFaultOf(await patch(id, { connection: { database: 'template1' } }));
    expect(status).toBe(422);
    expect(message).toMatch(/instance\.connection\.password.*STRONGROOM_SECRET_KEY/);
    expect((await patch(id, { name: 'bills' })).status).toBe(202);
    const { password } = customer.server;
    expect((await patch(id, { connection: { database: 'template1', password } })).status).toBe(202);
  });

  it('that can not be opened keeps no incremental backup from being asked for: the backup says so itself', async () => {
    const id = await registered();
    await gateway.run(await gateway.backup(id), id, 'completed');
    await gateway.sql(`update instance_credential set ciphertext = 'spoilt' where instance_id = '${id}'`);
    const body = { backup: { name: 'by hand', instance: id, incremental: 1 } };
    expect((await gateway.call(postBackups, { body })).status).toBe(202);
  });

  it('counts untried where the caller says so', async () => {
    const id = await registered();
    expect((await patch(id, { connection: { password: 'for later' }, verify: false })).status).toBe(202);
    expect(await inForce(id)).toEqual(expect.any(String));
  });

  it('is the one before until the event stands, wherever a process dies; what was left is removed in time', async () => {
    const id = await registered();
    expect((await patch(id, { connection: { password: 'the second' }, verify: false })).status).toBe(202);
    const credentialId = await inForce(id);
    const dataSource = await openDataSource({ url: gateway.database.url, applicationName: 'changes-spec' });
    try {
      const count = async () =>
        z
          .array(z.object({ id: z.string().nullable() }))
          .parse(
            await dataSource.query(
              `select null::uuid as id from instance_credential where instance_id = $1
               union all select credential_id from changed_credential where instance_id = $1`,
              [id],
            ),
          )
          .map((row) => row.id);
      // As a process leaves it that dies between the credential and the event.
      await dataSource.query(
        `insert into changed_credential (credential_id, instance_id, ciphertext) values ($1, $2, 'sealed')`,
        [nothing, id],
      );
      expect(await inForce(id)).toBe(credentialId);
      expect((await count()).length).toBe(3);
      const parts = { credentials: new Credentials(dataSource, randomBytes(32)), ledger: new Ledger(dataSource) };
      expect(await removeLeftCredentials(parts)).toEqual([]);
      expect(await removeLeftCredentials(parts, 0)).toContain(id);
      expect(await count()).toEqual([credentialId]);
    } finally {
      await dataSource.destroy();
    }
  });
});

describe('the seal of a credential', () => {
  const inForce = async (id: string) => {
    const state = fold(instanceDecider, await gateway.ledger.readStream(streamOf('instance', id)));
    if (state.is !== 'registered') throw new Error('the instance is not registered');
    return state;
  };

  it('is made anew with each change of the connection, and with no other change', async () => {
    const id = await registered();
    const { credentialId: first } = await inForce(id);
    expect((await patch(id, { name: 'bills' })).status).toBe(202);
    expect((await patch(id, { connection: { database: 'template1' } })).status).toBe(202);
    expect((await inForce(id)).credentialId ?? null).toBe(first ?? null);
    const seen = new Set([first ?? null]);
    for (const connection of [{ host: 'localhost' }, { port: 1 }, { user: 'another' }, { tls: 'require' }]) {
      expect((await patch(id, { connection, verify: false })).status).toBe(202);
      const { credentialId = null } = await inForce(id);
      expect(seen).not.toContain(credentialId);
      seen.add(credentialId);
    }
    const { host, port, user } = { host: '127.0.0.1', port: customer.server.port, user: 'backup' };
    expect((await patch(id, { connection: { host, port, user, tls: 'disable' } })).status).toBe(202);
  });

  it('that can not be opened is not carried to another server, tried or not', async () => {
    const id = await registered();
    await gateway.sql(`update instance_credential set ciphertext = 'spoilt' where instance_id = '${id}'`);
    const [status, , message] = fullFaultOf(await patch(id, { connection: { host: 'localhost' }, verify: false }));
    expect(status).toBe(422);
    expect(message).toMatch(/instance\.connection\.password: is needed with another connection/);
    const { password } = customer.server;
    expect((await patch(id, { connection: { host: 'localhost', password } })).status).toBe(202);
  });
});

describe('the connection of an instance', () => {
  it('is tried first, and counts with the version that the server told', async () => {
    const id = await registered();
    const [told] = z
      .array(z.object({ version: z.string() }))
      .parse(await customer.query("select current_setting('server_version') as version"));
    expect((await patch(id, { connection: { database: 'template1' } })).status).toBe(202);
    expect(await show(id)).toMatchObject({
      connection: { host: '127.0.0.1', database: 'template1', user: 'backup', tls: 'disable' },
      datastore: { type: 'postgresql', version: told?.version },
    });
    expect((await eventsOf(id)).map(({ type }) => type)).toEqual(['InstanceChanged', 'InstanceVersionFound']);
  });

  it('that leads nowhere is refused, with what to do when the server is down at the moment', async () => {
    const id = await registered();
    const [status, , message] = fullFaultOf(await patch(id, { connection: { port: 1 } }));
    expect(status).toBe(422);
    // Whether something listens there is told to nobody who was never let in there.
    expect(message).toContain('No database server was reached at 127.0.0.1:1');
    expect(message).not.toContain('ECONNREFUSED');
    expect(message).toContain('"verify": false');
    expect(await show(id)).toMatchObject({ port: customer.server.port });
    expect((await patch(id, { connection: { port: 1 }, verify: false })).status).toBe(202);
    expect(await show(id)).toMatchObject({ port: 1 });
  });

  it('is led elsewhere by somebody who may not delete only with the password: the stored one stays here', async () => {
    const id = await registered();
    const elsewhere = { host: 'localhost' };
    const [status, type, message] = fullFaultOf(await patch(id, { connection: elsewhere }, { as: 'creator' }));
    expect([status, type]).toEqual([403, 'forbidden']);
    expect(message).toContain('password');
    const { password } = customer.server;
    expect((await patch(id, { connection: { ...elsewhere, password } }, { as: 'creator' })).status).toBe(202);
    expect((await patch(id, { connection: { host: '127.0.0.1' } })).status).toBe(202);
  });
});

describe('the certificates of an instance', () => {
  const authority = CertificateAuthority.create('authority');
  const { certificate, key } = authority.issue({ name: 'backup' });
  const other = authority.issue({ name: 'backup' });
  const secured = { tls: 'verify-full', ca_certificate: authority.certificate };
  const client = { client_certificate: certificate, client_key: key };
  const keyText = key.split('\n')[1] ?? '';

  it('are taken at the registration and by a change, are shown, and the key is not', async () => {
    const id = await registered({ tls: undefined, ca_certificate: authority.certificate, ...client });
    const connection = { tls: 'verify-full', ca_certificate: authority.certificate, client_certificate: certificate };
    expect(await show(id)).toMatchObject({ connection, warning: null });
    const renewed = { client_certificate: other.certificate, client_key: other.key };
    expect((await patch(id, { connection: renewed, verify: false })).status).toBe(202);
    expect(await show(id)).toMatchObject({ connection: { client_certificate: other.certificate } });
    const told = JSON.stringify([await show(id), await gateway.events(), gateway.lines]);
    for (const text of [keyText, other.key.split('\n')[1] ?? '']) expect(told).not.toContain(text);
  });

  it('stand in an event beside the registration, which older versions read as before', async () => {
    const id = await registered({ ...secured, ...client });
    const events = await gateway.ledger.readStream(streamOf('instance', id));
    expect(events).toMatchObject([
      { type: 'InstanceRegistered', data: { endpoint: { tls: 'verify-full' } } },
      {
        type: 'InstanceChanged',
        data: { endpoint: { clientCertificate: certificate }, credentialId: expect.any(String) },
      },
    ]);
    expect(events[0]?.data).not.toHaveProperty('endpoint.caCertificate');
  });

  it('are taken away by an empty text, and by no null', async () => {
    const id = await registered({ ...secured, ...client });
    const nulls = { ca_certificate: null, client_certificate: null, client_key: null };
    expect(faultOf(await patch(id, { connection: nulls, verify: false }))).toEqual([400, 'badRequest']);
    const none = { tls: 'disable', ca_certificate: '', client_certificate: '' };
    expect((await patch(id, { connection: none, verify: false })).status).toBe(202);
    expect(await show(id)).toMatchObject({ connection: { ca_certificate: null, client_certificate: null } });
    const again = { tls: 'require', client_certificate: certificate };
    expect(faultIn((await patch(id, { connection: again, verify: false })).body).message).toContain('client_key');
  });

  it.each<[string, Record<string, string>]>([
    ['ca_certificate', { ...secured, ca_certificate: 'no PEM' }],
    ['ca_certificate', { ...secured, ca_certificate: certificate.replace('MII', 'AAA') }],
    ['ca_certificate', { ...secured, ca_certificate: `${certificate}${key}` }],
    ['ca_certificate', { ...secured, ca_certificate: withoutReadableEnd(authority.certificate) }],
    ['ca_certificate', { ...secured, tls: 'require' }],
    ['ca_certificate', { ...secured, tls: 'disable' }],
    ['client_certificate', { ...client, tls: 'disable' }],
    ['client_certificate', { tls: 'require', client_certificate: certificate }],
    ['client_certificate', { ...client, tls: 'require', client_certificate: 'no PEM' }],
    ['client_certificate', { ...client, tls: 'require', client_certificate: withoutReadableEnd(certificate) }],
    ['client_key', { tls: 'require', client_key: key }],
    ['client_key', { ...client, tls: 'require', client_key: other.key }],
    ['client_key', { ...client, tls: 'require', client_key: 'no PEM' }],
    ['client_key', { ...client, tls: 'require', client_key: encryptedKey(key, 'sesame') }],
  ])('are refused where they can not be right: %s', async (field, fields) => {
    const connection = { ...customer.server, ...fields };
    const datastore = { type: 'postgresql', version: '18' };
    const answer = await gateway.call(postInstances, { body: { instance: { name: 'x', datastore, connection } } });
    expect(faultOf(answer)).toEqual([400, 'badRequest']);
    expect(faultIn(answer.body).message).toContain(`instance.connection.${field}`);
    expect(JSON.stringify([answer.body, gateway.lines])).not.toContain(keyText);
    const changed = await patch(await registered(), { connection: fields, verify: false });
    expect(faultOf(changed)).toEqual([400, 'badRequest']);
  });

  it('are refused where TLS would never take them, with the reason', async () => {
    const weak = authority.issue({ name: 'backup', keys: generateKeyPairSync('rsa', { modulusLength: 512 }) });
    const fields = { tls: 'require', client_certificate: weak.certificate, client_key: weak.key };
    const answer = await patch(await registered(), { connection: fields, verify: false });
    expect(fullFaultOf(answer)).toEqual([400, 'badRequest', expect.stringMatching(/client_certificate: .*too small/)]);
  });

  it('are warned of when they end soon, and when they have ended', async () => {
    const ended = authority.issue({ name: 'backup', expires: new Date('2026-01-01') });
    const id = await registered({ tls: 'require', client_certificate: ended.certificate, client_key: ended.key });
    expect(await show(id)).toMatchObject({
      warning: expect.stringMatching(/client certificate.*has ended at 2026-01-01/),
    });
  });
});
