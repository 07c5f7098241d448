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

# As many steps at a time as there are processors: most of a step is waiting for servers, time-outs and browsers.
LANES=${LANES:-2}
LOGS=$BUILD/logs

failed=()
started=$SECONDS
declare -A running=() # process id -> name of the step

step() { # runs by itself, its output seen at once
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

await() { # the end of one of the steps that are running; its output is shown whole
    local pid status=0
    wait -n -p pid "${!running[@]}" || status=$?
    local name=${running[$pid]}
    unset "running[$pid]"
    printf '\n==== %s\n' "$name"
    cat "$LOGS/${name//\//-}.log"
    [[ $status -eq 0 ]] || failed+=("$name")
}

beside() { # runs beside others, in a lane that is free
    local name=$1
    while [[ ${#running[@]} -ge $LANES ]]; do await; done
    (
        begin=$SECONDS status=0
        "${@:2}" || status=$?
        printf '==== %s: %s, %d s\n' "$name" "$([[ $status -eq 0 ]] && echo ok || echo FAILED)" $((SECONDS - begin))
        exit $status
    ) >"$LOGS/${name//\//-}.log" 2>&1 &
    running[$!]=$name
}

finish() { while [[ ${#running[@]} -gt 0 ]]; do await; done; }

compile() {
    [[ -f $BUILD/build.ninja ]] || meson setup $BUILD -Db_sanitize=address,undefined -Db_lundef=false -Db_coverage=true >/dev/null
    ninja -C $BUILD --quiet
    find $BUILD -name '*.gcda' -delete
}

python_tests() { var/venv/bin/python -m pytest -q -p no:cacheprovider --timeout=300 "$@"; }

# The main paths of both front ends; `npm run e2e --prefix web` is the long form. The system behind them is the usual build,
# with sanitizers the pages would wait.
browser_tests() { CI=1 TRACKERD='' npm run --silent --prefix web e2e:short; }

front_end_tests() { npm run --silent --prefix web api && npm run --silent --prefix web test; }

report() {
    mkdir -p $BUILD/coverage
    gcovr --root . --filter 'src/' --object-directory $BUILD --exclude-unreachable-branches --gcov-ignore-parse-errors \
        --html-details $BUILD/coverage/index.html --txt $BUILD/coverage/report.txt --print-summary --fail-under-line $MIN_LINE_COVERAGE
    grep -E '^src' $BUILD/coverage/report.txt | sort -k4 -n | awk 'NR <= 15 { print "  " $0 }'
}

static_checks() { make --no-print-directory build && tools/lint.sh; }

mkdir -p "$LOGS"
step 'build with sanitizers' compile
[[ ${#failed[@]} -eq 0 ]] || exit 1
step 'unit tests' meson test -C $BUILD --print-errorlogs --no-rebuild
# The longest first.
for folder in tests/api sim/tests tests/sim tests/pipeline tests/truth tests/store tests/tasks tests/db tests/ops tests/geocode \
    tests/http tests/docs tests/cli; do
    beside "$folder" python_tests "$folder"
done
beside 'front ends: unit tests' front_end_tests
finish
step 'coverage' report

if [[ ${1:-} != coverage ]]; then
    step 'build of the front ends' make --no-print-directory web
    beside 'front ends: browser tests' browser_tests
    beside 'static checks' static_checks
    beside 'fuzz, short' tools/fuzz.sh "${FUZZ_SECONDS:-5}"
    finish
fi

printf '\nmake test: %d s\n' $((SECONDS - started))
if [[ ${#failed[@]} -gt 0 ]]; then
    printf 'make test FAILED in: %s\n' "${failed[*]}"
    exit 1
fi
echo 'make test: everything passed'
