import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { SilentProxy } from '../../../../test/services/silent-proxy.js';
import { faultIn, Gateway } from '../../fixtures/gateway.js';

let database: TestDatabase;
let gateway: Gateway;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await database.restore();
  await gateway.close();
});

const open = async () => {
  gateway = await Gateway.open({ database });
};
const expectUnavailable = async (method: string, path: string, body?: object) => {
  const answer = await gateway.call(method, path, { body });
  expect([method, path, answer.status, faultIn(answer.body).type]).toEqual([method, path, 503, 'serviceUnavailable']);
  expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
};
const instance = {
  name: 'orders',
  datastore: { type: 'postgresql', version: '18' },
  connection: { host: 'db', port: 5432, user: 'backup', password: 'sesame' },
};

describe('a database that is away', () => {
  it('does not keep the gateway from starting: it lives, says 503, and serves as soon as the database is there', async () => {
    await database.cut();
    await open();
    expect((await gateway.request('GET', '/health/live')).status).toBe(200);
    expect((await fetch(`${gateway.url}/health/ready`)).status).toBe(503);
    expect((await gateway.request('GET', '/v1.0')).status).toBe(200);
    expect((await gateway.call('GET', '/instances', { as: 'nobody' })).status).toBe(401);
    await expectUnavailable('GET', '/instances');
    await expectUnavailable('POST', '/instances', { instance });

    await database.restore();
    await eventually(async () => expect((await gateway.request('GET', '/health/ready')).status).toBe(200), {
      withinMs: 20_000,
    });
    expect((await gateway.call('GET', '/instances')).body).toEqual({ instances: [], links: [] });
    expect((await gateway.call('POST', '/instances', { body: { instance } })).status).toBe(200);
  });

  it('makes every operation of an account a 503 with Retry-After, writes nothing, and is taken up again by itself', async () => {
    await open();
    const id = await gateway.register();
    const scheduleId = await gateway.schedule(id);
    await database.cut();
    await expectUnavailable('GET', '/instances');
    await expectUnavailable('GET', `/instances/${id}`);
    await expectUnavailable('POST', '/instances', { instance });
    await expectUnavailable('GET', '/backups');
    await expectUnavailable('GET', `/schedules/${scheduleId}/runs`);
    await expectUnavailable('PUT', `/schedules/${scheduleId}`, { schedule: { hour: 3 } });
    await expectUnavailable('PUT', `/schedules/${scheduleId}`, { schedule: { run_now: true } });
    await expectUnavailable('DELETE', `/schedules/${scheduleId}`);
    await expectUnavailable('POST', '/backups', { backup: { name: 'x', instance: id } });
    expect((await gateway.request('GET', '/health/live')).status).toBe(200);
    expect((await fetch(`${gateway.url}/health/ready`)).status).toBe(503);

    await database.restore();
    await eventually(async () => expect((await gateway.call('GET', '/instances')).status).toBe(200), {
      withinMs: 20_000,
    });
    expect((await gateway.call('GET', '/instances')).body).toMatchObject({ instances: [{ id, status: 'ACTIVE' }] });
    expect((await gateway.call('GET', `/schedules/${scheduleId}`)).body).toMatchObject({
      schedule: { hour: 14, running: 0 },
    });
    expect((await gateway.call('PUT', `/schedules/${scheduleId}`, { body: { schedule: { hour: 3 } } })).status).toBe(
      202,
    );
  });

  it('is a 503 within seconds also when its host has vanished without a word, for everybody who waits', async () => {
    const proxy = await SilentProxy.before(database.url);
    try {
      gateway = await Gateway.open({ database: { ...database, url: proxy.url } });
      const id = await gateway.register();
      proxy.silence();
      const begun = performance.now();
      const post = () => expectUnavailable('POST', '/backups', { backup: { name: 'x', instance: id } });
      await Promise.all([post(), post(), expectUnavailable('POST', '/instances', { instance })]);
      await expectUnavailable('GET', '/instances');
      expect(performance.now() - begun).toBeLessThan(30_000);

      proxy.speak();
      await eventually(
        async () => expect((await gateway.call('POST', '/instances', { body: { instance } })).status).toBe(200),
        { withinMs: 20_000 },
      );
    } finally {
      await proxy.close();
    }
  });

  it('is a 503 when it only takes reads, as a primary that was demoted: nothing is written', async () => {
    await open();
    const id = await gateway.register();
    await gateway.sql(`alter database ${database.name} set default_transaction_read_only = on`);
    // Held by sessions from their beginning.
    await database.cut();
    await database.restore();
    await eventually(
      async () => {
        await expectUnavailable('POST', '/backups', { backup: { name: 'x', instance: id } });
        expect((await gateway.request('GET', '/health/ready')).status).toBe(200);
      },
      { withinMs: 20_000 },
    );
    expect(await gateway.sql(`select from ledger_event where type = 'BackupRequested'`)).toEqual([]);
  });

  it('is not mistaken for a failure of the gateway: that is a 500 that tells nothing, and a log line that tells all', async () => {
    await open();
    await gateway.backup(await gateway.register());
    await gateway.sql('drop table job');
    const answer = await gateway.call('GET', '/backups', { headers: { 'x-request-id': 'req-500' } });
    expect([answer.status, faultIn(answer.body).type]).toEqual([500, 'instanceFault']);
    expect(faultIn(answer.body).message).toContain('req-500');
    expect(JSON.stringify(answer.body)).not.toMatch(/job|select|relation/i);
    expect(gateway.lines.find((line) => line.includes('req-500') && line.includes('relation'))).toBeDefined();
    expect((await gateway.call('GET', '/schedules')).status).toBe(200);
  });
});
