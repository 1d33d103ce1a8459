/** Jobs that come with the events that ask for them, and indexes by which missing jobs are looked for in order of id. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class JobsWithEvents1700000000020 implements MigrationInterface {
  static readonly installs = {
    job_add: '3180d29840a1cadcb5c3a9757eab53926775da9a500ad6cbc54e18426d5a04c5',
  };

  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      -- A job that its event's transaction has added, until the feed brings the news of the event. After a crash the table
      -- is empty: the news adds such a job again, and whoever leases it finds it done.
      create unlogged table job_news (
        position bigint not null,
        kind text not null,
        added_at timestamptz not null default now(),
        primary key (position, kind)
      );
      create index job_news_by_age on job_news (added_at);

      create index backup_view_unended_by_id on backup_view (id) where status in ('NEW', 'BUILDING');
      create index backup_view_deleting_by_id on backup_view (id) where status = 'DELETING';
      create index copy_view_unended_by_id on copy_view (id) where status in ('PENDING', 'COPYING');
    `);
    await installFunctions(run, JobsWithEvents1700000000020.installs);
  }

  down = noWayBack;
}
