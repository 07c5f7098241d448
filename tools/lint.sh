#!/usr/bin/env bash
# All static checks; each prints only what is wrong. `tools/lint.sh fast` leaves out clang-tidy and cppcheck.
set -uo pipefail
cd "$(dirname "$0")/.."
status=0
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        printf 'lint: %s ok\n' "$name"
    else
        printf 'lint: %s\n%s\n' "$name" "$output"
        status=1
    fi
}

mapfile -t c_files < <(git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]')
mapfile -t sources < <(git ls-files 'src/*.c')

tidy() {
    # Each file on its own: one crash or error must not hide the others.
    printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy -p build --quiet --warnings-as-errors='*' 2>/dev/null
}

cpp() {
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --suppressions-list=tools/cppcheck.txt \
        --error-exitcode=1 -j "$(nproc)" -Isrc -D_GNU_SOURCE \
        '-DTRACKERD_VERSION="0"' '-DJSON_INTEGER_FORMAT="lld"' src
}

check clang-format var/venv/bin/clang-format --dry-run --Werror "${c_files[@]}"
check layers python3 tools/check-layers.py
check ruff-format var/venv/bin/ruff format --check --quiet .
check ruff var/venv/bin/ruff check --quiet .
check api-types npm run --silent --prefix web api
check typescript npm run --silent --prefix web typecheck
check eslint npm run --silent --prefix web lint
if [[ ${1:-} != fast ]]; then
    check cppcheck cpp
    check clang-tidy tidy
fi
exit $status
