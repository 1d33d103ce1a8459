/**
 * Shows the attempts at a backup that failed and are tried again, and why a backup was late. The runs of a schedule keep this
 * when the backup is deleted, and so its type and its fault. No version before this one recorded such events, so empty lists
 * are right. The runs of accounts whose views were folded before get the type and the fault that the fold would have given.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class AttemptsAndDelays1700000000030 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      lock table view_head in exclusive mode;
      alter table backup_view
        add column failed_attempts jsonb not null default '[]',
        add column retry_at timestamptz,
        add column retry_until timestamptz,
        add column delays jsonb not null default '[]';
      comment on column backup_view.failed_attempts is 'The newest attempts that failed in a way that passes, oldest first.';
      comment on column backup_view.retry_at is 'When the next attempt is due, while one is waited for.';
      comment on column backup_view.retry_until is 'Until when the backup is tried again.';
      comment on column backup_view.delays is 'Why the backup was late, oldest first.';

      alter table run_view
        add column type text,
        add column fault jsonb,
        add column failed_attempts jsonb not null default '[]',
        add column delays jsonb not null default '[]';
      comment on column run_view.type is 'The type of the run''s backup, as it is known so far; null when there is none.';
      comment on column run_view.fault is 'Why the backup has failed.';
      comment on column run_view.failed_attempts is 'As in backup_view.';
      comment on column run_view.delays is 'As in backup_view.';

      with told as (
        select r.id, (array_agg(e.type_told order by e.version))[1] as asked,
          (array_agg(e.type_told order by e.version desc))[1] as type, max(e.version) as version
        from run_view r
        join view_head h on h.account_id = r.account_id
        join lateral (
          select version, case when type = 'BackupMadeFull' then 'full' else data ->> 'type' end as type_told
          from ledger_event
          where stream = 'backup-' || r.id and position <= h.position
            and type in ('BackupRequested', 'BackupMadeFull', 'BackupCompleted')
        ) e on true
        group by r.id
      )
      update run_view r set type = told.type,
        version = case when told.type = told.asked then r.version else greatest(r.version, told.version) end
      from told where told.id = r.id;

      update run_view r set fault = jsonb_build_object('code', e.data ->> 'code', 'reason', e.data ->> 'reason')
      from view_head h, ledger_event e
      where h.account_id = r.account_id and e.stream = 'backup-' || r.id and e.position <= h.position
        and e.type = 'BackupFailed';
    `);
  }

  down = noWayBack;
}
