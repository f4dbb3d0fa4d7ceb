#!/usr/bin/env bash
# Runs once, in the container of PostgreSQL, when its data folder is empty: the service owns a database and is no superuser.
set -euo pipefail
psql --set ON_ERROR_STOP=1 --username postgres --set "password=$(</run/madang/password)" <<'SQL'
CREATE ROLE madang LOGIN PASSWORD :'password';
CREATE DATABASE madang OWNER madang;
SQL
