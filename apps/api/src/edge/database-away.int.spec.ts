import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  deleteSchedulesId,
  getBackups,
  getHealthLive,
  getHealthReady,
  getInstances,
  getInstancesId,
  getSchedules,
  getSchedulesId,
  getSchedulesIdRuns,
  getV10,
  type Operation,
  postBackups,
  postInstances,
  putSchedulesId,
} from '@strongroom/contracts';
import { createTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { patienceNow } from '../../../../test/services/patience.js';
import { SilentProxy } from '../../../../test/services/silent-proxy.js';
import { faultIn, faultOf, outcomeIn } from '../../fixtures/answers.js';
import { type Call, Gateway } from '../../fixtures/gateway.js';

let database: TestDatabase;
let gateway: Gateway;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await database.restore();
  await gateway.close();
});

const open = async ({ isDatabaseAway = false } = {}) => {
  gateway = await Gateway.open({ database, isDatabaseAway });
};
const expectUnavailable = async (operation: Operation, call: Call = {}) => {
  const answer = await gateway.call(operation, call);
  expect([operation.name, ...faultOf(answer)]).toEqual([operation.name, 503, 'serviceUnavailable']);
  expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
  return answer;
};
/** The answer says that nothing was changed. */
const expectUnchanged = async (operation: Operation, call: Call) => {
  expect(outcomeIn((await expectUnavailable(operation, call)).body)).toBe('nothing');
};
/** A probe reads only the status; the body of its 503 is no fault. */
const isReady = async () => (await fetch(`${gateway.url}${getHealthReady.path}`)).ok;
const instance = {
  name: 'orders',
  datastore: { type: 'postgresql', version: '18' },
  connection: { host: 'db', port: 5432, user: 'backup', password: 'sesame' },
};

describe('a database that is away', () => {
  it('does not keep the gateway from starting: it lives, says 503, and serves as soon as the database is there', async () => {
    await database.cut();
    await open({ isDatabaseAway: true });
    expect((await gateway.call(getHealthLive)).status).toBe(200);
    expect(await isReady()).toBe(false);
    expect((await gateway.call(getV10)).status).toBe(200);
    expect((await gateway.call(getInstances, { as: 'nobody' })).status).toBe(401);
    await expectUnavailable(getInstances);
    await expectUnavailable(postInstances, { body: { instance } });

    await database.restore();
    await eventually(async () => expect((await gateway.call(getHealthReady)).status).toBe(200), {
      withinMs: 20_000,
    });
    expect((await gateway.call(getInstances)).body).toEqual({ instances: [], links: [], instances_links: [] });
    expect((await gateway.call(postInstances, { body: { instance } })).status).toBe(200);
  });

  it('makes every operation of an account a 503 with Retry-After, writes nothing, and is taken up again by itself', async () => {
    await open();
    const id = await gateway.register();
    const scheduleId = await gateway.schedule(id);
    await database.cut();
    await expectUnavailable(getInstances);
    await expectUnavailable(getInstancesId, { id });
    await expectUnchanged(postInstances, { body: { instance } });
    await expectUnavailable(getBackups);
    await expectUnavailable(getSchedulesIdRuns, { id: scheduleId });
    await expectUnchanged(putSchedulesId, { id: scheduleId, body: { schedule: { hour: 3 } } });
    await expectUnchanged(putSchedulesId, { id: scheduleId, body: { schedule: { run_now: true } } });
    await expectUnchanged(deleteSchedulesId, { id: scheduleId });
    await expectUnchanged(postBackups, { body: { backup: { name: 'x', instance: id } } });
    expect((await gateway.call(getHealthLive)).status).toBe(200);
    expect(await isReady()).toBe(false);

    await database.restore();
    await eventually(async () => expect((await gateway.call(getInstances)).status).toBe(200), {
      withinMs: 20_000,
    });
    expect((await gateway.call(getInstances)).body).toMatchObject({ instances: [{ id, status: 'ACTIVE' }] });
    expect((await gateway.call(getSchedulesId, { id: scheduleId })).body).toMatchObject({
      schedule: { hour: 14, running: 0 },
    });
    expect((await gateway.call(putSchedulesId, { id: scheduleId, body: { schedule: { hour: 3 } } })).status).toBe(202);
  });

  it('is a 503 within seconds also when its host has vanished without a word, for everybody who waits', async () => {
    const proxy = await SilentProxy.before(database.url);
    try {
      gateway = await Gateway.open({ database: { ...database, url: proxy.url } });
      const id = await gateway.register();
      proxy.silence();
      const begun = performance.now();
      const post = () => expectUnavailable(postBackups, { body: { backup: { name: 'x', instance: id } } });
      await Promise.all([post(), post(), expectUnavailable(postInstances, { body: { instance } })]);
      await expectUnavailable(getInstances);
      const tookMs = performance.now() - begun;
      expect(tookMs).toBeLessThan(30_000 * patienceNow({ measured: true }));

      proxy.speak();
      await eventually(
        async () => expect((await gateway.call(postInstances, { body: { instance } })).status).toBe(200),
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
    // Every session holds this lock from its beginning.
    await database.cut();
    await database.restore();
    await eventually(
      async () => {
        await expectUnchanged(postBackups, { body: { backup: { name: 'x', instance: id } } });
        expect((await gateway.call(getHealthReady)).status).toBe(200);
      },
      { withinMs: 20_000 },
    );
    expect(await gateway.sql(`select from ledger_event where type = 'BackupRequested'`)).toEqual([]);
  });

  it('is not mistaken for a failure of the gateway: that is a 500 that tells nothing, and a log line that tells all', async () => {
    await open();
    await gateway.backup(await gateway.register());
    await gateway.sql('drop table job cascade');
    const answer = await gateway.call(getBackups, { requestId: 'req-500' });
    expect(faultOf(answer)).toEqual([500, 'instanceFault']);
    const requestId = answer.headers.get('x-request-id') ?? '';
    expect(faultIn(answer.body).message).toContain(requestId);
    expect(JSON.stringify(answer.body)).not.toMatch(/job|select|relation/i);
    expect(gateway.lines.find((line) => line.includes(requestId) && line.includes('relation'))).toBeDefined();
    expect((await gateway.call(getSchedules)).status).toBe(200);
  });
});
