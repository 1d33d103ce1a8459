/** Makes the scheduler's timers: one row for each schedule, with the next slot to fire. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class SlotTimers1700000000005 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table slot_timer (
        schedule_id uuid primary key,
        account_id text not null,
        instance_id uuid not null,
        hour smallint not null,
        minute smallint not null,
        day_of_week smallint not null,
        paused boolean not null,
        copy_to text[] not null,
        -- The schedule's version that this row reflects: an older event changes nothing.
        version integer not null,
        next_slot_at timestamptz not null
      ) with (fillfactor = 80);
      create index slot_timer_due on slot_timer (next_slot_at);
    `);
  }

  down = noWayBack;
}
