#!/bin/bash
# Vite's servers with hot reload over the mounted sources: admin panel on 3000, user front end on 3100. For the profile dev.
set -euo pipefail
cd /src
npm ci --prefix web --ignore-scripts --no-audit --no-fund --loglevel=error
for node in web/node_modules/node-linux-*/bin/node; do ln -sf "../${node#web/node_modules/}" web/node_modules/.bin/node; done
until curl -fsS -o /dev/null "$API_URL/health/ready"; do sleep 1; done
cd web
WEB_PORT=3000 vite --host 0.0.0.0 --port 3000 --config admin/vite.config.ts admin &
WEB_PORT=3100 vite --host 0.0.0.0 --port 3100 --config app/vite.config.ts app &
trap 'kill 0' TERM INT
wait -n
