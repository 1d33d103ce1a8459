/**
 * Keeps the runs that were asked for beside those of slots, so that a schedule's last run is known when its backup is gone.
 * Accounts whose views were folded before get the rows that the fold would have made.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class RunsAskedFor1700000000010 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      lock table view_head in exclusive mode;
      alter table run_view alter column slot_at drop not null;
      create index run_view_that_ran on run_view (schedule_id, created_at desc) where outcome = 'ran';

      insert into run_view (id, account_id, instance_id, schedule_id, slot_at, outcome, created_at, version)
      select (e.data ->> 'backupId')::uuid, e.account_id, e.instance_id, (e.data ->> 'scheduleId')::uuid, null, 'ran', e.at, e.version
      from ledger_event e
      join view_head h on h.account_id = e.account_id and e.position <= h.position
      where e.type = 'BackupRequested' and e.data ->> 'scheduleId' is not null and e.data ->> 'slotAt' is null;
    `);
  }

  down = noWayBack;
}
