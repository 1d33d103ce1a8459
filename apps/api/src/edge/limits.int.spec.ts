import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '@strongroom/client';
import {
  deleteBackupsId,
  deleteInstancesId,
  deleteSchedulesId,
  getBackups,
  getBackupsId,
  getInstances,
  getInstancesId,
  getRegions,
  getSchedules,
  getSchedulesId,
  type Operation,
  operations,
  pathOf,
  postBackups,
  postInstances,
  postSchedules,
  putSchedulesId,
  takesKey,
} from '@strongroom/contracts';
import { FixedClock } from '@strongroom/runtime';
import { z } from 'zod';
import { faultIn, faultOf, nothing } from '../../fixtures/answers.js';
import { accountId, type Call, Gateway } from '../../fixtures/gateway.js';

/** Two processes over one database, as far as the API can tell. */
const secretKey = randomBytes(32).toString('base64');
let first: Gateway;
let second: Gateway;
beforeAll(async () => {
  const env = {
    STRONGROOM_MAX_SCHEDULES: '3',
    STRONGROOM_RATE_LIMITS: 'getRegions=50/3600,HEAD=1/3600,GET=100000/60',
    STRONGROOM_SECRET_KEY: secretKey,
  };
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
        [first, second][n % 2]?.call(postSchedules, { body: { schedule: { ...timing, instance_id } } }),
      ),
    );
    const statuses = answers.map((answer) => answer?.status).sort();
    expect(statuses).toEqual([202, 202, 202, ...Array.from({ length: 9 }, () => 413)]);
    expect((await second.call(getSchedules)).body).toMatchObject({ schedules: { length: 3 } });
  });

  it('has room again when one is deleted, for one, and is each account’s own', async () => {
    const instance_id = await first.register();
    const body = { schedule: { ...timing, instance_id } };
    const refused = await first.call(postSchedules, { body });
    expect(faultOf(refused)).toEqual([413, 'overLimit']);
    expect(faultIn(refused.body).message).toContain('3 schedules');
    const [schedule] = (await first.ids(getSchedules)) ?? [];
    await second.call(deleteSchedulesId, { id: schedule });
    expect((await first.call(postSchedules, { body })).status).toBe(202);
    await first.schedule(await first.register('other'), {}, 'other');
  });
});

describe('the limit of requests', () => {
  it('is counted over every process, and tells when to ask again', async () => {
    const answers: Answer[] = [];
    for (let n = 0; n < 60; n += 1) answers.push(await ((n % 2 ? first : second) as Gateway).call(getRegions));
    const passed = answers.filter(({ status }) => status === 200).length;
    // One process may still hold permits when the other finds none left.
    expect(passed).toBeGreaterThan(44);
    expect(passed).toBeLessThanOrEqual(50);
    const last = answers.at(-1) as Answer;
    expect(faultOf(last)).toEqual([413, 'overLimit']);
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(last.headers.get('retry-after'))).toBeLessThanOrEqual(3_600);
  });

  it('is reached on every way to the operation', async () => {
    const regions = pathOf(getRegions, { accountId });
    for (const path of [regions.replace('/r', '/%72'), `${regions}/`, `${regions}#x`, `${regions}?x`]) {
      const wire = await first.wire(
        `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Auth-Token: ${first.tokenOf('admin')}\r\n\r\n`,
      );
      expect([path, wire.split('\r\n', 1)[0]]).toEqual([path, 'HTTP/1.1 413 Payload Too Large']);
    }
  });

  it('is of one operation and one account', async () => {
    expect((await first.call(getSchedules)).status).toBe(200);
    expect((await first.call(getRegions, { as: 'other' })).status).toBe(200);
  });
});

describe('an Idempotency-Key', () => {
  const keyed = (gateway: Gateway, idempotencyKey: string, operation: Operation, call: Call = {}) =>
    gateway.call(operation, { idempotencyKey, ...call });
  const instanceNamed = (name: string) => ({
    instance: {
      name,
      datastore: { type: 'postgresql', version: '18' },
      connection: { host: 'db', port: 5432, user: 'backup', password: 'secret' },
    },
  });

  const shown = z.object({ schedule: z.object({ version: z.int() }) });
  const scheduleOf = async (id: string) => shown.parse((await first.call(getSchedulesId, { id })).body).schedule;

  it('gives the first answer again, through any process, and does nothing twice', async () => {
    const body = instanceNamed('once');
    const one = await keyed(first, 'register-once', postInstances, { body });
    const two = await keyed(second, 'register-once', postInstances, { body });
    expect([one.status, two.status]).toEqual([200, 200]);
    expect(two.body).toEqual(one.body);
    expect(two.headers.get('idempotent-replayed')).toBe('true');
    expect((await first.ids(getInstances)).filter((id) => JSON.stringify(one.body).includes(id))).toHaveLength(1);
  });

  it('does once what comes many times at once', async () => {
    const body = instanceNamed('at once');
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        keyed((n % 2 ? first : second) as Gateway, 'at-once', postInstances, { body }),
      ),
    );
    const [one, ...others] = answers.map(({ body: answered }) => answered);
    for (const other of others) expect(other).toEqual(one);
    const registered = (await first.events()).filter(({ data }) => JSON.stringify(data).includes('at once'));
    expect(registered).toHaveLength(1);
  });

  it('with another body, or of another operation, is a 422', async () => {
    await keyed(first, 'taken', postInstances, { body: instanceNamed('a') });
    expect(faultOf(await keyed(first, 'taken', postInstances, { body: instanceNamed('b') }))).toEqual([
      422,
      'unprocessableEntity',
    ]);
    expect(faultOf(await keyed(second, 'taken', postBackups, { body: instanceNamed('a') }))).toEqual([
      422,
      'unprocessableEntity',
    ]);
  });

  it.each(operations.filter(takesKey))(
    'that was used for something else is a 422: $method $path',
    async (operation) => {
      await keyed(first, 'taken', postInstances, { body: instanceNamed('a') });
      expect(faultOf(await keyed(first, 'taken', operation, { id: nothing, body: {} }))).toEqual([
        422,
        'unprocessableEntity',
      ]);
    },
  );

  it('is each account’s own', async () => {
    const of = (as: 'admin' | 'other') =>
      first.call(postInstances, { as, headers: { 'idempotency-key': 'shared' }, body: instanceNamed(as) });
    expect([(await of('admin')).status, (await of('other')).status]).toEqual([200, 200]);
  });

  it('gives the first refusal again, though it would be accepted by now', async () => {
    const instance = await first.register();
    const running = await first.backup(instance);
    const body = { backup: { name: 'next', instance } };
    const one = await keyed(first, 'refused', postBackups, { body });
    expect(faultOf(one)).toEqual([422, 'unprocessableEntity']);
    expect(one.headers.get('idempotent-replayed')).toBeNull();
    await first.run(running, instance, 'failed');
    const two = await keyed(second, 'refused', postBackups, { body });
    expect([two.status, two.body]).toEqual([422, one.body]);
    expect(two.headers.get('idempotent-replayed')).toBe('true');
    expect((await keyed(second, 'a-new-one', postBackups, { body })).status).toBe(202);
  });

  it('gives a refusal again whatever text is in it', async () => {
    const body = { schedule: { 'no \0 such \ud800 field': 1 } };
    const one = await keyed(first, 'odd', postSchedules, { body });
    expect(faultOf(one)).toEqual([400, 'badRequest']);
    expect((await keyed(second, 'odd', postSchedules, { body })).body).toEqual(one.body);
  });

  it('can be used again for what was not decided: too many, or no database', async () => {
    const [schedule = ''] = await first.ids(getSchedules);
    const instance_id = await first.register();
    const body = { schedule: { ...timing, instance_id } };
    expect(faultOf(await keyed(first, 'too-many', postSchedules, { body }))).toEqual([413, 'overLimit']);
    await first.call(deleteSchedulesId, { id: schedule });
    expect((await keyed(first, 'too-many', postSchedules, { body })).status).toBe(202);
  });

  it('has one outcome, also when an accepted and a refused request come with it at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      const instance = await first.register();
      const running = await first.backup(instance);
      const ask = (gateway: Gateway) =>
        keyed(gateway, `either-${round}`, postBackups, { body: { backup: { name: 'either', instance } } });
      const [, ...answers] = await Promise.all([
        first.run(running, instance, 'failed'),
        ask(first),
        ask(second),
        ask(first),
        ask(second),
      ]);
      const [one] = answers;
      for (const answer of [...answers, await ask(first)]) {
        expect([answer.status, answer.body]).toEqual([one?.status, one?.body]);
      }
      const made = (await first.ids(getBackups, { query: { instance_id: instance } })).length;
      expect(made).toBe(one?.status === 202 ? 2 : 1);
    }
  });

  it('gives one answer to what deletes a backup, or changes a schedule as it was read, twice at once', async () => {
    const schedule = (await first.ids(getSchedules)).at(-1) ?? '';
    const { version } = await scheduleOf(schedule);
    for (let round = 0; round < 3; round += 1) {
      const instance = await first.register();
      const backup = await first.backup(instance);
      await first.run(backup, instance, 'completed');
      const twice = (call: (gateway: Gateway) => Promise<Answer>) => Promise.all([first, second, first].map(call));
      const removals = await twice((gateway) => keyed(gateway, `remove-${round}`, deleteBackupsId, { id: backup }));
      expect(removals.map(({ status }) => status)).toEqual([202, 202, 202]);
      const changes = await twice((gateway) =>
        gateway.call(putSchedulesId, {
          id: schedule,
          headers: { 'idempotency-key': `change-${round}`, 'if-match': `"${version + round}"` },
          body: { schedule: { minute: 10 + round } },
        }),
      );
      expect(changes.map(({ status }) => status)).toEqual([202, 202, 202]);
    }
    expect((await scheduleOf(schedule)).version).toBe(version + 3);
  });

  it('finds an effect whose answer was never noted, as when the process died in between', async () => {
    const instance = await first.register();
    const body = { backup: { name: 'survivor', instance } };
    const one = await keyed(first, 'died', postBackups, { body });
    await first.sql(`update idempotent_request set status = null, body = null where key = 'died'`);
    const two = await keyed(second, 'died', postBackups, { body });
    expect([two.status, two.body]).toEqual([202, one.body]);
    const [, id = ''] = /"id":"([^"]+)"/.exec(JSON.stringify(one.body)) ?? [];
    await first.run(id, instance, 'completed');

    expect((await keyed(first, 'died-deleting', deleteBackupsId, { id })).status).toBe(202);
    await first.sql(`update idempotent_request set status = null, body = null where key = 'died-deleting'`);
    expect((await keyed(second, 'died-deleting', deleteBackupsId, { id })).status).toBe(202);
  });

  it('gives the answer of an effect that has happened, whatever has changed since', async () => {
    const instance = await first.register();
    const body = { backup: { name: 'outlived', instance } };
    const one = await keyed(first, 'outlived', postBackups, { body });
    const [backup = ''] = await first.ids(getBackups, { query: { instance_id: instance } });
    await first.run(backup, instance, 'failed');
    expect((await first.call(deleteInstancesId, { id: instance })).status).toBe(202);
    await first.sql(`update idempotent_request set status = null, body = null where key = 'outlived'`);
    const two = await keyed(second, 'outlived', postBackups, { body });
    expect([two.status, two.body]).toEqual([202, one.body]);
    expect(JSON.stringify(one.body)).toContain(backup);
  });

  it('is forgotten after a day, and no sooner, counted from its answer', async () => {
    const age = (hours: number) =>
      first.sql(`update idempotent_request set begun_at = now() - interval '${hours} hours' where key = 'yesterday'`);
    // This is left by an attempt that ended without an answer.
    await keyed(first, 'yesterday', postInstances, { body: instanceNamed('a') });
    await first.sql(
      `update idempotent_request set status = null, body = null, resource_id = gen_random_uuid() where key = 'yesterday'`,
    );
    await first.sql(`delete from ledger_claim where key = '1234/yesterday'`);
    await age(23);
    const one = await keyed(first, 'yesterday', postInstances, { body: instanceNamed('a') });
    await first.sql(`update idempotent_request set begun_at = begun_at - interval '24 hours' where key = 'yesterday'`);
    const two = await keyed(second, 'yesterday', postInstances, { body: instanceNamed('a') });
    expect([two.status, two.body]).toEqual([200, one.body]);
    await age(25);
    expect((await keyed(first, 'yesterday', postInstances, { body: instanceNamed('b') })).status).toBe(200);
  });

  it('is kept as long as one clock says that its day is not over: the other may be ahead', async () => {
    const one = await keyed(first, 'ahead', postInstances, { body: instanceNamed('ahead') });
    await first.sql(`update idempotent_request set begun_at = now() - interval '3 days' where key = 'ahead'`);
    const clock = new FixedClock(new Date(Date.now() - 3 * 86_400_000));
    const behind = await Gateway.open({ database: first.database, clock, env: { STRONGROOM_SECRET_KEY: secretKey } });
    try {
      const two = await keyed(behind, 'ahead', postInstances, { body: instanceNamed('ahead') });
      expect([two.status, two.body]).toEqual([200, one.body]);
    } finally {
      await behind.end();
    }
  });

  it('keeps nothing of a password, and no digest that somebody without the secret key could check a guess by', async () => {
    await keyed(first, 'guessed', postInstances, { body: instanceNamed('guessed') });
    const kept = JSON.stringify(
      await first.sql(
        `select r.*, encode(fingerprint, 'hex') as digest from idempotent_request r where key = 'guessed'`,
      ),
    );
    const said = `POST ${pathOf(postInstances, { accountId })}\n${JSON.stringify(instanceNamed('guessed'))}`;
    expect(kept).not.toContain(createHash('sha256').update(said).digest('hex'));
    expect(kept).toMatch(/"digest":"[0-9a-f]{64}"/);
    expect(kept).not.toContain('secret');
  });

  it('means the same however the path is spelled', async () => {
    const body = instanceNamed('spelled');
    const one = await keyed(first, 'spelled', postInstances, { body });
    const path = pathOf(postInstances, { accountId }).replace('/i', '/%69');
    const headers = { 'idempotency-key': 'spelled' };
    const two = await second.request('POST', path, { headers, bytes: JSON.stringify(body) });
    expect(two.body).toEqual(one.body);
    expect(two.headers.get('idempotent-replayed')).toBe('true');
  });

  it.each(['', ' ', 'a b', 'ä', 'x'.repeat(256)])('must be one: %j', async (key) => {
    const answer = await first.call(postInstances, {
      headers: { 'idempotency-key': encodeURI(key) === key ? key : 'a b' },
      body: instanceNamed('never'),
    });
    expect(faultOf(answer)).toEqual([400, 'badRequest']);
  });
});

describe('a precondition', () => {
  it('lets a change pass only on what the client has read', async () => {
    const [schedule = ''] = await first.ids(getSchedules);
    const read = await first.call(getSchedulesId, { id: schedule });
    const tag = read.headers.get('etag') ?? '';
    expect(tag).toBe('"1"');
    const change = (minute: number, ifMatch: string) =>
      second.call(putSchedulesId, { id: schedule, body: { schedule: { minute } }, ifMatch });
    expect((await change(1, tag)).status).toBe(202);
    expect(faultOf(await change(2, tag))).toEqual([412, 'preconditionFailed']);
    expect(faultOf(await change(2, `W/"2"`))).toEqual([412, 'preconditionFailed']);
    expect(faultOf(await change(2, '2'))).toEqual([400, 'badRequest']);
    expect((await change(2, '"7", "2"')).status).toBe(202);
    expect((await change(3, '*')).status).toBe(202);
    const remove = (ifMatch: string) => first.call(deleteSchedulesId, { id: schedule, ifMatch });
    expect(faultOf(await remove(tag))).toEqual([412, 'preconditionFailed']);
    expect((await remove('"4"')).status).toBe(202);
  });

  it('holds for backups and instances', async () => {
    const instance = await first.register();
    const backup = await first.backup(instance);
    await first.run(backup, instance, 'completed');
    for (const [get, remove, id] of [
      [getBackupsId, deleteBackupsId, backup],
      [getInstancesId, deleteInstancesId, instance],
    ] as const) {
      const ifMatch = (await first.call(get, { id })).headers.get('etag') ?? '';
      expect(faultOf(await first.call(remove, { id, ifMatch: '"99"' }))).toEqual([412, 'preconditionFailed']);
      expect((await first.call(remove, { id, ifMatch })).status).toBe(202);
    }
  });

  it('decides between two who change the same at once', async () => {
    const schedule = await first.schedule(await first.register());
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        [first, second][n % 2]?.call(putSchedulesId, {
          id: schedule,
          body: { schedule: { minute: n } },
          ifMatch: '"1"',
        }),
      ),
    );
    expect(answers.filter((answer) => answer?.status === 202)).toHaveLength(1);
    expect(answers.filter((answer) => answer?.status === 412)).toHaveLength(5);
  });
});
