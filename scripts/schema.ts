/**
 * `npm run schema`: writes libs/database/schema.sql, from what the migrations make on a PostgreSQL of its own. With
 * `--check` it writes nothing, and fails when the file differs.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { differenceOf, dumpSchema } from '../libs/database/fixtures/schema-dump.js';
import { createDataSource, migrate } from '../libs/database/src/data-source.js';
import { PostgresServer } from '../libs/server-processes/src/postgres-server.js';

const path = resolve('libs/database/schema.sql');

async function schemaOf(url: string): Promise<string> {
  const dataSource = await createDataSource({ url, applicationName: 'strongroom-schema', poolSize: 2 }).initialize();
  try {
    await migrate(dataSource);
  } finally {
    await dataSource.destroy();
  }
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await dumpSchema(client);
  } finally {
    await client.end();
  }
}

/** Runs on a server that is gone afterwards, with its data. */
async function onOwnServer<Result>(use: (url: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-schema-'));
  // When root runs this, PostgreSQL runs as another user, who must be able to enter the folder.
  chmodSync(folder, 0o711);
  try {
    const server = await PostgresServer.start({
      directory: join(folder, 'postgres'),
      password: randomBytes(8).toString('hex'),
      settings: { fsync: 'off' },
      logFile: join(folder, 'postgres.log'),
    });
    try {
      return await use(server.url());
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

async function main(): Promise<void> {
  const made = await onOwnServer(schemaOf);
  if (!process.argv.includes('--check')) {
    writeFileSync(path, made);
    console.log('Wrote libs/database/schema.sql.');
    return;
  }
  const difference = differenceOf(existsSync(path) ? readFileSync(path, 'utf8') : '', made);
  if (difference === undefined) return;
  console.error(difference);
  process.exitCode = 1;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
