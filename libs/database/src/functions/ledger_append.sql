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
--   * All requests are judged by that one snapshot. No two requests of one call may share a stream or a claim.
--   * Requests may share a quota. What an earlier request of the call takes of it counts, even when that request is refused for another
--     reason, and what it gives back does not. So a request that is not the first may be told used-up while there is room: it asks again.
--   * No statistics are relied on: a plan that was made while a table was small would be wrong when it is large. Scans of tables are off,
--     and each look at a claim or a quota is a subquery of its own that only an index serves.
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
  language plpgsql security definer set search_path from current set enable_seqscan = off as $$
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
  ), counting as (
    select a.request, c.kind, c.key, c."by", c.most,
      sum(greatest(c."by", 0)) over (partition by c.kind, c.key order by a.request) as taken_so_far
    from asked a cross join lateral jsonb_to_recordset(a.quotas) as c(kind text, key text, "by" integer, most integer)
  ), used_up as (
    select c.request, min(c.kind) as kind from counting c
    where c."by" > 0 and c.taken_so_far + coalesce((select q.used from ledger_quota q where q.kind = c.kind and q.key = c.key), 0) > c.most
    group by c.request
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
                   -- Clients ask the API, which alone makes schedules.
                   when 'idempotency-key' then 'schedule' = any (permitted)
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
      select held.kind, held.stream from jsonb_to_recordset(a.claims) as wanted(kind text, key text)
      cross join lateral (
        select c.kind, c.stream from ledger_claim c where c.kind = wanted.kind and c.key = wanted.key limit 1
      ) held
      order by held.kind limit 1
    ) taken on true
    left join used_up on used_up.request = a.request
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
    delete from ledger_claim c using (
      select held.ctid from judged j
      cross join lateral jsonb_to_recordset(j.releases) as r(kind text, key text)
      cross join lateral (
        select l.ctid from ledger_claim l where l.kind = r.kind and l.key = r.key and l.stream = j.stream limit 1
      ) held
      where j.verdict = 'appended'
    ) given_back
    where c.ctid = given_back.ctid
  ), counted as (
    insert into ledger_quota (kind, key, used)
    select c.kind, c.key, greatest(
      coalesce((select q.used from ledger_quota q where q.kind = c.kind and q.key = c.key), 0) + sum(greatest(c."by", -1)), 0)
    from counting c join judged j on j.request = c.request
    where j.verdict = 'appended'
    group by c.kind, c.key
    on conflict (kind, key) do update set used = excluded.used
  )
  select j.request, j.verdict, j.taken_kind, j.taken_stream, min(r.position), min(r.at)
  from judged j left join recorded r on r.stream = j.stream and j.verdict = 'appended'
  group by j.request, j.verdict, j.taken_kind, j.taken_stream;
  perform pg_notify('strongroom_ledger', '');
end $$;
