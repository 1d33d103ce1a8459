/**
 * Restores that were tested. The views need not be folded anew, because there is no event of a test yet: what an older version beside
 * this one passes over is noted, and folded by a newer one.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class RestoreTests1700000000131 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table restore_test_view (
        id uuid primary key,
        account_id text not null,
        instance_id uuid not null,
        tests jsonb not null,
        tested_at timestamptz not null,
        version integer not null
      );
      comment on table restore_test_view is
        'The newest restores of each backup that were tested, by region and outcome, folded from their events. A row stays when its backup is deleted.';
      create index restore_test_view_by_account on restore_test_view (account_id);
      create index restore_test_view_newest on restore_test_view (instance_id, tested_at desc, id desc);
    `);
  }

  down = noWayBack;
}
