#!/usr/bin/env bash
# Writes .env.example: what compose.yaml itself asks for, then every setting of the binary. Usage: tools/env-example.sh [BINARY]
set -euo pipefail
cd "$(dirname "$0")/.."
binary=${1:-build/trackerd}
cat deploy/env.head
env -i "$binary" config --format env | sed -E 's/^([A-Z][A-Z0-9_]*=)/#\1/'
