-- Tells whether nobody holds a job. Owner: libs/runtime.
--
-- Input: a row of job. Answer: true when its lease is over, or there is none.
--
-- Guards:
--   * A lease whose end is further ahead than its length, and a few seconds, is over: a wrong clock made it. The length of a lease of an
--     older version is not known, and was an hour at most.
create or replace function job_is_free(j job) returns boolean
  language sql stable as $$
  select j.lease_until is null or j.lease_until < now()
    or j.lease_until > now() + coalesce(j.lease_ms, 3600000) * interval '1 ms' + interval '5 s'
$$;
