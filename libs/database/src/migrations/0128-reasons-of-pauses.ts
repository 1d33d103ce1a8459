/** Why a schedule is paused, where somebody has said so. An older version beside this one leaves it null. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class ReasonsOfPauses1700000000128 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query('alter table schedule_view add column pause_reason text');
  }

  down = noWayBack;
}
