/** A PostgreSQL and a Kafka for one measurement, with their data on the disk and fsync on, and what is asked of them. */
import { join } from 'node:path';
import pg from 'pg';
import { createDataSource, migrate } from '../dist/libs/database/src/index.js';
import { findKafka, KafkaBroker } from '../dist/libs/local-services/src/index.js';
import { PostgresServer } from '../dist/libs/server-processes/src/index.js';
import { root } from './stack.mjs';

/** @param more settings of the server @returns a server with the schema in database `strongroom`, which counts its statements */
export async function scratchPostgres(place, more = {}) {
  const server = await PostgresServer.start({
    directory: join(place.folder, 'postgres'),
    password: 'bench',
    settings: {
      shared_preload_libraries: 'pg_stat_statements',
      'pg_stat_statements.track': 'top',
      'pg_stat_statements.max': 5_000,
      max_connections: 300,
      shared_buffers: '256MB',
      ...more,
    },
    logFile: join(place.folder, 'postgres.log'),
  });
  place.undo.push(() => server.stop());
  await withClient(server.url(), (client) => client.query('create database strongroom'));
  const url = server.url('strongroom');
  await withClient(url, (client) => client.query('create extension pg_stat_statements'));
  const dataSource = await createDataSource({ url, applicationName: 'bench-schema', poolSize: 2 }).initialize();
  await migrate(dataSource).finally(() => dataSource.destroy());
  return url;
}

/** @returns the address of a broker */
export async function scratchKafka(place) {
  const sources = join(root, 'libs', 'local-services', 'kafka');
  const { jars, reason } = await findKafka(join(root, '.strongroom', 'kafka-libs'), sources);
  if (!jars) throw new Error(`there is no Kafka here: ${reason}`);
  const broker = await KafkaBroker.start({
    ...{ jars, sources, directory: join(place.folder, 'kafka'), logFile: join(place.folder, 'kafka.log') },
  });
  place.undo.push(() => broker.kill());
  return broker.address;
}

export async function withClient(url, work) {
  const client = new pg.Client({ connectionString: url, application_name: 'bench' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Counts the statements of all others from now on. */
export async function countStatements(client) {
  await client.query('select pg_stat_statements_reset()');
}

/** @returns by statement, the most frequent first, how often it ran since `countStatements` */
export async function statementsSince(client) {
  const { rows } = await client.query(
    `select regexp_replace(query, '\\s+', ' ', 'g') as statement, sum(calls)::int as calls, sum(total_exec_time) as ms
     from pg_stat_statements where query !~ 'pg_stat_statements' group by 1 order by 2 desc`,
  );
  return rows;
}
