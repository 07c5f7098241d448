#!/usr/bin/env bash
# Pins a list of Python packages with all that they need. Usage: tools/lock-python.sh LIST.in LIST.txt
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check -r "$1"
{
    printf '# Made from %s by `make lock-python`; do not edit.\n' "$(basename "$1")"
    "$folder/venv/bin/pip" freeze
} >"$2"
