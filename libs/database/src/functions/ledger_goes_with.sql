-- Tells whether a claim or a quota goes with an event of a service. Owner: libs/ledger.
--
-- Input: the kind and the key of the claim or the quota; the aggregate, the instance and the account of the event.
-- Answer: true when it does; false or null when it does not.
-- Guard: whoever has one service must not take the claims of streams that this service never writes, or use up a quota of another account.
create or replace function ledger_goes_with(given_kind text, given_key text, of_aggregate text, of_instance uuid, of_account text)
  returns boolean language sql immutable as $$
  select case given_kind
    when 'running-backup-of-instance' then of_aggregate in ('instance', 'backup') and given_key = of_instance::text
    when 'schedule-of-instance' then of_aggregate in ('instance', 'schedule') and given_key = of_instance::text
    when 'idempotency-key' then of_aggregate in ('instance', 'schedule', 'backup')
    when 'schedules-of-account' then of_aggregate = 'schedule' and given_key = of_account
    when 'instances-of-account' then of_aggregate = 'instance' and given_key = of_account
    when 'built-servers-of-account' then of_aggregate = 'instance' and given_key = of_account
    else false
  end
$$;
