/**
 * Which server's history a backup is a state of, why one is full that was to be incremental, and which lineages were
 * accepted. All of it comes from events that no version before this one has recorded, so what is empty now is right; what
 * an older process folds meanwhile is folded anew.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

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

  async down(run: QueryRunner): Promise<void> {
    await run.query(`
      alter table instance_view drop column accepted_lineages;
      alter table run_view drop column made_full;
      alter table backup_view
        drop column made_full, drop column lineage, drop column facts, drop column another_server;
    `);
  }
}
