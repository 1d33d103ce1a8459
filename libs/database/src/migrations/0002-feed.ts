/** Keeps how far events were sent and handled: the relay's cursor, the offsets of each consumer group, and the dead letters. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class Feed1700000000002 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    // A source is one broker cluster (kafka:<cluster id>) or the ledger itself. A new cluster is a new source: it is filled
    // from the start of the ledger, and its events are handled again. Handlers are idempotent, because ids say what was done.
    await run.query(`
      create table relay_cursor (
        source text not null,
        topic text not null,
        position bigint not null default 0,
        moved_at timestamptz not null default now(),
        -- Which process relays, and until when it does without saying so again.
        holder text,
        held_until timestamptz,
        primary key (source, topic)
      );

      create table feed_offset (
        consumer_group text not null,
        source text not null,
        topic text not null,
        partition integer not null,
        -- The broker's offset of the last message handled; -1 before the first.
        "offset" bigint not null default -1,
        -- The ledger position of the last event handled: a message at or below it is a repetition.
        position bigint not null default 0,
        moved_at timestamptz not null default now(),
        primary key (consumer_group, source, topic, partition)
      );

      create table dead_letter (
        id uuid primary key,
        consumer_group text not null,
        source text not null,
        topic text not null,
        partition integer not null,
        "offset" bigint not null,
        position bigint,
        message jsonb not null,
        error text not null,
        set_aside_at timestamptz not null default now(),
        -- Set by an operator to have the message handled again.
        replay_asked_at timestamptz,
        replayed_at timestamptz,
        unique (consumer_group, source, topic, partition, "offset")
      );
    `);
  }

  down = noWayBack;
}
