#!/bin/bash
# Starts PostgreSQL; on an empty data folder makes the cluster and the logins of the Tracker System first.
# POSTGRES_PASSWORD_FILE names the superuser's password; ADDRESSES what it listens on (default *).
set -euo pipefail
data=${PGDATA:-/var/lib/postgresql/data}
bin=/usr/local/postgresql
password=${POSTGRES_PASSWORD_FILE:?names a file with the password of the user postgres}
[[ -s $password ]] || { echo "start-postgres: $password is empty or missing" >&2; exit 1; }

if [[ ! -s $data/PG_VERSION ]]; then
    "$bin/initdb" -D "$data" -U postgres --auth-local=trust --auth-host=scram-sha-256 --pwfile="$password" -E UTF8 --locale=C.UTF-8 >/dev/null
    echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
    "$bin/pg_ctl" -D "$data" -o "-c listen_addresses='' -k /tmp" -w start >/dev/null
    "$bin/createdb" -h /tmp -U postgres tracker
    "$bin/pg_ctl" -D "$data" -m fast -w stop >/dev/null
fi
exec "$bin/postgres" -D "$data" -k /tmp -c listen_addresses="${ADDRESSES:-*}" "$@"
