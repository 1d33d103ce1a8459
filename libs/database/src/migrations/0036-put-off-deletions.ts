/** Shows why a backup that has had its time is not deleted. No version before this one recorded that, so null is right. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class PutOffDeletions1700000000036 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      alter table backup_view add column put_off jsonb;
      comment on column backup_view.put_off is 'Why the backup is not deleted, while it should be gone.';
    `);
  }

  down = noWayBack;
}
