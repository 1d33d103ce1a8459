/**
 * Takes the ledger for a migration that changes its table or the function of the appends, so that older processes beside it go on. While a
 * long statement reads the ledger, such as a dump, the migration gives way again and again: it keeps no append waiting for longer than a
 * moment. The appends that wait for the lock run after the migration, and before any that begins later, as the former function does them.
 */
import type { QueryRunner } from 'typeorm';

/** As `ledger_append` takes it. */
const ledgerLock = 7_236_001;
/** Every later statement waits behind one that waits for the table. */
const longestWaitMs = 500;
/** The server waits, because a transaction whose process says nothing for two seconds is ended. */
const giveWaySeconds = 3;
const lockNotAvailable = '55P03';

/** Returns when the transaction of the migration has the table for itself. */
export async function lockLedgerBriefly(run: QueryRunner): Promise<void> {
  for (;;) {
    await run.query('savepoint ledger_free');
    try {
      await run.query(`set local lock_timeout = ${longestWaitMs}`);
      await run.query('select pg_advisory_xact_lock($1)', [ledgerLock]);
      await run.query('lock table ledger_event in access exclusive mode');
      await run.query('set local lock_timeout = 0');
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === lockNotAvailable)) throw error;
      // Both locks are given back by it.
      await run.query('rollback to savepoint ledger_free');
      await run.query(`select pg_sleep(${giveWaySeconds})`);
    }
  }
}
