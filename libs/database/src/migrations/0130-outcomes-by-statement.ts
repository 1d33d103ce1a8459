/** The outcomes of schedules are noted once a statement, where it was once a row: that took as long as to write the row itself. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class OutcomesByStatement1700000000130 implements MigrationInterface {
  static readonly installs = {
    schedule_outcome_begin: 'e1c27037de9a1c4c905777549ecb76c16469571717eca466336536374944bc03',
    schedule_outcome_end: '1e0c6c83be018cd48945b9fbaf3d331f88336f24a3f3bb1c8babc158342ff963',
    schedule_outcome_of_backup: '09a65fd48d592b2fcd2d9ef88f6fda8db134a703b1cf91d5ea45f1b637df7d2c',
    schedule_outcome_of_run: '44764d4dae71ea4c6229ec098dcf1db8f4186393d574f4838c86f9f2f929d70d',
    schedule_outcome_of_schedule: 'a0542d743ac459525e31d7df4305cf26a9aa4656c8b0503580c22e50f0ff1417',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, OutcomesByStatement1700000000130.installs);
    // In the order in which a fold takes the tables.
    await run.query(`
      revoke all on function schedule_outcome_begin(uuid[]), schedule_outcome_end(uuid[], timestamptz[], boolean[]) from public;
      drop trigger schedule_view_has_outcomes on schedule_view;
      create trigger schedule_view_begins_outcomes after insert on schedule_view
        referencing new table as added for each statement execute function schedule_outcome_of_schedule();
      create trigger schedule_view_ends_outcomes after delete on schedule_view
        for each row execute function schedule_outcome_of_schedule();
      drop trigger backup_view_begins_ended on backup_view;
      create trigger backup_view_begins_ended after insert on backup_view
        referencing new table as written for each statement execute function schedule_outcome_of_backup();
      drop trigger backup_view_ends on backup_view;
      create trigger backup_view_ends after update on backup_view
        referencing old table as former new table as written for each statement execute function schedule_outcome_of_backup();
      drop function if exists schedule_outcome_begin(uuid);
    `);
  }

  down = noWayBack;
}
