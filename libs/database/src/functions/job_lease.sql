-- Leases jobs of one kind and lane, one account after the other. Owner: libs/runtime.
--
-- Input:
--   asked_kind, asked_lane   which jobs
--   by_owner, by_reader      who leases them, and what that process can read
--   most, for_ms             how many jobs at most, and for how long
--   in_hand                  ids of jobs that the owner still works on: they are not leased to it
--   usual_quota, own_quotas  how many jobs of the lane an account may have in hand: the usual number, and {account: number}. null is no limit
--   share                    how many of these by_owner may have of one account; null is no limit
--
-- Answer: the leased jobs, in the order of the turns.
--
-- Guards:
--   * Each account with a job that is ready has one turn, then the next account has one, and so on in a circle. job_turn keeps how far
--     the circle is. Within an account, the job that has been ready longest goes first.
--   * The row of job_turn is locked before the statement that looks for jobs. So processes lease one after the other, and each sees what
--     the one before it has leased: no account has more jobs in hand than its quota. A quota counts the jobs of one lane, so that a region
--     that hangs takes nothing of what an account may have in the others.
--   * The cost does not grow with the jobs that wait. It goes from account to account by index, over 1,000 accounts at most. The next call
--     goes on from there.
--   * A pause that begins in the future is over, since a wrong clock made it.
--   * No statistics are relied on: a plan that was made while the table was small would be wrong when it is large. Each look has an order
--     that only its index serves, and sorts, scans of the table and other joins are off. So what waits for later is not even looked at.
create or replace function job_lease(
  asked_kind text, asked_lane text, by_owner text, by_reader text, most integer, for_ms bigint, in_hand uuid[],
  usual_quota integer, own_quotas jsonb, share integer)
  returns table (id uuid, account_id text, attempt integer, failures integer, asked integer, passed_by text[])
  language plpgsql set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set enable_incremental_sort = off
  set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  longest_walk constant integer := 1000;
  last_account text;
begin
  perform from job j
  where j.kind = asked_kind and j.lane = asked_lane and j.ready_at <= now() and job_is_open(j, by_reader, in_hand)
  order by j.ready_at limit 1;
  if not found then
    perform from job j
    where j.kind = asked_kind and j.lane = asked_lane and j.paused_at > now() + interval '5 s'
    order by j.paused_at limit 1;
    if not found then
      return;
    end if;
  end if;
  insert into job_turn (kind, lane) values (asked_kind, asked_lane) on conflict do nothing;
  select t.account_id into last_account from job_turn t where t.kind = asked_kind and t.lane = asked_lane for update;
  return query
  with recursive walk(place, account_id, is_around) as (
    select 0, last_account, false
    union all
    select w.place + 1, next.account_id, next.is_around
    from walk w cross join lateral (
      select either.* from (
        (select j.account_id, w.is_around from job j
         where j.kind = asked_kind and j.lane = asked_lane and j.account_id > w.account_id
         order by j.account_id limit 1)
        union all
        (select j.account_id, true from job j
         where j.kind = asked_kind and j.lane = asked_lane and not w.is_around
         order by j.account_id limit 1)
      ) either(account_id, is_around) limit 1
    ) next
    where w.place < longest_walk and not (next.is_around and next.account_id > last_account)
  ), turn as materialized (
    select w.place, w.account_id, room.jobs
    from walk w cross join lateral (
      select case when own_quotas ? w.account_id then (own_quotas->>w.account_id)::integer else usual_quota end as jobs
    ) quota cross join lateral (
      select least(most, quota.jobs - count(*), share - count(*) filter (where held.lease_owner = by_owner))::integer as jobs
      from (
        select h.lease_owner from job h
        where h.kind = asked_kind and h.lane = asked_lane and h.account_id = w.account_id and h.lease_owner is not null
          and not job_is_free(h)
        order by h.lease_owner
      ) held
    ) room
    where w.place > 0 and room.jobs > 0 and (exists (
      select from job j
      where j.kind = asked_kind and j.lane = asked_lane and j.account_id = w.account_id and j.ready_at <= now()
        and job_is_open(j, by_reader, in_hand)
      order by j.ready_at, j.id limit 1 offset 0
    ) or exists (
      select from job j
      where j.kind = asked_kind and j.lane = asked_lane and j.paused_at > now() + interval '5 s' and j.account_id = w.account_id
        and job_is_open(j, by_reader, in_hand)
      order by j.paused_at limit 1 offset 0
    ))
    limit most
  ), chosen as materialized (
    select job_of.id, job_of.rank, t.place, t.account_id
    from turn t cross join lateral (
      select ready.id, row_number() over (order by ready.ready_at, ready.id) as rank from (
        (select j.id, j.ready_at from job j
         where j.kind = asked_kind and j.lane = asked_lane and j.account_id = t.account_id and j.ready_at <= now()
           and job_is_open(j, by_reader, in_hand)
         order by j.ready_at, j.id limit t.jobs)
        union all
        (select j.id, j.ready_at from job j
         where j.kind = asked_kind and j.lane = asked_lane and j.paused_at > now() + interval '5 s' and j.ready_at > now()
           and j.account_id = t.account_id and job_is_open(j, by_reader, in_hand)
         order by j.paused_at limit t.jobs)
      ) ready
      order by ready.ready_at, ready.id limit t.jobs
    ) job_of
    order by job_of.rank, t.place limit most
  ), free as (
    select j.kind, j.id, c.rank, c.place from chosen c
    join job j on j.kind = asked_kind and j.id = c.id
    where job_is_open(j, by_reader, in_hand)
    for update of j skip locked
  ), leased as (
    -- A lease that is still there has lapsed: one that is given back is taken off.
    update job set attempt = job.attempt + 1, failures = job.failures + (job.lease_until is not null)::integer,
      lease_owner = by_owner, lease_until = now() + for_ms * interval '1 ms', lease_ms = for_ms, done_bytes = 0,
      bytes_per_second = null
    from free where job.kind = free.kind and job.id = free.id
    returning job.id, job.account_id, job.attempt, job.failures, job.asked, job.passed_by, free.rank, free.place
  ), turned as (
    update job_turn t set account_id = coalesce(
      case when (select count(*) from turn) < most then (select w.account_id from walk w where w.place = longest_walk) end,
      (select c.account_id from chosen c order by c.rank desc, c.place desc limit 1),
      last_account)
    where t.kind = asked_kind and t.lane = asked_lane
  )
  select l.id, l.account_id, l.attempt, l.failures, l.asked, l.passed_by from leased l order by l.rank, l.place;
end $$;
