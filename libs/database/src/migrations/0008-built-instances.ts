/** Has instances that are built from backups: they have no endpoint until their server runs, and the build may fail. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class BuiltInstances1700000000008 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      alter table instance_view
        add column status text not null default 'ACTIVE',
        add column fault jsonb,
        alter column endpoint drop not null;
    `);
  }

  down = noWayBack;
}
