#!/usr/bin/env bash
# All that a customer gives Strongroom: a role with LOGIN and REPLICATION, and a line that lets it in for replication.
set -euo pipefail

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\set password `cat /run/secrets/backup-password`
create role backup login replication password :'password';
SQL

echo 'host replication backup all scram-sha-256' >>"$PGDATA/pg_hba.conf"
