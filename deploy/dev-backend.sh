#!/bin/bash
# Compiles the mounted sources, runs API, worker and scheduler, and does so again whenever a source changes. For the profile dev.
# A debugger reaches all of them at port 2345 and attaches to one, whose number `docker compose exec backend-dev pgrep -af trackerd` tells:
# gdb -ex 'target extended-remote :2345' -ex 'attach NUMBER'
set -uo pipefail
cd /src
build=build-dev
processes=()

stop() {
    [[ ${#processes[@]} -gt 0 ]] || return
    kill "${processes[@]}" 2>/dev/null
    wait "${processes[@]}"
    processes=()
}
# Programs sign in as they do in business, with logins that row-level security binds; the superuser only migrates.
logins() {
    local login
    for login in api worker; do
        sed "s#//[^@]*@#//trackerd_$login:development@#" <<<"$DATABASE_URL" >"$build/$login.url"
    done
}
start() {
    local command login
    logins
    "$build/trackerd" migrate --api-login "$build/api.url" --worker-login "$build/worker.url" || return
    for command in api worker scheduler; do
        [[ $command == api ]] && login=api || login=worker
        DATABASE_URL=$(<"$build/$login.url") METRICS_PORT=0 "$build/trackerd" "$command" &
        processes+=($!)
    done
}
trap 'stop; exit 0' TERM INT

gdbserver --multi :2345 >/dev/null 2>&1 &
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
