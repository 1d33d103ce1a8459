-- Appends events to the ledger: the one way in which an event is written. Owner: libs/ledger.
--
-- Input: a JSON array of requests. Each request appends to one stream:
--   {request, stream, expectedVersion, accountId, instanceId, aggregate, context,
--    events: [{id, type, data}], claims: [{kind, key}], releases: [{kind, key}], quotas: [{kind, key, by, most}]}
-- "request" is the caller's number for it. An older process may leave "quotas" out. It may also send no events, to ask only
-- whether the stream is at the version; first_position is null then.
--
-- Answer: one row for each request, with its number and its outcome:
--   appended  its events are written, from first_position on, at appended_at
--   conflict  the stream has another version than was expected; nothing is written
--   claimed   another stream, claim_stream, holds a claim of the kind claim_kind; nothing is written
--   used-up   the quota of the kind claim_kind has no room; nothing is written
--
-- Guards:
--   * The transaction holds lock 7236001 from before the first position is drawn until it ends. Position order is
--     therefore commit order, and a reader never finds a position that is smaller than one it has read.
--   * The statement after the lock takes a snapshot of its own, and so sees every append before it. It would not do that in a
--     transaction of another isolation level than READ COMMITTED, which is refused: an event could be linked to an old one.
--   * All requests are judged by that one snapshot. No two requests of one call may share a stream, a claim or a quota.
--   * A claim is given back only by the stream that holds it. A service takes, gives back and counts only what goes with an event that
--     it appends: a kind of the event's aggregate, for its own instance or account. A new kind needs a line below.
--   * A stream has one account, and no event names an instance of another account. What does is refused, and its call with it: no reader
--     has to expect such an event.
--   * Each event is linked to the one before it: its link is SHA-256 over that one's link and the digest of the event. The digest is that
--     of the event as a JSON array, in the order that is written below. `strongroom ledger verify` computes it again.
--   * It runs with the rights of its owner, so that no service needs a right on the tables. A service appends only to streams of the
--     aggregates that ledger_writer gives its role.
create or replace function ledger_append(requests jsonb)
  returns table (request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamptz)
  language plpgsql security definer set search_path from current as $$
declare
  permitted text[] := ledger_permitted();
  places regclass := pg_get_serial_sequence('ledger_event', 'position');
begin
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    perform ledger_refuses('its transaction is not READ COMMITTED', 'invalid_transaction_state');
  end if;
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
           when a.stream not like a.aggregate || '-%' or a.aggregate <> all (permitted)
             then ledger_refuses('the role of this session may not append to ' || a.stream, 'insufficient_privilege')
           when permitted is not null and exists (
               select from jsonb_to_recordset(coalesce(a.claims, '[]') || coalesce(a.releases, '[]') || coalesce(a.quotas, '[]')) as given(kind text, key text)
               where jsonb_array_length(a.events) = 0 or case given.kind
                   when 'running-backup-of-instance' then a.aggregate in ('instance', 'backup') and given.key = a."instanceId"::text
                   when 'schedule-of-instance' then a.aggregate in ('instance', 'schedule') and given.key = a."instanceId"::text
                   when 'idempotency-key' then a.aggregate in ('instance', 'schedule', 'backup')
                   when 'schedules-of-account' then a.aggregate = 'schedule' and given.key = a."accountId"
                   when 'instances-of-account' then a.aggregate = 'instance' and given.key = a."accountId"
                   when 'built-servers-of-account' then a.aggregate = 'instance' and given.key = a."accountId"
                 end is not true
             ) then ledger_refuses('a claim or a quota does not go with the events of ' || a.stream, 'insufficient_privilege')
           -- Subqueries and no joins: without statistics a join might read the whole ledger.
           when (select e.account_id from ledger_event e where e.stream = a.stream and e.version = 1) <> a."accountId"
             then ledger_refuses(a.stream || ' is of another account', 'check_violation')
           when exists (
               select from (
                 select a."instanceId"::text as id union select lower(v->'data'->>'instanceId') from jsonb_array_elements(a.events) v
               ) named
               where (select e.account_id from ledger_event e where e.stream = 'instance-' || named.id and e.version = 1) <> a."accountId"
                 -- What was begun so before can still be ended.
                 and coalesce((select e.instance_id::text <> named.id and e.data->>'instanceId' is distinct from named.id
                   from ledger_event e where e.stream = a.stream and e.version = 1), true)
             ) then ledger_refuses('an event of ' || a.stream || ' names an instance of another account', 'check_violation')
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
  ), written as (
    select asked_for.*, nextval(places) as position
    from (
      select j.request, (e.event->>'id')::uuid as id, j.stream, (j."expectedVersion" + e.ordinal)::integer as version, j.aggregate,
             e.event->>'type' as type, j."accountId" as account_id, j."instanceId" as instance_id,
             date_trunc('milliseconds', clock_timestamp()) as at, e.event->'data' as data, j.context,
             row_number() over (order by j.request, e.ordinal) as n
      from judged j cross join lateral jsonb_array_elements(j.events) with ordinality as e(event, ordinal)
      where j.verdict = 'appended'
      order by j.request, e.ordinal
    ) asked_for
  ), linked as (
    select link, n from unnest(ledger_links(
      (select last.link from ledger_event last order by last.position desc limit 1),
      (select coalesce(array_agg(sha256(convert_to(jsonb_build_array(w.position, w.id, w.stream, w.version, w.aggregate, w.type, w.account_id,
         w.instance_id, to_char(w.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), w.data, w.context)::text, 'UTF8')) order by w.n), '{}')
       from written w)
    )) with ordinality as made(link, n)
  ), recorded as (
    insert into ledger_event (position, id, stream, version, aggregate, type, account_id, instance_id, at, data, context, link)
    overriding system value
    select w.position, w.id, w.stream, w.version, w.aggregate, w.type, w.account_id, w.instance_id, w.at, w.data, w.context, l.link
    from written w join linked l using (n)
    order by w.n
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
