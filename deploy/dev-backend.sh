#!/bin/bash
# Compiles the mounted sources, runs API, worker and scheduler, and does so again whenever a source changes. For the profile dev.
# A debugger reaches the API at port 2345: gdb build-dev/trackerd -ex 'target extended-remote :2345'
set -uo pipefail
cd /src
build=build-dev
processes=()

stop() {
    [[ ${#processes[@]} -gt 0 ]] && kill "${processes[@]}" 2>/dev/null
    wait
    processes=()
}
start() {
    local command
    "$build/trackerd" migrate || return
    for command in api worker scheduler; do
        METRICS_PORT=0 "$build/trackerd" "$command" &
        processes+=($!)
    done
    gdbserver --attach :2345 "${processes[0]}" --once >/dev/null 2>&1 &
    processes+=($!)
}
trap 'stop; exit 0' TERM INT

[[ -f $build/build.ninja ]] || meson setup "$build" --buildtype=debug >/dev/null
while true; do
    touch "$build/.built"
    if ninja -C "$build" trackerd; then
        stop
        start
    fi
    until [[ -n $(find src db meson.build -newer "$build/.built" -print -quit) ]]; do
        sleep 1 &
        wait $!
    done
done
