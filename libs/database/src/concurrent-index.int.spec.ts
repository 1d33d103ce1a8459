import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createTestDatabase, openDataSource, type TestDatabase } from '../../../test/services/database.js';
import { migrate, migrations } from './index.js';

/** A migration that keeps no append waiting. It can't be a transaction. */
class IndexOfSpec9900000000001 implements MigrationInterface {
  transaction = false;

  async up(run: QueryRunner): Promise<void> {
    await run.query('create index concurrently if not exists ledger_event_of_spec on ledger_event (type, position)');
  }

  async down(): Promise<void> {}
}

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

async function migrated(): Promise<void> {
  const options = { url: database.url, applicationName: 'spec', poolSize: 2, longestStatementMs: 0 };
  const source = await openDataSource({ ...options, migrations: [...migrations, IndexOfSpec9900000000001] });
  try {
    await migrate(source);
  } finally {
    await source.destroy();
  }
}

describe('an index that a migration makes concurrently', () => {
  it('is there when several processes start at once: those that wait hold nothing that it waits for', async () => {
    await Promise.all(Array.from({ length: 4 }, () => migrated()));
    const source = await openDataSource({ url: database.url, applicationName: 'spec' });
    const rows = await source.query(
      `select indisvalid from pg_index where indexrelid = 'ledger_event_of_spec'::regclass`,
    );
    await source.destroy();
    expect(rows).toEqual([{ indisvalid: true }]);
  });
});
