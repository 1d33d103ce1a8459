import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { ScheduleTexts } from './index.js';

const ids = new RandomIds();
let database: TestDatabase;
let dataSource: DataSource;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'texts-spec' }));
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

it('one schedule is read by a plan that is made once for its session', async () => {
  await dataSource.query(
    `insert into schedule_view select gen_random_uuid(), 'acme', gen_random_uuid(), 1, 2, 3, 4, '{}', false, now(), now(), 1
     from generate_series(1, 500)`,
  );
  const [{ id }] = await dataSource.query('select id from schedule_view limit 1');
  const texts = new ScheduleTexts(dataSource);
  for (let read = 0; read < 20; read += 1) {
    expect((await texts.one('acme', id, new Date())).found).toMatchObject({ version: 1 });
    expect((await texts.one('acme', ids.next(), new Date())).found).toBeUndefined();
  }
  const plans = await dataSource.query(
    `select generic_plans::int as kept, custom_plans::int as made from pg_prepared_statements where statement like '%from schedule_view s%'`,
  );
  expect(plans).toEqual([{ kept: 35, made: 5 }]);
});
