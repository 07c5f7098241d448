#!/usr/bin/env bash
# Runs every fuzz target for SECONDS (default 60): tools/fuzz.sh [SECONDS [TARGET...]]
#
# New inputs are gathered below build-fuzz/corpus/ and used again next time; a crash leaves its input in
# build-fuzz/crashes/. An input worth keeping goes to tests/fuzz/corpus/<target>/, where every test run replays it.
set -uo pipefail
cd "$(dirname "$0")/.."
SECONDS_EACH=${1:-60}
shift || true
BUILD=build-fuzz

if [[ ! -f $BUILD/build.ninja ]]; then
    CC=clang meson setup $BUILD -Dfuzz=true -Dwerror=false -Db_sanitize=address,undefined -Db_lundef=false >/dev/null || exit 1
fi
if [[ $# -eq 0 ]]; then
    set -- $(for file in tests/fuzz/fuzz_*.c; do basename "$file" .c | sed 's/^fuzz_//'; done)
fi
if ! output=$(ninja -C $BUILD "${@/#/tests/fuzz/fuzz_}"); then
    printf '%s\n' "$output"
    exit 1
fi

export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
status=0
for target in "$@"; do
    mkdir -p "$BUILD/corpus/$target" $BUILD/crashes
    log=$BUILD/fuzz_$target.log
    if "$BUILD/tests/fuzz/fuzz_$target" -max_total_time="$SECONDS_EACH" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$BUILD/crashes/$target-" "$BUILD/corpus/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1; then
        printf 'fuzz %s: ok, %s runs\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    else
        printf 'fuzz %s: FAILED\n' "$target"
        tail -60 "$log"
        status=1
    fi
done
exit $status
