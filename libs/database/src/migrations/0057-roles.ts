/**
 * Lets each service have a role of its own, which appends to the ledger through a function alone. The next migration installs that
 * function: it needs a column of the ledger, and the appends of older processes go on between the two.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class Roles1700000000057 implements MigrationInterface {
  static readonly installs = {
    ledger_permitted: '07c84ebc35e906204d359eb8dd79d239244c4b5608b4c857d9f23f4a5a5dae95',
    ledger_refuses: '120880c06e6c5008225ceebc48d5f45a135b337a373305e4ffa8b88dbfaec079',
    ledger_take_claim: 'e3d0caa041bbee2f93b9dec1a51880b354cdeeca4b6b18ed2fb929df9a8b5c57',
    ledger_give_back_claims: '1ff42f2743d52ac3227320b10615d4ae9ea03a776f15d9825ed79de111d219a6',
    job_add: '87de548b52d05a81a39999c1446c91c0b20f560100a30d9239b91e5a3e643034',
  };

  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table ledger_writer (
        role_name text primary key,
        aggregates text[] not null
      );
      comment on table ledger_writer is
        'To which streams a role may append. A role without a row, such as the owner, appends to all.';
      comment on column ledger_writer.aggregates is 'The kinds of aggregates.';
    `);
    await installFunctions(run, Roles1700000000057.installs);
    await run.query(`
      revoke all on function ledger_append(jsonb), job_add(jsonb), ledger_take_claim(text, text, text),
        ledger_give_back_claims(text, text[]) from public;
    `);
  }

  down = noWayBack;
}
