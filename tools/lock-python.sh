#!/usr/bin/env bash
# Pins a list of Python packages with all that they need. Usage: tools/lock-python.sh LIST.in LIST.txt [PINNED.txt...]
# Lists share one environment, so what PINNED has pinned already keeps its version.
set -euo pipefail
folder=$(mktemp -d)
constraints=()
for list in "${@:3}"; do constraints+=(-c "$list"); done
trap 'rm -rf "$folder"' EXIT
python=/usr/bin/python3 # Debian's, like tools/deps.sh: a newer one would pin what Debian's cannot install
[[ -x $python ]] || python=python3
"$python" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${constraints[@]}" -r "$1"
{
    printf '# Made from %s by `make lock-python`; do not edit.\n' "$(basename "$1")"
    "$folder/venv/bin/pip" freeze
} >"$2"
