#!/usr/bin/env bash
# Makes the secrets of a production deployment once, each in a file of its own. What is there already is left alone.
# Usage: deploy/secrets.sh [FOLDER]      default deploy/secrets; HOST=name of the database server (default postgres)
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-deploy/secrets}
host=${HOST:-postgres}
umask 077
mkdir -p "$folder"

make_secret() {
    local file=$folder/$1
    shift
    [[ -s $file ]] && return
    "$@" >"$file"
    chmod 0444 "$file" # containers read it as users of their own; the folder is closed
    echo "made $file"
}
address() { printf 'postgresql://%s:%s@%s/tracker\n' "$1" "$2" "$host"; }

make_secret postgres_password openssl rand -hex 24
make_secret master_key openssl rand -base64 32
make_secret jwt_secret openssl rand -hex 32
make_secret database_url_owner address postgres "$(<"$folder/postgres_password")"
make_secret database_url_api address trackerd_api "$(openssl rand -hex 24)"
make_secret database_url_worker address trackerd_worker "$(openssl rand -hex 24)"
echo "Keep a copy of $folder/master_key in another place: what it seals cannot be opened without it."
