/** The one database of a deployment: how a process connects to it, and how its schema is brought up to date. */
import { Socket } from 'node:net';
import { DataSource, type EntitySchema } from 'typeorm';
import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions.js';
import { Ledger1700000000001 } from './migrations/0001-ledger.js';
import { Feed1700000000002 } from './migrations/0002-feed.js';
import { Jobs1700000000003 } from './migrations/0003-jobs.js';
import { Views1700000000004 } from './migrations/0004-views.js';
import { SlotTimers1700000000005 } from './migrations/0005-slot-timers.js';
import { Credentials1700000000006 } from './migrations/0006-credentials.js';
import { Limits1700000000007 } from './migrations/0007-limits.js';
import { BuiltInstances1700000000008 } from './migrations/0008-built-instances.js';
import { Answers1700000000009 } from './migrations/0009-answers.js';
import { RunsAskedFor1700000000010 } from './migrations/0010-runs-asked-for.js';
import { JobFailures1700000000011 } from './migrations/0011-job-failures.js';
import { Mending1700000000012 } from './migrations/0012-mending.js';
import { Vaults1700000000013 } from './migrations/0013-vaults.js';
import { Lineages1700000000014 } from './migrations/0014-lineages.js';
import { Regions1700000000015 } from './migrations/0015-regions.js';
import { SecondLook1700000000016 } from './migrations/0016-second-look.js';
import { SteadyTime1700000000017 } from './migrations/0017-steady-time.js';
import { Functions1700000000018 } from './migrations/0018-functions.js';
import { UnreadColumns1700000000019 } from './migrations/0019-unread-columns.js';
import { JobsWithEvents1700000000020 } from './migrations/0020-jobs-with-events.js';
import { Comments1700000000021 } from './migrations/0021-comments.js';

/** Every migration, in order: a new one goes to the end. */
export const migrations = [
  Ledger1700000000001,
  Feed1700000000002,
  Jobs1700000000003,
  Views1700000000004,
  SlotTimers1700000000005,
  Credentials1700000000006,
  Limits1700000000007,
  BuiltInstances1700000000008,
  Answers1700000000009,
  RunsAskedFor1700000000010,
  JobFailures1700000000011,
  Mending1700000000012,
  Vaults1700000000013,
  Lineages1700000000014,
  Regions1700000000015,
  SecondLook1700000000016,
  SteadyTime1700000000017,
  Functions1700000000018,
  UnreadColumns1700000000019,
  JobsWithEvents1700000000020,
  Comments1700000000021,
] as const;

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

/** The server ends a slow statement itself and says so. A server that says nothing is given up this much later. */
const silenceMs = 2_000;

export function dataSourceOptions({
  url,
  applicationName,
  entities = [],
  poolSize = 20,
  longestStatementMs = 60_000,
}: DatabaseOptions): PostgresDataSourceOptions {
  return {
    type: 'postgres',
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
      // A process that hangs in a transaction must not hold the ledger's lock for ever.
      idle_in_transaction_session_timeout: 30_000,
      statement_timeout: longestStatementMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      ...(longestStatementMs > 0 && { stream: () => impatient(longestStatementMs + silenceMs) }),
    },
  };
}

/**
 * A socket that ends when nothing was sent or received for so long. A host that vanishes resets no connection, and TCP alone
 * would wait for it for a quarter of an hour. The client's own `query_timeout` would leave the dead connection in the pool.
 */
function impatient(ms: number): Socket {
  const socket = new Socket();
  const overdue = () => Object.assign(new Error(`the database did not answer within ${ms} ms`), { code: 'ETIMEDOUT' });
  return socket.setTimeout(ms, () => socket.destroy(overdue()));
}

/** A data source that is not connected yet. */
export function createDataSource(options: DatabaseOptions): DataSource {
  return new DataSource(dataSourceOptions(options));
}

const migrationLock = 7_236_000;

/** Brings the schema up to date. Any number of processes may call it at once, since it takes a lock; TypeORM takes none. */
export async function migrate(dataSource: DataSource): Promise<void> {
  const holder = dataSource.createQueryRunner();
  try {
    await holder.connect();
    await holder.query('select pg_advisory_lock($1)', [migrationLock]);
    try {
      await dataSource.runMigrations();
    } finally {
      await holder.query('select pg_advisory_unlock($1)', [migrationLock]);
    }
  } finally {
    await holder.release();
  }
}
