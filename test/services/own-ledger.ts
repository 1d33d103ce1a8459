/** A ledger for one spec file, on a database of its own that has the tables of the views. */
import { Ledger } from '@strongroom/ledger';
import { viewTables } from '@strongroom/read-model';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from './database.js';

export interface OwnLedger {
  database: TestDatabase;
  dataSource: DataSource;
  ledger: Ledger;
  close(): Promise<void>;
}

export async function openOwnLedger(): Promise<OwnLedger> {
  const { database, dataSource } = await connectTestDatabase({ applicationName: 'spec', entities: viewTables });
  const close = async () => {
    await dataSource.destroy();
    await database.drop();
  };
  return { database, dataSource, ledger: new Ledger(dataSource), close };
}
