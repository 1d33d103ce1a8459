/** Shows each backup with the version that its server told. The events have it since lineages are recorded. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class ToldVersions1700000000035 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    // As the view folds `BackupIdentified`.
    await run.query(`
      update backup_view set datastore_version = facts ->> 'serverVersion'
      where jsonb_typeof(facts -> 'serverVersion') = 'string' and length(facts ->> 'serverVersion') between 1 and 32
    `);
  }

  down = noWayBack;
}
