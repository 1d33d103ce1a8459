#!/usr/bin/env bash
# Makes the role and the database of the apps. The role is no superuser, so the ledger's triggers hold for it.
set -euo pipefail

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set password `cat /run/secrets/strongroom-password`
create role strongroom login password :'password';
create database strongroom owner strongroom;
SQL
