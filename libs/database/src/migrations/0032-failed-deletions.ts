/** Finds the deletions that have failed, however many backups there are. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class FailedDeletions1700000000032 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`create index backup_view_delete_failed on backup_view (id) where status = 'DELETE_FAILED'`);
  }

  down = noWayBack;
}
