/** Makes the ledger: append-only events in commit order, the claims that keep things unique, and the one way to append. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class Ledger1700000000001 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table ledger_event (
        position bigint generated always as identity,
        id uuid not null,
        stream text not null,
        version integer not null check (version > 0),
        aggregate text not null,
        type text not null,
        account_id text not null,
        instance_id uuid not null,
        at timestamptz not null,
        data jsonb not null,
        context jsonb not null,
        primary key (stream, version)
      );
      create unique index ledger_event_in_order on ledger_event (position);
      create index ledger_event_of_aggregate on ledger_event (aggregate, position);
      create index ledger_event_of_account on ledger_event (account_id, position);

      create table ledger_claim (
        kind text not null,
        key text not null,
        stream text not null,
        primary key (kind, key)
      );

      create function ledger_refuses_change() returns trigger language plpgsql as $$
      begin
        raise exception 'the ledger is append-only: % on ledger_event is refused', tg_op using errcode = 'insufficient_privilege';
      end $$;
      create trigger ledger_is_append_only before update or delete or truncate on ledger_event
        for each statement execute function ledger_refuses_change();
      revoke update, delete, truncate on ledger_event from public, current_user;
    `);
    // The first form of the function. The form in force is functions/ledger_append.sql, which says how it works.
    await run.query(`
      create function ledger_append(requests jsonb)
        returns table (request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamptz)
        language plpgsql as $$
      begin
        perform pg_advisory_xact_lock(7236001);
        return query
        with asked as (
          select r.* from jsonb_to_recordset(requests) as r(
            request integer, stream text, "expectedVersion" integer, "accountId" text, "instanceId" uuid,
            aggregate text, context jsonb, events jsonb, claims jsonb, releases jsonb)
        ), judged as (
          select a.*, taken.kind as taken_kind, taken.stream as taken_stream,
            case when head.version <> a."expectedVersion" then 'conflict'
                 when taken.kind is not null then 'claimed'
                 else 'appended' end as verdict
          from asked a
          cross join lateral (select coalesce(max(e.version), 0) as version from ledger_event e where e.stream = a.stream) head
          left join lateral (
            select c.kind, c.stream from jsonb_to_recordset(a.claims) as wanted(kind text, key text)
            join ledger_claim c on c.kind = wanted.kind and c.key = wanted.key
            order by c.kind limit 1
          ) taken on true
        ), recorded as (
          insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
          select (e.event->>'id')::uuid, j.stream, j."expectedVersion" + e.ordinal, j.aggregate, e.event->>'type', j."accountId",
                 j."instanceId", date_trunc('milliseconds', clock_timestamp()), e.event->'data', j.context
          from judged j cross join lateral jsonb_array_elements(j.events) with ordinality as e(event, ordinal)
          where j.verdict = 'appended'
          order by j.request, e.ordinal
          returning ledger_event.stream, ledger_event.position, ledger_event.at
        ), claimed as (
          insert into ledger_claim (kind, key, stream)
          select c.kind, c.key, j.stream from judged j
          cross join lateral jsonb_to_recordset(j.claims) as c(kind text, key text)
          where j.verdict = 'appended'
        ), released as (
          delete from ledger_claim c using judged j
          cross join lateral jsonb_to_recordset(j.releases) as r(kind text, key text)
          where j.verdict = 'appended' and c.kind = r.kind and c.key = r.key and c.stream = j.stream
        )
        select j.request, j.verdict, j.taken_kind, j.taken_stream, min(r.position), min(r.at)
        from judged j left join recorded r on r.stream = j.stream and j.verdict = 'appended'
        group by j.request, j.verdict, j.taken_kind, j.taken_stream;
        perform pg_notify('strongroom_ledger', '');
      end $$;
    `);
  }

  down = noWayBack;
}
