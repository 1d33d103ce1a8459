import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { sessionStart } from './session-start.js';

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

it('a session begins with three statements, and the server answers them together', async () => {
  const results: unknown = await client.query(sessionStart({ longestStatementMs: 7_000, longestIdleMs: 3_000 }));
  expect(results).toHaveLength(3);
  const names = ['statement_timeout', 'idle_in_transaction_session_timeout', 'jit', 'timezone', 'search_path'];
  const { rows } = await client.query(
    'select current_setting(name) as value from unnest($1::text[]) with ordinality as asked(name, at) order by at',
    [names],
  );
  expect(rows.map(({ value }) => value)).toEqual(['7s', '3s', 'off', 'UTC', 'public, pg_temp']);
});
