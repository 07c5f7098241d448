#!/usr/bin/env bash
# Builds both front ends for production into web/admin/dist and web/app/dist, when something changed since the last build.
# Usage: tools/web.sh
set -euo pipefail
cd "$(dirname "$0")/.."

npm run --silent --prefix web api
stamp=var/.web-built
sum=$(find web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/test-results/*' -not -path '*/screenshots/*' -print0 |
    sort -z | xargs -0 sha256sum | sha256sum)
[[ -f web/admin/dist/index.html && -f web/app/dist/index.html && -f $stamp && $(<"$stamp") == "$sum" ]] && exit 0
npm run --silent --prefix web build
mkdir -p "$(dirname "$stamp")" # the image is built from a folder that has none
printf '%s\n' "$sum" >"$stamp"
