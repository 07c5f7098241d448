#!/usr/bin/env bash
# Builds the documentation site; every warning, dead link or dead anchor fails. Usage: tools/docs.sh [--if-changed] [FOLDER]
# FOLDER is build/site when left out. With --if-changed nothing happens while it is newer than its sources.
set -euo pipefail
cd "$(dirname "$0")/.."
if_changed=
[[ ${1:-} == --if-changed ]] && if_changed=yes && shift
site=${1:-build/site}

if [[ $if_changed && -f $site/index.html ]]; then
    changed=$(find docs mkdocs.yml tools/docs* build/trackerd -newer "$site/index.html" -print -quit)
    [[ -z $changed ]] && exit 0
fi
# Elsewhere until it is whole, so that a failed build leaves the site that is being served as it was.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
NO_MKDOCS_2_WARNING=1 var/venv/bin/mkdocs build --strict --quiet --site-dir "$work/site"
mkdir -p "$site"
find "$site" -mindepth 1 -delete
cp -r "$work/site/." "$site/"
