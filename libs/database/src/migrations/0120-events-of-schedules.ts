/** Finds what explains a schedule: its own events and those of its runs, by their time, however many others there are. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class EventsOfSchedules1700000000120 implements MigrationInterface {
  transaction = false;

  async up(run: QueryRunner): Promise<void> {
    await run.query(`create index concurrently if not exists ledger_event_of_schedule
      on ledger_event ((data ->> 'scheduleId'), at, position)
      where type in ('ScheduleCreated', 'ScheduleUpdated', 'ScheduleDeleted', 'SlotSkipped', 'SlotMissed', 'BackupRequested',
        'BackupDelayed', 'BackupMadeFull', 'BackupCompleted', 'BackupFailed')`);
  }

  down = noWayBack;
}
