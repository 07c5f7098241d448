#!/usr/bin/env bash
# Everything that CI runs, from a clean checkout. `tools/test.sh coverage` stops after the coverage report.
#
# One build serves most of it: address and undefined-behaviour sanitizers together with coverage, so that every test
# also proves clean memory, and the report counts all of them.
set -euo pipefail
cd "$(dirname "$0")/.."

BUILD=build-ci
MIN_LINE_COVERAGE=85
export TRACKERD=$PWD/$BUILD/trackerd
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

failed=()
started=$SECONDS
step() {
    local name=$1 begin=$SECONDS
    shift
    printf '\n==== %s\n' "$name"
    if "$@"; then
        printf '==== %s: ok, %d s\n' "$name" $((SECONDS - begin))
    else
        printf '==== %s: FAILED, %d s\n' "$name" $((SECONDS - begin))
        failed+=("$name")
    fi
}

compile() {
    [[ -f $BUILD/build.ninja ]] || meson setup $BUILD -Db_sanitize=address,undefined -Db_lundef=false -Db_coverage=true >/dev/null
    ninja -C $BUILD --quiet
    find $BUILD -name '*.gcda' -delete
}

python_tests() { var/venv/bin/python -m pytest -q -p no:cacheprovider --timeout=300 "$@"; }

front_end_tests() { npm run --silent --prefix web api && npm run --silent --prefix web test; }

report() {
    mkdir -p $BUILD/coverage
    gcovr --root . --filter 'src/' --object-directory $BUILD --exclude-unreachable-branches --gcov-ignore-parse-errors \
        --html-details $BUILD/coverage/index.html --txt $BUILD/coverage/report.txt --print-summary --fail-under-line $MIN_LINE_COVERAGE
    grep -E '^src' $BUILD/coverage/report.txt | sort -k4 -n | awk 'NR <= 15 { print "  " $0 }'
}

step 'build with sanitizers' compile
[[ ${#failed[@]} -eq 0 ]] || exit 1
step 'unit tests' meson test -C $BUILD --print-errorlogs --no-rebuild
for folder in tests/ops tests/db tests/store tests/tasks tests/http tests/cli tests/api tests/geocode tests/pipeline tests/sim tests/truth \
    sim/tests tests/docs; do
    [[ -d $folder ]] && step "$folder" python_tests "$folder"
done
step 'front ends: unit tests' front_end_tests
step 'coverage' report

if [[ ${1:-} != coverage ]]; then
    step 'release build' make --no-print-directory build
    step 'lint' tools/lint.sh
    step 'fuzz, short' tools/fuzz.sh "${FUZZ_SECONDS:-5}"
fi

printf '\nmake test: %d s\n' $((SECONDS - started))
if [[ ${#failed[@]} -gt 0 ]]; then
    printf 'make test FAILED in: %s\n' "${failed[*]}"
    exit 1
fi
echo 'make test: everything passed'
