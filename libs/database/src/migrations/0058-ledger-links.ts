/** Links each event to the one before it, so that a later change of the ledger can be noticed. Older events stay as they are. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class LedgerLinks1700000000058 implements MigrationInterface {
  static readonly installs = {
    ledger_links: '6ea7a597ecf5b1454645c62fca031d0b6588b78f3ffb45012298f7dbc42fa149',
    ledger_append: 'c35131998be6476bb36572ca310518e61bbef975465d66d2c05ebf73d63f87a0',
  };

  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      alter table ledger_event add column link bytea;
      comment on column ledger_event.link is
        'SHA-256 over the link of the event before and the digest of this one; null where an older version has recorded it.';
    `);
    await installFunctions(run, LedgerLinks1700000000058.installs);
  }

  down = noWayBack;
}
