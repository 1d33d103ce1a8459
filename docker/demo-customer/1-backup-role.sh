#!/usr/bin/env bash
# A customer gives Strongroom a role with LOGIN and REPLICATION, a line in pg_hba.conf for replication, and one for the
# role's database. Incremental backups ask there what has changed.
set -euo pipefail

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\set password `cat /run/secrets/backup-password`
create role backup login replication password :'password';
SQL

echo 'host replication backup all scram-sha-256' >>"$PGDATA/pg_hba.conf"
echo 'host shop backup all scram-sha-256' >>"$PGDATA/pg_hba.conf"
