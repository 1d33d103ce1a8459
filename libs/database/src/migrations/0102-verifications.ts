/** When each region was last seen to hold a backup whole. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class Verifications1700000000102 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table verification (
        backup_id uuid not null,
        region text not null,
        verified_at timestamptz not null,
        verified_by text not null default 'read',
        looked_at timestamptz not null,
        primary key (backup_id, region)
      );
      comment on table verification is
        'When a region was last seen to hold a backup whole. What was looked at longest ago is read next. Without a row the completion counts.';
      create index verification_looked_at on verification (region, looked_at);
      create index verification_verified_at on verification (region, verified_at);
    `);
  }

  down = noWayBack;
}
