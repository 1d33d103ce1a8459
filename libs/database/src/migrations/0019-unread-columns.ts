/**
 * Lets three columns of `slot_timer` be null, because nothing reads them. An older process still writes them, this version
 * need not, and the next version drops them.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class UnreadColumns1700000000019 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      alter table slot_timer
        alter column day_of_week drop not null,
        alter column paused drop not null,
        alter column copy_to drop not null;
    `);
  }

  down = noWayBack;
}
