/** Puts the timers of one minute in an order in which the accounts take turns. Older processes go by the time alone, beside this. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class TurnsOfTimers1700000000080 implements MigrationInterface {
  transaction = false;

  async up(run: QueryRunner): Promise<void> {
    await run.query('create index concurrently if not exists slot_timer_in_turns on slot_timer (next_slot_at, turn)');
    await run.query('drop index concurrently if exists slot_timer_due');
  }

  down = noWayBack;
}
