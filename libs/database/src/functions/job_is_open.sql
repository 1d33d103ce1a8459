-- Tells whether a worker may lease a job that is ready. Owner: libs/runtime.
--
-- Input: a row of job, the reader that asks, and the ids of the jobs that the worker still has in hand.
-- Answer: true when nobody holds the job, the worker does not work on it, and its reader has not just passed it over.
--
-- Guards:
--   * A reader leaves a job that it has passed over for a minute. A wrong clock makes that no longer.
create or replace function job_is_open(j job, by_reader text, in_hand uuid[]) returns boolean
  language sql stable as $$
  select job_is_free(j) and j.id <> all(in_hand) and (
    j.passed_by @> array[by_reader] and j.passed_until > now() and j.passed_until <= now() + interval '65 s'
  ) is not true
$$;
