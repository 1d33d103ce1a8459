/**
 * Adds quotas that the ledger counts with its events, requests with an idempotency key, and counts of requests. Events are
 * found by id, and a job that is asked for again is done again.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class Limits1700000000007 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create unique index ledger_event_by_id on ledger_event (id);

      create table ledger_quota (
        kind text not null,
        key text not null,
        used integer not null check (used >= 0),
        primary key (kind, key)
      );
      insert into ledger_quota (kind, key, used)
        select 'schedules-of-account', account_id, count(*) filter (where type = 'ScheduleCreated') - count(*) filter (where type = 'ScheduleDeleted')
        from ledger_event where aggregate = 'schedule' group by account_id;

      create table idempotent_request (
        account_id text not null,
        key text not null,
        -- Of method, path and body: a digest, for a body may hold a password.
        fingerprint bytea not null,
        -- The resource that the request makes, so that doing it again makes the same.
        resource_id uuid not null,
        begun_at timestamptz not null default now(),
        -- Null until the request has had its effect and its answer is known.
        status smallint,
        body jsonb,
        primary key (account_id, key)
      );
      create index idempotent_request_by_age on idempotent_request (begun_at);

      -- Lost in a crash, and that is no harm.
      create unlogged table request_count (
        account_id text not null,
        operation text not null,
        period_start timestamptz not null,
        used integer not null,
        primary key (account_id, operation)
      ) with (fillfactor = 50);

      -- How often the job was added: one that is added while it is being done is done again.
      alter table job add column asked integer not null default 1;

      create index backup_view_stored_fulls on backup_view (schedule_id, created_at desc)
        where type = 'full' and status in ('COMPLETED', 'DELETE_FAILED');
      create index backup_view_of_parent on backup_view (parent_id) where parent_id is not null;
    `);
    // The second form of the function, with quotas. The form in force is functions/ledger_append.sql.
    await run.query(`
      create or replace function ledger_append(requests jsonb)
        returns table (request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamptz)
        language plpgsql as $$
      begin
        perform pg_advisory_xact_lock(7236001);
        return query
        with asked as (
          select r.* from jsonb_to_recordset(requests) as r(
            request integer, stream text, "expectedVersion" integer, "accountId" text, "instanceId" uuid,
            aggregate text, context jsonb, events jsonb, claims jsonb, releases jsonb, quotas jsonb)
        ), judged as (
          select a.*, coalesce(taken.kind, used_up.kind) as taken_kind, taken.stream as taken_stream,
            case when head.version <> a."expectedVersion" then 'conflict'
                 when taken.kind is not null then 'claimed'
                 when used_up.kind is not null then 'used-up'
                 else 'appended' end as verdict
          from asked a
          cross join lateral (select coalesce(max(e.version), 0) as version from ledger_event e where e.stream = a.stream) head
          left join lateral (
            select c.kind, c.stream from jsonb_to_recordset(a.claims) as wanted(kind text, key text)
            join ledger_claim c on c.kind = wanted.kind and c.key = wanted.key
            order by c.kind limit 1
          ) taken on true
          left join lateral (
            select wanted.kind from jsonb_to_recordset(a.quotas) as wanted(kind text, key text, "by" integer, most integer)
            left join ledger_quota q on q.kind = wanted.kind and q.key = wanted.key
            where wanted."by" > 0 and coalesce(q.used, 0) + wanted."by" > wanted.most
            order by wanted.kind limit 1
          ) used_up on true
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
        ), counted as (
          insert into ledger_quota as q (kind, key, used)
          select c.kind, c.key, greatest(c."by", 0) from judged j
          cross join lateral jsonb_to_recordset(j.quotas) as c(kind text, key text, "by" integer)
          where j.verdict = 'appended'
          on conflict (kind, key) do update set used = greatest(q.used + case when excluded.used > 0 then excluded.used else -1 end, 0)
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
