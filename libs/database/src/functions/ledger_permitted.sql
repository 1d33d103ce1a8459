-- The kinds of aggregates to whose streams the session may append. Owner: libs/database.
--
-- Input: none.
-- Answer: their names, as the rows of ledger_writer give them to the roles that the session is a member of; none where there is no row.
--   Null for a superuser and for whoever may act as the owner of the ledger: nothing is restricted, since they could lift it themselves.
-- Guard: it goes by the role that has logged in, which SET ROLE and security definer do not change.
create or replace function ledger_permitted() returns text[] language sql stable as $$
  select case
    when exists (select from pg_catalog.pg_roles s where s.rolname = session_user and s.rolsuper)
      or (select pg_has_role(session_user, c.relowner, 'member') from pg_catalog.pg_class c where c.oid = 'ledger_event'::regclass)
      then null
    else coalesce(
      (select array_agg(distinct permitted.aggregate)
       from ledger_writer w
       join pg_catalog.pg_roles r on r.rolname = w.role_name
       cross join lateral unnest(w.aggregates) as permitted(aggregate)
       where pg_has_role(session_user, r.oid, 'member')),
      '{}')
  end;
$$;
