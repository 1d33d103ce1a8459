/**
 * How the runs of each schedule have ended. The schedule that has gone without a backup for the longest is found by an index, however many
 * there are.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class OutcomesOfSchedules1700000000116 implements MigrationInterface {
  static readonly installs = {
    schedule_outcome_begin: '8f4cba777b48f3a31a67581b0cff57d9e4efaf399e97634566d0db5f46d40304',
    schedule_outcome_end: '1e0c6c83be018cd48945b9fbaf3d331f88336f24a3f3bb1c8babc158342ff963',
    schedule_outcome_of_backup: '5e7d79a381705be2f5b262d9f1e974b0f2b4bd248b4e50f5ef526c0815c32747',
    schedule_outcome_of_run: '9e6ab39d9644e4f01d7f82dd3c9e917227907be749cb7b660932c7113b1e14f3',
    schedule_outcome_of_schedule: 'd62103ee0029a6d199de9b08e5faa130cf41a8ef82c8e42ab29c041a4912cf5f',
  };

  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table schedule_outcome (
        schedule_id uuid primary key,
        account_id text not null,
        paused boolean not null,
        active_since timestamptz not null,
        last_success_at timestamptz,
        completed bigint not null default 0,
        failed bigint not null default 0,
        skipped bigint not null default 0,
        missed bigint not null default 0
      );
      comment on table schedule_outcome is 'How the runs of each schedule have ended. Triggers of the views keep it.';
      comment on column schedule_outcome.active_since is 'Since when the schedule has run at this time of the day without a pause.';
      comment on column schedule_outcome.last_success_at is 'When its newest backup completed, even when that backup is not there any more.';
      comment on column schedule_outcome.completed is 'How many of its backups have completed since the row is there; and so for the columns beside it.';
      -- Since when the next success has been waited for.
      create index schedule_outcome_by_due on schedule_outcome (greatest(active_since, last_success_at)) where not paused;
      create index schedule_outcome_by_id on schedule_outcome (schedule_id) where not paused;
    `);
    await installFunctions(run, OutcomesOfSchedules1700000000116.installs);
    // In the order in which a fold takes the tables.
    await run.query(`
      revoke all on function schedule_outcome_begin(uuid[]), schedule_outcome_end(uuid[], timestamptz[], boolean[]),
        schedule_outcome_of_schedule(), schedule_outcome_of_backup(), schedule_outcome_of_run() from public;
      create trigger schedule_view_has_outcomes after insert or delete on schedule_view
        for each row execute function schedule_outcome_of_schedule();
      create trigger schedule_view_changes_outcomes after update on schedule_view
        for each row when ((old.paused, old.hour, old.minute) is distinct from (new.paused, new.hour, new.minute))
        execute function schedule_outcome_of_schedule();
      create trigger backup_view_begins_ended after insert on backup_view
        for each row when (new.schedule_id is not null and new.ended_at is not null)
        execute function schedule_outcome_of_backup();
      create trigger backup_view_ends after update on backup_view
        for each row when (new.schedule_id is not null and old.ended_at is null and new.ended_at is not null)
        execute function schedule_outcome_of_backup();
      create trigger run_view_has_no_backup after insert on run_view
        for each row when (new.outcome <> 'ran') execute function schedule_outcome_of_run();
    `);
  }

  down = noWayBack;
}
