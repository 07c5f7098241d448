#!/usr/bin/env bash
# Runs the benchmarks one after the other and prints one JSON object a line: {"bench": NAME, "ratio": ..., ...}.
# Each compares with a reference measured in the same run; a ratio below its target makes the exit status 1.
set -uo pipefail
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
status=0

"$BUILD/bench/findmy/decrypt_bench" --min 0.9 || status=1
"$BUILD/bench/findmy/decrypt_bench" --min 0.9 --threads 1 || status=1
python3 bench/store/run.py "$BUILD/bench/store/query_bench" || status=1
var/venv/bin/python bench/api/api_bench.py || status=1
var/venv/bin/python bench/api/dashboard_bench.py || status=1
tools/web.sh >&2 && node web/tools/first-load.mjs app 200 --json || status=1
python3 bench/pipeline/run.py --build "$BUILD" || status=1
var/venv/bin/python bench/judge/judge_bench.py || status=1
var/venv/bin/python bench/live/live_bench.py || status=1
var/venv/bin/python bench/history/history_bench.py || status=1

exit $status
