-- The kinds of aggregates to whose streams the session may append. Owner: libs/database.
--
-- Input: none.
-- Answer: their names; null when nothing is restricted, because no row of ledger_writer is for the session's role.
-- Guard: it goes by the role that has logged in, which SET ROLE and security definer do not change. A superuser is not restricted.
create or replace function ledger_permitted() returns text[] language sql stable as $$
  select array_agg(distinct permitted.aggregate)
  from ledger_writer w
  join pg_catalog.pg_roles r on r.rolname = w.role_name
  cross join lateral unnest(w.aggregates) as permitted(aggregate)
  where pg_has_role(session_user, r.oid, 'usage')
    and not exists (select from pg_catalog.pg_roles s where s.rolname = session_user and s.rolsuper);
$$;
