import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Answer, faultIn, Gateway } from '../fixtures/gateway.js';
import { isOfAccount, operations } from './operations.js';

const faultOf = ({ status, body }: Answer) => [status, faultIn(body).type];

/** Two processes over one database, as far as the API can tell. */
let first: Gateway;
let second: Gateway;
beforeAll(async () => {
  const env = { STRONGROOM_MAX_SCHEDULES: '3', STRONGROOM_RATE_LIMITS: 'getRegions=50/3600,HEAD=1/3600,GET=100000/60' };
  first = await Gateway.open({ env });
  second = await Gateway.open({ env, database: first.database });
});
afterAll(async () => {
  await second.end();
  await first.close();
});

const timing = { action: 'backup', day_of_week: 0, hour: 14, minute: 30 };

describe('the quota of schedules', () => {
  it('is never exceeded, however many ask at once and wherever', async () => {
    const instances = await Promise.all(Array.from({ length: 12 }, () => first.register()));
    const answers = await Promise.all(
      instances.map((instance_id, n) =>
        [first, second][n % 2]?.call('POST', '/schedules', { body: { schedule: { ...timing, instance_id } } }),
      ),
    );
    const statuses = answers.map((answer) => answer?.status).sort();
    expect(statuses).toEqual([202, 202, 202, ...Array.from({ length: 9 }, () => 413)]);
    expect((await second.call('GET', '/schedules')).body).toMatchObject({ schedules: { length: 3 } });
  });

  it('has room again when one is deleted, for one, and is each account’s own', async () => {
    const instance_id = await first.register();
    const body = { schedule: { ...timing, instance_id } };
    const refused = await first.call('POST', '/schedules', { body });
    expect(faultOf(refused)).toEqual([413, 'overLimit']);
    expect(faultIn(refused.body).message).toContain('3 schedules');
    const [schedule] = (await first.ids('/schedules')) ?? [];
    await second.call('DELETE', `/schedules/${schedule}`);
    expect((await first.call('POST', '/schedules', { body })).status).toBe(202);
    await first.schedule(await first.register('other'), {}, 'other');
  });
});

describe('the limit of requests', () => {
  it('is counted over every process, and tells when to ask again', async () => {
    const answers: Answer[] = [];
    for (let n = 0; n < 60; n += 1) answers.push(await ((n % 2 ? first : second) as Gateway).call('GET', '/regions'));
    const passed = answers.filter(({ status }) => status === 200).length;
    // What one process holds when the other finds nothing left.
    expect(passed).toBeGreaterThan(44);
    expect(passed).toBeLessThanOrEqual(50);
    const last = answers.at(-1) as Answer;
    expect(faultOf(last)).toEqual([413, 'overLimit']);
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(last.headers.get('retry-after'))).toBeLessThanOrEqual(3_600);
  });

  it('is of one operation and one account', async () => {
    expect((await first.call('GET', '/schedules')).status).toBe(200);
    expect((await first.call('GET', '/regions', { as: 'other' })).status).toBe(200);
  });
});

describe('an Idempotency-Key', () => {
  const keyed = (gateway: Gateway, key: string, path: string, body?: unknown, method = 'POST') =>
    gateway.call(method, path, { headers: { 'idempotency-key': key }, ...(body === undefined ? {} : { body }) });
  const instanceNamed = (name: string) => ({
    instance: {
      name,
      datastore: { type: 'postgresql', version: '18' },
      connection: { host: 'db', port: 5432, user: 'backup', password: 'secret' },
    },
  });

  it('gives the first answer again, through any process, and does nothing twice', async () => {
    const body = instanceNamed('once');
    const one = await keyed(first, 'register-once', '/instances', body);
    const two = await keyed(second, 'register-once', '/instances', body);
    expect([one.status, two.status]).toEqual([200, 200]);
    expect(two.body).toEqual(one.body);
    expect(two.headers.get('idempotent-replayed')).toBe('true');
    expect((await first.ids('/instances')).filter((id) => JSON.stringify(one.body).includes(id))).toHaveLength(1);
  });

  it('does once what comes many times at once', async () => {
    const body = instanceNamed('at once');
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => keyed((n % 2 ? first : second) as Gateway, 'at-once', '/instances', body)),
    );
    const [one, ...others] = answers.map(({ body: answered }) => answered);
    for (const other of others) expect(other).toEqual(one);
    const registered = (await first.events()).filter(({ data }) => JSON.stringify(data).includes('at once'));
    expect(registered).toHaveLength(1);
  });

  it('with another body, or of another operation, is a 422', async () => {
    await keyed(first, 'taken', '/instances', instanceNamed('a'));
    expect(faultOf(await keyed(first, 'taken', '/instances', instanceNamed('b')))).toEqual([
      422,
      'unprocessableEntity',
    ]);
    expect(faultOf(await keyed(second, 'taken', '/backups', instanceNamed('a')))).toEqual([422, 'unprocessableEntity']);
  });

  it.each(operations.filter((operation) => isOfAccount(operation) && operation.method !== 'GET'))(
    'that was used for something else is a 422: $method $path',
    async ({ method, path }) => {
      const below = path.replace('/v1.0/{accountId}', '').replace('{id}', '00000000-0000-4000-8000-000000000000');
      await keyed(first, 'taken', '/instances', instanceNamed('a'));
      expect(faultOf(await keyed(first, 'taken', below, {}, method))).toEqual([422, 'unprocessableEntity']);
    },
  );

  it('is each account’s own', async () => {
    const of = (as: 'admin' | 'other') =>
      first.call('POST', '/instances', { as, headers: { 'idempotency-key': 'shared' }, body: instanceNamed(as) });
    expect([(await of('admin')).status, (await of('other')).status]).toEqual([200, 200]);
  });

  it('can be used again for a request that was refused', async () => {
    const instance = await first.register();
    const running = await first.backup(instance);
    const body = { backup: { name: 'next', instance } };
    expect(faultOf(await keyed(first, 'refused', '/backups', body))).toEqual([422, 'unprocessableEntity']);
    await first.run(running, instance, 'failed');
    expect((await keyed(first, 'refused', '/backups', body)).status).toBe(202);
  });

  it('finds an effect whose answer was never noted, as when the process died in between', async () => {
    const instance = await first.register();
    const body = { backup: { name: 'survivor', instance } };
    const one = await keyed(first, 'died', '/backups', body);
    await first.sql(`update idempotent_request set status = null, body = null where key = 'died'`);
    const two = await keyed(second, 'died', '/backups', body);
    expect([two.status, two.body]).toEqual([202, one.body]);
    const [, id = ''] = /"id":"([^"]+)"/.exec(JSON.stringify(one.body)) ?? [];
    await first.run(id, instance, 'completed');

    expect((await keyed(first, 'died-deleting', `/backups/${id}`, undefined, 'DELETE')).status).toBe(202);
    await first.sql(`update idempotent_request set status = null, body = null where key = 'died-deleting'`);
    expect((await keyed(second, 'died-deleting', `/backups/${id}`, undefined, 'DELETE')).status).toBe(202);
  });

  it('is forgotten after a day', async () => {
    await keyed(first, 'yesterday', '/instances', instanceNamed('a'));
    await first.sql(`update idempotent_request set begun_at = now() - interval '25 hours' where key = 'yesterday'`);
    expect((await keyed(first, 'yesterday', '/instances', instanceNamed('b'))).status).toBe(200);
  });

  it.each(['', ' ', 'a b', 'ä', 'x'.repeat(256)])('must be one: %j', async (key) => {
    const answer = await first.call('POST', '/instances', {
      headers: { 'idempotency-key': encodeURI(key) === key ? key : 'a b' },
      body: instanceNamed('never'),
    });
    expect(faultOf(answer)).toEqual([400, 'badRequest']);
  });
});

describe('a precondition', () => {
  it('lets a change pass only on what the client has read', async () => {
    const [schedule = ''] = await first.ids('/schedules');
    const read = await first.call('GET', `/schedules/${schedule}`);
    const tag = read.headers.get('etag') ?? '';
    expect(tag).toBe('"1"');
    const change = (minute: number, ifMatch: string) =>
      second.call('PUT', `/schedules/${schedule}`, {
        body: { schedule: { minute } },
        headers: { 'if-match': ifMatch },
      });
    expect((await change(1, tag)).status).toBe(202);
    expect(faultOf(await change(2, tag))).toEqual([412, 'preconditionFailed']);
    expect(faultOf(await change(2, `W/"2"`))).toEqual([412, 'preconditionFailed']);
    expect(faultOf(await change(2, '2'))).toEqual([400, 'badRequest']);
    expect((await change(2, '"7", "2"')).status).toBe(202);
    expect((await change(3, '*')).status).toBe(202);
    const remove = (ifMatch: string) =>
      first.call('DELETE', `/schedules/${schedule}`, { headers: { 'if-match': ifMatch } });
    expect(faultOf(await remove(tag))).toEqual([412, 'preconditionFailed']);
    expect((await remove('"4"')).status).toBe(202);
  });

  it('holds for backups and instances', async () => {
    const instance = await first.register();
    const backup = await first.backup(instance);
    await first.run(backup, instance, 'completed');
    for (const path of [`/backups/${backup}`, `/instances/${instance}`]) {
      const tag = (await first.call('GET', path)).headers.get('etag') ?? '';
      expect(faultOf(await first.call('DELETE', path, { headers: { 'if-match': '"99"' } }))).toEqual([
        412,
        'preconditionFailed',
      ]);
      expect((await first.call('DELETE', path, { headers: { 'if-match': tag } })).status).toBe(202);
    }
  });

  it('decides between two who change the same at once', async () => {
    const schedule = await first.schedule(await first.register());
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        [first, second][n % 2]?.call('PUT', `/schedules/${schedule}`, {
          body: { schedule: { minute: n } },
          headers: { 'if-match': '"1"' },
        }),
      ),
    );
    expect(answers.filter((answer) => answer?.status === 202)).toHaveLength(1);
    expect(answers.filter((answer) => answer?.status === 412)).toHaveLength(5);
  });
});
