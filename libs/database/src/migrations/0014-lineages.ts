/**
 * Which server's history a backup is a state of, why one is full that was to be incremental, and which lineages were
 * accepted. All of it comes from events that no version before this one has recorded, so what is empty now is right; what
 * an older process folds meanwhile is folded anew.
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
