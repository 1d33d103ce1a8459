/** Jobs that an append adds with its events, the look-out for missing jobs in order of id, and timers without what nobody reads. */
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class JobsWithEvents1700000000020 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      -- A job that was added with its event, until the feed brings the news of the event: the job is not added again then.
      create table job_news (
        position bigint not null,
        kind text not null,
        added_at timestamptz not null default now(),
        primary key (position, kind)
      );
      create index job_news_by_age on job_news (added_at);

      -- [{kind, id, lane, accountId, readyAt, totalBytes, position}]: the position is that of the event that the job comes
      -- with. One order for all, so that two transactions that add the same jobs wait for each other and never deadlock.
      create function job_add(jobs jsonb) returns void language sql as $$
        insert into job (kind, id, lane, account_id, ready_at, paused_at, total_bytes)
        select distinct on (kind, id) kind, id, coalesce(lane, ''), "accountId", coalesce("readyAt", now()), now(), "totalBytes"
        from jsonb_to_recordset(jobs) as added(
          kind text, id uuid, lane text, "accountId" text, "readyAt" timestamptz, "totalBytes" bigint)
        order by kind, id
        on conflict (kind, id) do update set asked = job.asked + 1;

        insert into job_news (position, kind)
        select distinct position, kind from jsonb_to_recordset(jobs) as added(position bigint, kind text)
        where position is not null on conflict do nothing;
      $$;

      create index backup_view_unended_by_id on backup_view (id) where status in ('NEW', 'BUILDING');
      create index backup_view_deleting_by_id on backup_view (id) where status = 'DELETING';
      create index copy_view_unended_by_id on copy_view (id) where status in ('PENDING', 'COPYING');

      -- Written by the version before this one alone, which may still run.
      alter table slot_timer alter column day_of_week drop not null, alter column paused drop not null,
        alter column copy_to drop not null;
    `);
  }

  async down(run: QueryRunner): Promise<void> {
    await run.query(`
      drop index copy_view_unended_by_id, backup_view_deleting_by_id, backup_view_unended_by_id;
      drop function job_add(jsonb);
      drop table job_news;
    `);
  }
}
