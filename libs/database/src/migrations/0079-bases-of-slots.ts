/**
 * Keeps with each timer what the decision about its next slot rests on, so that the streams of a schedule and its instance need not be
 * read at the slot. The append asks whether they are as they were. A timer also has its turn among those of its account.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class BasesOfSlots1700000000079 implements MigrationInterface {
  static readonly installs = {
    ledger_append_relying: '6c6a43cae28c63988e662e2746ed86cb9cf6e24e0321d9a7d1261c770405dd61',
  };

  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      alter table slot_timer add column basis jsonb, add column turn integer not null default 0;
      comment on column slot_timer.basis is
        'What the schedule and its instance were when a slot was decided last, and at which versions; null when they are to be read.';
      comment on column slot_timer.turn is
        'How many timers of the account were moved before this one in the same look. Of the timers of one minute, lower turns go first.';
    `);
    await installFunctions(run, BasesOfSlots1700000000079.installs);
  }

  down = noWayBack;
}
