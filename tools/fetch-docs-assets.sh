#!/usr/bin/env bash
# Puts scripts that pages load (npm packages, pinned in tools/npm) below var/share, so that no page fetches anything from elsewhere:
# Swagger UI, which the API serves at /docs, and Mermaid, which draws the diagrams of the documentation site.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp tools/npm/package.json tools/npm/package-lock.json "$work/"
npm ci --prefix "$work" --ignore-scripts --no-audit --no-fund --silent
mkdir -p var/share/swagger-ui var/share/mermaid
cp "$work"/node_modules/swagger-ui-dist/{swagger-ui.css,swagger-ui-bundle.js,LICENSE,NOTICE} var/share/swagger-ui/
cp "$work"/node_modules/@mermaid-js/tiny/dist/mermaid.tiny.js var/share/mermaid/mermaid.js
cp "$work"/node_modules/@mermaid-js/tiny/LICENSE var/share/mermaid/
