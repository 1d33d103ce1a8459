/**
 * Keeps what a second look needs: which events each consumer group has handled since the last one. Leases get their length and
 * pauses their beginning, so that those that a wrong clock has made are found.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class SecondLook1700000000016 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      -- Written in the transaction of the handlers. Not logged: after a crash or on a standby nothing is known to be
      -- handled, and is handled again, which handlers bear.
      create unlogged table feed_handled (
        consumer_group text not null,
        position bigint not null,
        primary key (consumer_group, position)
      );
      -- What is beyond has its row in feed_handled when it is handled.
      create table feed_handled_since (position bigint not null);
      insert into feed_handled_since select coalesce(max(position), 0) from ledger_event;
      -- Up to where each group has looked twice. Apart from its offsets, which are what it looks after.
      create table second_look (
        consumer_group text primary key,
        position bigint not null
      );

      -- Null: written by a version that did not say it.
      alter table job add column lease_ms bigint;
      alter table relay_cursor add column held_ms bigint;
      -- By partition: the offset after the newest message that the broker has acknowledged.
      alter table relay_cursor add column ends jsonb not null default '{}';
      -- When ready_at was set. No version pauses for longer than an hour.
      alter table job add column paused_at timestamptz not null default now();
      update job set ready_at = now() where ready_at > now() + interval '1 hour';
      create index job_paused on job (kind, lane, paused_at);

      create index instance_view_building on instance_view (id) where status = 'BUILD';
    `);
  }

  down = noWayBack;
}
