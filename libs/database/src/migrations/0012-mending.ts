/** Lets faults mend themselves: deletions without a job are found, and so are views that lack events of newer types. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class Mending1700000000012 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create index backup_view_deleting on backup_view (updated_at) where status = 'DELETING';
      -- The types of the account's events that whoever folded them did not know.
      alter table view_head add column passed_over text[] not null default '{}';
    `);
  }

  down = noWayBack;
}
