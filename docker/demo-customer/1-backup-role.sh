#!/usr/bin/env bash
# All that a customer gives Strongroom: a role with LOGIN and REPLICATION, a line that lets it in for replication, and one
# for its database, over which incremental backups ask what has changed.
set -euo pipefail

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\set password `cat /run/secrets/backup-password`
create role backup login replication password :'password';
SQL

echo 'host replication backup all scram-sha-256' >>"$PGDATA/pg_hba.conf"
echo 'host shop backup all scram-sha-256' >>"$PGDATA/pg_hba.conf"
