/** Makes a database for a spec file, on the PostgreSQL server of the test run, and connects to it. */
import { randomBytes } from 'node:crypto';
import { type DatabaseOptions, dataSourceOptions } from '@strongroom/database';
import pg from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';

export interface TestDatabase {
  name: string;
  url: string;
  /** Ends all connections and refuses new ones until `restore`. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  drop(): Promise<void>;
}

/** It has the schema already, which saves a test the migrations. With `empty`, who connects has to make the schema. */
export async function createTestDatabase({ empty = false } = {}): Promise<TestDatabase> {
  const server = process.env.STRONGROOM_TEST_POSTGRES_URL;
  if (!server) throw new Error('STRONGROOM_TEST_POSTGRES_URL is not set: run the tests with npm test');
  const name = `test_${randomBytes(6).toString('hex')}`;
  const url = new URL(server);
  url.pathname = `/${name}`;
  const template = empty ? 'template1' : 'strongroom_template';
  // The files are copied as they are. To write each block into the WAL computes four times as much.
  await onServer(server, `create database ${name} template ${template} strategy file_copy`);
  return {
    name,
    url: url.href,
    async cut() {
      await onServer(server, `alter database ${name} allow_connections false`);
      await onServer(server, `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
    },
    restore: () => onServer(server, `alter database ${name} allow_connections true`),
    drop: () => onServer(server, `drop database ${name} with (force)`),
  };
}

/** A database that has the schema, and a connection to it. */
export async function connectTestDatabase(
  options: Omit<DatabaseOptions, 'url'>,
): Promise<{ database: TestDatabase; dataSource: DataSource }> {
  const database = await createTestDatabase();
  return { database, dataSource: await openDataSource({ ...options, url: database.url }) };
}

/**
 * Connects as a service does, but waits for the server for as long as the test may take. A service gives up after some seconds and tries
 * again, and on a busy machine a spec would fail instead. With `migrations`, it knows these instead of all.
 */
export function openDataSource({
  migrations,
  ...options
}: DatabaseOptions & Pick<DataSourceOptions, 'migrations'>): Promise<DataSource> {
  const patient = { ...dataSourceOptions(options), connectTimeoutMS: 0 };
  return new DataSource({ ...patient, ...(migrations && { migrations }) }).initialize();
}

async function onServer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
