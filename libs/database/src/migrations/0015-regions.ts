/** Lets regions come and go: it shows since when a copy is owed, and what a region without a vault holds up. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class Regions1700000000015 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      -- A process of the version before fills it by default.
      alter table copy_view add column owed_at timestamptz not null default now();
      update copy_view set owed_at = created_at;
      drop index copy_view_unended;
      create index copy_view_unended on copy_view (region, owed_at) where status in ('PENDING', 'COPYING');
      create index copy_view_stranded on copy_view (region, owed_at)
        where status = 'FAILED' and fault->>'code' = 'region-retired';
      create index backup_view_left_behind on backup_view (id)
        where status = 'DELETE_FAILED' and fault->>'code' = 'region-retired';
    `);
  }

  down = noWayBack;
}
