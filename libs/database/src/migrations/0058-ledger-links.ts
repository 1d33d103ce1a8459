/**
 * Links each event to the one before it, so that a later change of the ledger can be noticed. Older events stay as they are. An append
 * refuses an event of another account than its stream or its instance has.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { lockLedgerBriefly } from '../lock-ledger-briefly.js';
import { noWayBack } from '../no-way-back.js';

export class LedgerLinks1700000000058 implements MigrationInterface {
  static readonly installs = {
    ledger_links: '6ea7a597ecf5b1454645c62fca031d0b6588b78f3ffb45012298f7dbc42fa149',
    ledger_append: 'ffad9cc0c22846d1218ec8a513300ac27e7302e5de5ff31fd268139b15ab4a93',
  };

  async up(run: QueryRunner): Promise<void> {
    await lockLedgerBriefly(run);
    await run.query(`
      alter table ledger_event add column link bytea;
      comment on column ledger_event.link is
        'SHA-256 over the link of the event before and the digest of this one; null where an older version has recorded it.';
    `);
    await installFunctions(run, LedgerLinks1700000000058.installs);
  }

  down = noWayBack;
}
