#!/usr/bin/env bash
# Drops the data of `make run`: database, cache, mails, logs. Refuses while it runs.
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ -f var/run.pid ]] && kill -0 "$(<var/run.pid)" 2>/dev/null; then
    echo "reset: \`make run\` is running (process $(<var/run.pid)); stop it first" >&2
    exit 1
fi
for folder in var/postgres var/redis var/sim var/mail var/accounts; do
    if [[ -L $folder ]]; then rm -rf "$(readlink -f "$folder")"; fi
    rm -rf "$folder"
done
rm -f var/*.log var/secrets.env
echo "reset: the data of \`make run\` is gone"
