#!/usr/bin/env bash
# Puts the files of Swagger UI (an npm package, pinned in tools/npm) into var/share/swagger-ui, where the API serves them at /docs.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp tools/npm/package.json tools/npm/package-lock.json "$work/"
npm ci --prefix "$work" --ignore-scripts --no-audit --no-fund --silent
mkdir -p var/share/swagger-ui
cp "$work"/node_modules/swagger-ui-dist/{swagger-ui.css,swagger-ui-bundle.js,LICENSE,NOTICE} var/share/swagger-ui/
