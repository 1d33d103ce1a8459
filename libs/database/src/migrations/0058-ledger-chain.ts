/** Links each event to the one before it, so that a later change of the ledger can be noticed. Older events stay as they are. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class LedgerChain1700000000058 implements MigrationInterface {
  static readonly installs = {
    ledger_links: '0abdf01941b3384c3d1a8bb38d3ffd52dc3776e7a89759dce938c01fa34f9008',
    ledger_append: 'c71158f08465340ef630d5a1bfe65daf0784f255123da800d184ecc77cdcdc1d',
  };

  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      alter table ledger_event add column link bytea;
      comment on column ledger_event.link is
        'SHA-256 over the link of the event before and the digest of this one; null where an older version has recorded it.';
    `);
    await installFunctions(run, LedgerChain1700000000058.installs);
  }

  down = noWayBack;
}
