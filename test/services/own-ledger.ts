/** A ledger for one spec file, on a database of its own that has the tables of the views. */
import { createDataSource, migrate } from '@strongroom/database';
import { Ledger } from '@strongroom/ledger';
import { viewTables } from '@strongroom/read-model';
import type { DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from './database.js';

export interface OwnLedger {
  database: TestDatabase;
  dataSource: DataSource;
  ledger: Ledger;
  close(): Promise<void>;
}

export async function openOwnLedger(): Promise<OwnLedger> {
  const database = await createTestDatabase();
  const options = { url: database.url, applicationName: 'spec', entities: viewTables };
  const dataSource = await createDataSource(options).initialize();
  await migrate(dataSource);
  const close = async () => {
    await dataSource.destroy();
    await database.drop();
  };
  return { database, dataSource, ledger: new Ledger(dataSource), close };
}
