/**
 * Looks, before a process uses the ledger's database, whether it can be used as it is set up: a session must be its client's alone, and
 * what is committed should stay. What can't work is refused with the reason and what to do.
 */
import { Fault } from '@strongroom/contracts';
import type { Logger } from '@strongroom/runtime';
import pg from 'pg';
import { z } from 'zod';

/** The set-up of the database can't be used, and no waiting mends it. */
export class SessionFault extends Fault<'sessions-shared'> {
  override readonly name = 'SessionFault';

  constructor(mode: string, how: string) {
    super(
      'sessions-shared',
      false,
      `STRONGROOM_DATABASE_URL leads to a pooler that shares sessions between clients (${mode} pooling: ${how}). The services need sessions of their own, for their settings, for the lock of migrations and for LISTEN. Set pool_mode = session for this database and user in PgBouncer, with a pool_size of at least 24 for each process, or connect to PostgreSQL itself.`,
    );
  }
}

const connectMs = 5_000;
/** With other clients on the same pooler, one look may see nothing. */
const looks = 3;

const pids = z.array(z.object({ pid: z.int() })).length(1);
const states = z
  .array(z.object({ fsync: z.string(), pages: z.string(), only_reads: z.string(), is_standby: z.boolean() }))
  .length(1);

/** @throws {SessionFault} when sessions are shared */
export async function checkDatabase(url: string, log: Logger): Promise<void> {
  await withClient(url, (one) =>
    withClient(url, async (another) => {
      for (let look = 0; look < looks; look += 1) await mustBeApart(one, another);
      await warnOf(one, log);
    }),
  );
}

/** Two sessions have two processes of the server, and each keeps its own. */
async function mustBeApart(one: pg.Client, another: pg.Client): Promise<void> {
  const before = await pidOf(one);
  try {
    await another.query('begin; set local idle_in_transaction_session_timeout = 0; set local statement_timeout = 0');
  } catch (error) {
    if (error instanceof Error && /statement pooling/i.test(error.message)) {
      throw new SessionFault('statement', 'it refuses transactions');
    }
    throw error;
  }
  const other = await pidOf(another);
  const after = await pidOf(one);
  await another.query('rollback');
  if (other === before || other === after) {
    throw new SessionFault('transaction', `two connections met in the server's process ${other}`);
  }
  if (after !== before) throw new SessionFault('transaction', `a connection went from process ${before} to ${after}`);
}

async function warnOf(client: pg.Client, log: Logger): Promise<void> {
  const { rows } = await client.query(
    `select current_setting('fsync') as fsync, current_setting('full_page_writes') as pages,
       current_setting('default_transaction_read_only') as only_reads, pg_is_in_recovery() as is_standby`,
  );
  const [state] = states.parse(rows);
  if (state?.fsync === 'off' || state?.pages === 'off') {
    log.warn(
      "fsync or full_page_writes is off in the ledger's database: a crash of its host may lose what was answered, or the whole database",
    );
  }
  if (state?.is_standby) {
    log.warn(
      "the ledger's database is a standby and takes only reads: every change is answered 503 until it is promoted",
    );
  } else if (state?.only_reads === 'on') {
    log.warn(
      'default_transaction_read_only is on for the role or the database: every change is answered 503. To end that: alter role … reset default_transaction_read_only, or alter database … reset default_transaction_read_only',
    );
  }
}

async function pidOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query('select pg_backend_pid() as pid');
  return pids.parse(rows)[0]?.pid ?? 0;
}

async function withClient(url: string, use: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'strongroom-check',
    connectionTimeoutMillis: connectMs,
    query_timeout: connectMs,
  });
  client.on('error', () => {});
  await client.connect();
  try {
    // A default may end the session while the other one is asked. Nothing else is set: the session may turn out to be shared.
    await client.query('set idle_session_timeout = 0');
    await use(client);
  } finally {
    await client.end();
  }
}
