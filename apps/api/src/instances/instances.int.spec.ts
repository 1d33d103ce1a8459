import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  deleteInstancesId,
  getInstances,
  getInstancesId,
  getSchedules,
  postInstances,
  postInstancesIdAction,
  postSchedules,
} from '@strongroom/contracts';
import { z } from 'zod';
import { faultOf, fullFaultOf, nothing } from '../../fixtures/answers.js';
import { type Call, Gateway } from '../../fixtures/gateway.js';

const password = 'open sesame, and never tell';
const connection = { host: 'db.example.com', port: 5432, user: 'backup', password };
const right = { name: 'orders', datastore: { type: 'postgresql', version: '18' }, connection };

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

const register = (instance: object) => gateway.call(postInstances, { body: { instance } });
const resource = z.object({ instance: z.looseObject({ id: z.string(), created: z.string() }) });

describe('a server', () => {
  it('is registered, and shown as known clients read an instance', async () => {
    const answer = await register(right);
    expect(answer.status).toBe(200);
    const { instance } = resource.parse(answer.body);
    expect(instance).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'orders',
      status: 'ACTIVE',
      datastore: { type: 'postgresql', version: '18' },
      operating_status: 'UNKNOWN',
      flavor: { id: '0', links: [] },
      volume: { size: 0 },
      hostname: 'db.example.com',
      port: 5432,
      connection: {
        host: 'db.example.com',
        port: 5432,
        user: 'backup',
        database: 'postgres',
        tls: 'verify-full',
        ca_certificate: null,
        client_certificate: null,
      },
      ip: [],
      addresses: [],
      created: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/),
      updated: instance.created,
      schedule: null,
      lineages: [],
      warning: null,
      links: [],
    });
    expect((await gateway.call(getInstancesId, { id: instance.id })).body).toEqual({ instance });
    expect((await gateway.call(getInstances, { query: { include_clustered: 'False' } })).body).toMatchObject({
      instances: [instance],
      links: [],
    });
  });

  it('keeps its password to itself: it is in no answer, no log line and no event', async () => {
    const answer = await register(right);
    const { instance } = resource.parse(answer.body);
    const events = await gateway.ledger.readStream(`instance-${instance.id}`);
    expect(events).toMatchObject([
      { type: 'InstanceRegistered', data: { endpoint: { database: 'postgres', tls: 'verify-full', user: 'backup' } } },
    ]);
    const wrong = await register({ ...right, connection: { ...connection, port: password, host: 1 } });
    const broken = await gateway.call(postInstances, { bytes: `{"instance": {"password": "${password}" nonsense` });
    expect([faultOf(wrong), faultOf(broken)]).toEqual([
      [400, 'badRequest'],
      [400, 'badRequest'],
    ]);
    expect(JSON.stringify([answer.body, events, wrong.body, broken.body, gateway.lines])).not.toContain('sesame');
  });

  it('leads to no address and with no less TLS than the deployment allows, and the refusal says what to do', async () => {
    for (const [host, tls, field] of [
      ['10.0.0.5', 'verify-full', 'host'],
      ['169.254.169.254', 'verify-full', 'host'],
      ['fd00::1', 'verify-full', 'host'],
      ['::ffff:10.0.0.5', 'verify-full', 'host'],
      ['0.0.0.0', 'verify-full', 'host'],
      ['db.example.com', 'disable', 'tls'],
      ['93.184.216.34', 'disable', 'tls'],
    ]) {
      const [status, type, message] = fullFaultOf(
        await register({ ...right, connection: { ...connection, host, tls } }),
      );
      expect([status, type]).toEqual([400, 'badRequest']);
      expect(message).toMatch(
        field === 'host' ? /connection\.host: .*STRONGROOM_CUSTOMER_NETWORKS/ : /connection\.tls: .*STRONGROOM_MIN_TLS/,
      );
    }
  });

  it('may say how it is connected to', async () => {
    const { instance } = resource.parse(
      (await register({ ...right, connection: { ...connection, host: '::1', database: 'orders', tls: 'verify-full' } }))
        .body,
    );
    expect(await gateway.ledger.readStream(`instance-${instance.id}`)).toMatchObject([
      { data: { endpoint: { host: '::1', database: 'orders', tls: 'verify-full' } } },
    ]);
  });

  it('is not resized or restarted by a service of backups, least of all while it is backed up', async () => {
    const { instance } = resource.parse((await register(right)).body);
    const act = () =>
      gateway.call(postInstancesIdAction, { id: instance.id, body: { resize: { volume: { size: 4 } } } });
    expect(faultOf(await act())).toEqual([501, 'notImplemented']);
    for (const bytes of ['', '[]', 'null', '1', '"resize"']) {
      const answer = await gateway.call(postInstancesIdAction, { id: instance.id, bytes });
      expect(faultOf(answer)).toEqual([400, 'badRequest']);
    }
    await gateway.backup(instance.id);
    expect(faultOf(await act())).toEqual([422, 'unprocessableEntity']);
  });
});

describe('an instance that is to be forgotten', () => {
  it('goes with the schedule that somebody makes at the same moment', async () => {
    for (let round = 0; round < 10; round += 1) {
      const id = await gateway.register();
      const [made, gone] = await Promise.all([
        gateway.call(postSchedules, {
          body: { schedule: { action: 'backup', instance_id: id, day_of_week: 0, hour: 14, minute: 30 } },
        }),
        gateway.call(deleteInstancesId, { id }),
      ]);
      expect([gone.status, gone.body]).toEqual([202, undefined]);
      expect([202, 404]).toContain(made.status);
      expect(await gateway.ids(getSchedules, { query: { instance_id: id } })).toEqual([]);
    }
  });
});

describe('the list of instances', () => {
  const listed = z.object({
    instances: z.array(z.object({ id: z.string() })),
    links: z.array(z.object({ href: z.string() })),
  });
  const list = async (query: Call['query']) => listed.parse((await gateway.call(getInstances, { query })).body);

  it('comes in order of id in pages of at most twenty', async () => {
    for (let count = 0; count < 21; count += 1) await register({ ...right, name: `orders ${count}` });
    const first = await list({ limit: 50 });
    const ids = first.instances.map(({ id }) => id);
    expect(ids).toHaveLength(20);
    expect(ids).toEqual([...ids].sort());
    const { pathname, search } = new URL(first.links[0]?.href ?? '');
    const rest = listed.parse((await gateway.request('GET', `${pathname}${search}`)).body);
    expect(rest.instances.length).toBeGreaterThan(0);
    expect(rest.instances.map(({ id }) => id).some((id) => ids.includes(id))).toBe(false);
    expect(rest.links).toEqual([]);
  });

  it('takes no marker that is none', async () => {
    expect(faultOf(await gateway.call(getInstances, { query: { marker: nothing } }))).toEqual([400, 'badRequest']);
  });
});
