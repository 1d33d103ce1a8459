import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { runStrongroom } from '../../../test/services/run-strongroom.js';

let database: TestDatabase;
let dataSource: DataSource;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'views-command-spec' }));
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

it('strongroom views rebuild puts wrong rows right, and says how many accounts it has gone over', async () => {
  const ids = Array.from({ length: 3 }, () => randomUUID());
  await dataSource.query(
    `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
     select gen_random_uuid(), 'schedule-' || id, 1, 'schedule', 'ScheduleCreated', 'account-' || id, id::uuid, now(),
       jsonb_build_object('scheduleId', id, 'instanceId', id, 'dayOfWeek', 0, 'hour', 14, 'minute', 30, 'fullBackupRetention', 2,
         'copyTo', '[]'::jsonb, 'paused', false),
       '{"requestId": "spec", "correlationId": "spec", "causationId": null, "actor": "spec"}'
     from unnest($1::text[]) as made(id)`,
    [ids],
  );
  const rebuild = (...more: string[]) =>
    runStrongroom(['views', 'rebuild', ...more], { STRONGROOM_DATABASE_URL: database.url });
  const hours = async () => {
    const rows: { hour: number }[] = await dataSource.query('select hour from schedule_view');
    return rows.map(({ hour }) => hour);
  };
  expect(await rebuild()).toMatchObject({
    code: 0,
    stdout: '',
    output: expect.stringContaining('The views of 3 accounts'),
  });
  expect(await hours()).toEqual([14, 14, 14]);
  await dataSource.query('update schedule_view set hour = 1');
  const { code, stdout } = await rebuild('--json');
  expect({ code, told: JSON.parse(stdout) }).toMatchObject({ code: 0, told: { accounts: 3, events: 3 } });
  expect(await hours()).toEqual([14, 14, 14]);
});
