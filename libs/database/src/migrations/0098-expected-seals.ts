/** What attempts at backups were about to seal. A later attempt takes nothing else that it finds sealed. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class ExpectedSeals1700000000098 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table expected_seal (
        backup_id uuid not null,
        sha256 text not null,
        attempt integer not null,
        kept_at timestamptz not null default now(),
        primary key (backup_id, sha256)
      );
      comment on table expected_seal is
        'The SHA-256 of each manifest that an attempt was about to seal. A later attempt takes no other backup that it finds in the vault.';
    `);
  }

  down = noWayBack;
}
