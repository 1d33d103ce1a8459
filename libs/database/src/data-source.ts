/** The one database of a deployment: how a process connects to it, and how its schema is brought up to date. */
import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import pg, { type ClientBase } from 'pg';
import { DataSource, type EntitySchema, type QueryRunner } from 'typeorm';
import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions.js';
import { z } from 'zod';
import { applyGrants, type ServiceName } from './grants.js';
import { migrations } from './migrations.js';
import { sessionStart } from './session-start.js';

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database` */
  url: string;
  /** The name that pg_stat_activity shows. */
  applicationName: string;
  entities?: EntitySchema[];
  /** The most connections of the pool. Default 20: a handler's transaction may wait for another one of its own process. */
  poolSize?: number;
  /** How long a statement may take, in milliseconds. Default: a minute. 0, for migrations, sets no limit. */
  longestStatementMs?: number;
}

/**
 * How long a transaction may wait for the next statement of its process, in milliseconds. A process that freezes in a transaction keeps
 * the ledger's lock, a timer or an offset from all others for so long. Whoever waits for something else meanwhile loses its session
 * too, and must be ready to begin again.
 */
const longestIdleMs = 2_000;

/**
 * How long a connection is kept that has nothing to do, in milliseconds. What a process does every ten seconds needs no new one each time.
 * It is less than the silence after which a connection is given up.
 */
const longestUnusedMs = 45_000;

/** The server ends a slow statement itself and says so. A server that says nothing is given up this much later. */
const silenceMs = 2_000;

/** TypeORM would take another driver, `pg-native`, wherever Node finds one. That one knows nothing of the settings below. */
const driver: unknown = Object.create(pg, { native: { value: undefined } });

export function dataSourceOptions({
  url,
  applicationName,
  entities = [],
  poolSize = 20,
  longestStatementMs = 60_000,
}: DatabaseOptions): PostgresDataSourceOptions {
  return {
    type: 'postgres',
    driver,
    nativeDriver: {},
    url,
    applicationName,
    entities,
    poolSize,
    connectTimeoutMS: 5_000,
    synchronize: false,
    logging: false,
    migrationsTableName: 'schema_migration',
    migrationsTransactionMode: 'each',
    migrations: [...migrations],
    extra: {
      // A statement, and not parameters of the connection: a pooler refuses most of those. While it runs, the pool hears the client's
      // errors. Without it, the end of a session that comes in one packet with its beginning is heard by nobody, and ends the process.
      onConnect: (client: ClientBase) => client.query(sessionStart({ longestStatementMs, longestIdleMs })),
      idleTimeoutMillis: Math.min(longestUnusedMs, longestStatementMs || longestUnusedMs),
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      ...(longestStatementMs > 0 && { stream: () => socketWithSilenceLimit(longestStatementMs + silenceMs) }),
    },
  };
}

/**
 * A socket that ends when nothing was sent or received for so long. A host that vanishes resets no connection, and TCP alone
 * would wait for it for a quarter of an hour. The client's own `query_timeout` would leave the dead connection in the pool.
 */
function socketWithSilenceLimit(ms: number): Socket {
  const socket = new Socket();
  const overdue = () => Object.assign(new Error(`the database did not answer within ${ms} ms`), { code: 'ETIMEDOUT' });
  return socket.setTimeout(ms, () => socket.destroy(overdue()));
}

/** A data source that is not connected yet. */
export function createDataSource(options: DatabaseOptions): DataSource {
  return new DataSource(dataSourceOptions(options));
}

const migrationLock = 7_236_000;
const lookAgainMs = 200;
const lockRows = z.array(z.object({ held: z.boolean() })).length(1);

/**
 * Brings the schema up to date, and gives the roles of the services their rights. Only the owner of the schema can. Any number of processes may call it at once, since it takes a lock; TypeORM takes none. Whoever waits
 * for the lock asks again and again: a statement that waited would hold a snapshot, and an index that is made concurrently waits for
 * every snapshot. @returns the services that have a role of their own
 */
export async function migrate(dataSource: DataSource): Promise<ServiceName[]> {
  const holder = dataSource.createQueryRunner();
  try {
    await holder.connect();
    while (!(await isLocked(holder))) await delay(lookAgainMs);
    try {
      await dataSource.runMigrations();
      return await applyGrants(holder);
    } finally {
      // A connection that was lost has lost its lock, and what stood in the way is thrown already.
      if (!holder.isReleased) await holder.query('select pg_advisory_unlock($1)', [migrationLock]);
    }
  } finally {
    await holder.release();
  }
}

async function isLocked(holder: QueryRunner): Promise<boolean> {
  const rows: unknown = await holder.query('select pg_try_advisory_lock($1) as held', [migrationLock]);
  return lockRows.parse(rows)[0]?.held ?? false;
}
