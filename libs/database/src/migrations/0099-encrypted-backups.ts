/** Shows whose keys open a backup. No version before this one encrypted any, so null is right. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class EncryptedBackups1700000000099 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      alter table backup_view add column encrypted_for jsonb;
      comment on column backup_view.encrypted_for is 'Whose keys opened the backup when it was made; null for one that is not encrypted.';
    `);
  }

  down = noWayBack;
}
