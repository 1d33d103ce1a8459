/** Shows what is deleted and still there, and what is on hold. No version before this one recorded either, so null is right. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class MarkedDeletions1700000000053 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      alter table backup_view add column mark jsonb, add column hold jsonb,
        add column is_kept_by_hand boolean not null default false;
      comment on column backup_view.mark is 'Who deleted the backup and when its bytes go, while they are there.';
      comment on column backup_view.hold is 'Why nobody may delete the backup.';
      comment on column backup_view.is_kept_by_hand is 'Retention had deleted the backup, and somebody brought it back.';
      create index backup_view_marked on backup_view (account_id, id) where status = 'MARKED';
      create index backup_view_marked_by_id on backup_view (id) where status = 'MARKED';
    `);
  }

  down = noWayBack;
}
