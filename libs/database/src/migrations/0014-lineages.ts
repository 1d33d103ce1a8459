/**
 * Shows which server's history a backup is a state of, why a backup is full that was planned incremental, and which lineages
 * were accepted. No version before this one recorded such events, so empty columns are right. What an older process folds
 * meanwhile is folded anew.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class Lineages1700000000014 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      alter table backup_view
        add column made_full jsonb,
        add column lineage uuid,
        add column facts jsonb,
        add column another_server jsonb;
      alter table run_view add column made_full jsonb;
      alter table instance_view add column accepted_lineages jsonb not null default '[]';
    `);
  }

  down = noWayBack;
}
