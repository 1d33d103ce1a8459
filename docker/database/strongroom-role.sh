#!/usr/bin/env bash
# Makes the database, its owner, and a role for each service. None of them is a superuser, so the ledger's triggers hold for all of
# them. A second run makes what is missing, and sets the passwords again.
set -euo pipefail

psql --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\set owner `cat /run/secrets/strongroom-password`
\set api `cat /run/secrets/api-password`
\set scheduler `cat /run/secrets/scheduler-password`
\set replicator `cat /run/secrets/replicator-password`

select format('create role %I login', name) from unnest(array['strongroom', 'strongroom_api', 'strongroom_scheduler', 'strongroom_replicator']) as name
where not exists (select from pg_roles where rolname = name) \gexec
alter role strongroom password :'owner';
alter role strongroom_api password :'api';
alter role strongroom_scheduler password :'scheduler';
alter role strongroom_replicator password :'replicator';

select 'create database strongroom owner strongroom' where not exists (select from pg_database where datname = 'strongroom') \gexec
SQL
