import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  deleteBackupsId,
  getBackupsId,
  getEvents,
  getInstancesId,
  getSchedules,
  getSchedulesId,
  getSchedulesIdRuns,
  postInstances,
  postSchedules,
  putSchedulesId,
} from '@strongroom/contracts';
import pg from 'pg';
import { createTestDatabase } from '../../../../test/services/database.js';
import { Gateway } from '../../fixtures/gateway.js';

/** What an operator, or a platform, may have set for all that connects to the database. */
const defaults = [
  "DateStyle = 'SQL, DMY'",
  "IntervalStyle = 'sql_standard'",
  "TimeZone = 'Pacific/Chatham'",
  "default_transaction_isolation = 'serializable'",
  "search_path = 'pg_catalog'",
  "statement_timeout = '100ms'",
  "lock_timeout = '1ms'",
  "idle_in_transaction_session_timeout = '1ms'",
  "idle_session_timeout = '500ms'",
  'synchronous_commit = off',
  'row_security = off',
  "bytea_output = 'escape'",
  'standard_conforming_strings = off',
  'extra_float_digits = -15',
  "client_encoding = 'LATIN1'",
  'jit_above_cost = 0',
  'enable_indexscan = off',
  "plan_cache_mode = 'force_generic_plan'",
];

let gateway: Gateway;
beforeAll(async () => {
  const database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  for (const setting of defaults) await client.query(`alter database ${database.name} set ${setting}`);
  await client.end();
  gateway = await Gateway.open({ database });
});
afterAll(() => gateway.close());

describe('a database with defaults of its own', () => {
  it('serves the whole of the API as any other does', async () => {
    const instance = await gateway.register();
    const timing = { action: 'backup', day_of_week: 0, hour: 14, minute: 30, instance_id: instance, copy_to: ['IAD'] };
    const ask = () => gateway.call(postSchedules, { idempotencyKey: 'once', body: { schedule: timing } });
    const made = await ask();
    expect(made.status).toBe(202);
    expect((await ask()).body).toEqual(made.body);
    const [id = ''] = await gateway.ids(getSchedules);
    expect((await gateway.call(getSchedulesId, { id })).body).toEqual(made.body);

    const backup = await gateway.backup(instance, { name: 'Ä \\ backup' });
    await gateway.run(backup, instance, 'completed');
    const shown = await gateway.call(getBackupsId, { id: backup });
    expect(shown.body).toMatchObject({
      backup: { name: 'Ä \\ backup', status: 'COMPLETED', size: 5, started: expect.stringMatching(/^20\d\d-.*Z$/) },
    });
    expect((await gateway.call(putSchedulesId, { id, body: { schedule: { hour: 3, run_now: true } } })).status).toBe(
      202,
    );
    expect((await gateway.call(getSchedulesIdRuns, { id })).body).toMatchObject({ runs: [{ outcome: 'coming' }] });
    expect((await gateway.call(deleteBackupsId, { id: backup })).status).toBe(202);
    expect((await gateway.call(getEvents)).status).toBe(200);
    expect((await gateway.call(getInstancesId, { id: instance })).body).toMatchObject({
      instance: { status: 'BACKUP' },
    });
  });

  it('has every answer on its disk', async () => {
    expect(await gateway.sql("select current_setting('synchronous_commit') as held")).toEqual([{ held: 'on' }]);
  });

  it('counts what many ask at once', async () => {
    const instance = await gateway.register();
    const schedule = { action: 'backup', day_of_week: 0, hour: 14, minute: 30, instance_id: instance };
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => gateway.call(postSchedules, { body: { schedule } })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([202, ...Array.from({ length: 11 }, () => 422)]);
    const body = {
      instance: {
        name: 'x',
        datastore: { type: 'postgresql', version: '18' },
        connection: { host: 'db', port: 1, user: 'u', password: 'p' },
      },
    };
    const keyed = await Promise.all(
      Array.from({ length: 6 }, () => gateway.call(postInstances, { idempotencyKey: 'many', body })),
    );
    expect(new Set(keyed.map((each) => JSON.stringify([each.status, each.body]))).size).toBe(1);
  });
});
