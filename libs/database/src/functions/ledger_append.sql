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
--   * What a request has several of is taken apart once, by place: to expand each array by a function of its own costs more than its look.
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
  language plpgsql security definer set search_path from current set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  permitted text[] := ledger_permitted();
  places regclass := pg_get_serial_sequence('ledger_event', 'position');
  recorded_at timestamptz;
  told_at text;
begin
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    perform ledger_refuses('its transaction is not READ COMMITTED', 'invalid_transaction_state');
  end if;
  perform pg_advisory_xact_lock(7236001);
  recorded_at := date_trunc('milliseconds', clock_timestamp());
  told_at := to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
  return query
  with asked as materialized (
    select r.* from jsonb_to_recordset(requests) as r(
      request integer, stream text, "expectedVersion" integer, "accountId" text, "instanceId" uuid,
      aggregate text, context jsonb, events jsonb, claims jsonb, releases jsonb, quotas jsonb)
  ), event as materialized (
    select placed.*, placed.event->>'id' as id, placed.event->>'type' as type, placed.event->'data' as data
    from (
      select a.request, a."accountId", a."instanceId"::text as instance, a.stream, each.place, a.events->each.place as event from asked a
      cross join lateral (select generate_series(0, jsonb_array_length(a.events) - 1) as place) each
    ) placed
  ), given as materialized (
    select a.request, a.claims->each.place as claim, a.releases->each.place as release, a.quotas->each.place as quota from asked a
    cross join lateral (
      select generate_series(0, greatest(jsonb_array_length(a.claims), jsonb_array_length(a.releases), jsonb_array_length(a.quotas)) - 1) as place
    ) each
  ), quota as materialized (
    select g.request, g.quota->>'kind' as kind, g.quota->>'key' as key, (g.quota->>'by')::integer as "by", (g.quota->>'most')::integer as most
    from given g where g.quota is not null
  ), counting as (
    select q.*, sum(greatest(q."by", 0)) over (partition by q.kind, q.key order by q.request) as taken_so_far from quota q
  ), used_up as (
    select c.request, min(c.kind) as kind from counting c
    where c."by" > 0 and c.taken_so_far + coalesce((select q.used from ledger_quota q where q.kind = c.kind and q.key = c.key), 0) > c.most
    group by c.request
  ), taken as (
    select distinct on (wanted.request) wanted.request, held.kind, held.stream
    from given wanted cross join lateral (
      select c.kind, c.stream from ledger_claim c where c.kind = wanted.claim->>'kind' and c.key = wanted.claim->>'key' limit 1
    ) held
    order by wanted.request, held.kind
  ), strange as (
    select distinct a.request from asked a
    join given g on g.request = a.request
    cross join lateral (
      values (g.claim->>'kind', g.claim->>'key'), (g.release->>'kind', g.release->>'key'), (g.quota->>'kind', g.quota->>'key')
    ) given(kind, key)
    where permitted is not null and given.kind is not null and (jsonb_array_length(a.events) = 0 or case given.kind
      when 'running-backup-of-instance' then a.aggregate in ('instance', 'backup') and given.key = a."instanceId"::text
      when 'schedule-of-instance' then a.aggregate in ('instance', 'schedule') and given.key = a."instanceId"::text
      -- Clients ask the API, which alone makes schedules.
      when 'idempotency-key' then 'schedule' = any (permitted)
      when 'schedules-of-account' then a.aggregate = 'schedule' and given.key = a."accountId"
      when 'instances-of-account' then a.aggregate = 'instance' and given.key = a."accountId"
      when 'built-servers-of-account' then a.aggregate = 'instance' and given.key = a."accountId"
      when 'webhooks-of-account' then a.aggregate = 'webhook' and given.key = a."accountId"
    end is not true)
  ), apart as (
    select distinct named.request from (
      select a.request, a.stream, a."accountId", a."instanceId"::text as id from asked a
      union all
      select e.request, e.stream, e."accountId", lower(e.data->>'instanceId') from event e where lower(e.data->>'instanceId') <> e.instance
    ) named
    where (select e.account_id from ledger_event e where e.stream = 'instance-' || named.id and e.version = 1) <> named."accountId"
      -- What was begun so before can still be ended.
      and coalesce((select e.instance_id::text <> named.id and e.data->>'instanceId' is distinct from named.id
        from ledger_event e where e.stream = named.stream and e.version = 1), true)
  ), judged as materialized (
    select a.request, a.stream, a."expectedVersion", coalesce(taken.kind, used_up.kind) as taken_kind, taken.stream as taken_stream,
      -- Subqueries and no joins: without statistics a join might read the whole ledger.
      case when coalesce((select e.version from ledger_event e where e.stream = a.stream order by e.version desc limit 1), 0)
               <> a."expectedVersion" then 'conflict'
           when taken.kind is not null then 'claimed'
           when used_up.kind is not null then 'used-up'
           when a.stream not like a.aggregate || '-%' or a.aggregate <> all (permitted)
             then ledger_refuses('the role of this session may not append to ' || a.stream, 'insufficient_privilege')
           when strange.request is not null
             then ledger_refuses('a claim or a quota does not go with the events of ' || a.stream, 'insufficient_privilege')
           when a."expectedVersion" > 0
               and (select e.account_id from ledger_event e where e.stream = a.stream and e.version = 1) <> a."accountId"
             then ledger_refuses(a.stream || ' is of another account', 'check_violation')
           when apart.request is not null
             then ledger_refuses('an event of ' || a.stream || ' names an instance of another account', 'check_violation')
           else 'appended' end as verdict
    from asked a
    left join taken on taken.request = a.request
    left join used_up on used_up.request = a.request
    left join strange on strange.request = a.request
    left join apart on apart.request = a.request
  ), written as materialized (
    select placed.*, nextval(places) as position
    from (
      select e.request, e.id::uuid as id, j.stream, j."expectedVersion" + e.place + 1 as version, a.aggregate, e.type,
        a."accountId" as account_id, a."instanceId" as instance_id, e.data, a.context, row_number() over (order by e.request, e.place) as n
      from event e join judged j on j.request = e.request join asked a on a.request = e.request
      where j.verdict = 'appended'
      order by e.request, e.place
    ) placed
  ), linked as (
    select link, n from unnest(ledger_links(
      (select last.link from ledger_event last order by last.position desc limit 1),
      (select coalesce(array_agg(sha256(convert_to(
          -- The text of jsonb_build_array, which takes longer: it builds the data and the context anew.
          concat('[', w.position, ', "', w.id, '", ', to_json(w.stream), ', ', w.version, ', ', to_json(w.aggregate), ', ', to_json(w.type), ', ',
            to_json(w.account_id), ', "', w.instance_id, '", "', told_at, '", ', w.data, ', ', w.context, ']'), 'UTF8')) order by w.n), '{}')
       from written w)
    )) with ordinality as made(link, n)
  ), recorded as (
    insert into ledger_event (position, id, stream, version, aggregate, type, account_id, instance_id, at, data, context, link)
    overriding system value
    select w.position, w.id, w.stream, w.version, w.aggregate, w.type, w.account_id, w.instance_id, recorded_at, w.data, w.context, l.link
    from written w join linked l using (n)
    order by w.n
  ), claimed as (
    insert into ledger_claim (kind, key, stream)
    select g.claim->>'kind', g.claim->>'key', j.stream from given g join judged j on j.request = g.request
    where j.verdict = 'appended' and g.claim is not null
  ), released as (
    delete from ledger_claim c using (
      select held.ctid from given g join judged j on j.request = g.request
      cross join lateral (
        select l.ctid from ledger_claim l
        where l.kind = g.release->>'kind' and l.key = g.release->>'key' and l.stream = j.stream limit 1
      ) held
      where j.verdict = 'appended'
    ) given_back
    where c.ctid = given_back.ctid
  ), counted as (
    insert into ledger_quota (kind, key, used)
    select q.kind, q.key, greatest(
      coalesce((select l.used from ledger_quota l where l.kind = q.kind and l.key = q.key), 0) + sum(greatest(q."by", -1)), 0)
    from quota q join judged j on j.request = q.request
    where j.verdict = 'appended'
    group by q.kind, q.key
    on conflict (kind, key) do update set used = excluded.used
  )
  select j.request, j.verdict, j.taken_kind, j.taken_stream, w.position, case when w.position is not null then recorded_at end
  from judged j left join (select w.request, min(w.position) as position from written w group by w.request) w on w.request = j.request;
  perform pg_notify('strongroom_ledger', '');
end $$;
