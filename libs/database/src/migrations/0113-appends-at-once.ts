/**
 * The jobs that events ask for are handed over as arrays, and written by one statement. The functions that were used before stay: older
 * processes call them beside a migration.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class AppendsAtOnce1700000000113 implements MigrationInterface {
  static readonly installs = {
    job_add_of_events: 'f8e8671cd8939d7a287593b803c045903164afaeafb9bdedb5984295ad20754f',
    ledger_append_at_once: '806b91ac0ed6f1abcba9ba365ca004f6a7373bda840ee198e236f8368592296f',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, AppendsAtOnce1700000000113.installs);
    await run.query(`
      revoke all on function
        job_add_of_events(integer[], integer[], text[], uuid[], text[], text[], bigint[], integer[], bigint[]) from public
    `);
  }

  down = noWayBack;
}
