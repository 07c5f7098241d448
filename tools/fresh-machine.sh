#!/usr/bin/env bash
# Proves on a machine that has nothing that the README's commands suffice: a new Debian in a folder, this checkout's
# HEAD cloned into it, `make run` until it answers and stops cleanly, then `make test`. Takes half an hour or more.
#
#   tools/fresh-machine.sh bookworm|trixie [run] [test] [COMMAND...]     default: run test; needs root and debootstrap
#
# KEEP=1         leaves the folder (var/fresh/SUITE) for a look; a folder that is there is used again
# CA_BUNDLE=file certificates to trust where a proxy stands between this machine and the package registries
set -euo pipefail
cd "$(dirname "$0")/.."

suite=${1:?usage: tools/fresh-machine.sh bookworm|trixie [run] [test] [COMMAND...]}
shift
steps=("$@")
[[ ${#steps[@]} -gt 0 ]] || steps=(run test)
root=$PWD/var/fresh/$suite
say() { printf 'fresh-machine: %s\n' "$*" >&2; }

[[ $(id -u) -eq 0 ]] || { say 'needs root, for debootstrap and chroot'; exit 1; }
command -v debootstrap >/dev/null || { say 'needs debootstrap: apt-get install debootstrap'; exit 1; }

# The machine has its own mounts and process numbers, so that whatever is left behind ends with it.
inside() {
    unshare --mount --pid --fork --kill-child bash -euc '
        root=$1; shift
        mount -t proc proc "$root/proc"
        mount -t sysfs -o ro sysfs "$root/sys"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs -o size=2g,mode=1777 tmpfs "$root/dev/shm"
        exec chroot "$root" /usr/bin/env -i --default-signal=INT HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
            NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt HTTP_PORT="${HTTP_PORT:-8100}" \
            bash -euc "$1"' inside "$root" "$1"
}

if [[ ! -e $root/etc/debian_version ]]; then
    say "installing $suite into $root"
    mkdir -p "$root"
    debootstrap --variant=minbase "$suite" "$root" >"$root.log" 2>&1 || { tail -5 "$root.log" >&2; exit 1; }
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"
inside 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends make git ca-certificates curl procps >/dev/null'
[[ -z ${CA_BUNDLE:-} ]] || cp "$CA_BUNDLE" "$root/etc/ssl/certs/ca-certificates.crt"
rm -rf "$root/root/tracker"
git clone -q . "$root/root/tracker"

# Ready when the summary is printed; then Ctrl-C, which must leave no process.
run_step='
cd /root/tracker
set -m # or what runs in the background would ignore Ctrl-C
make run >run.log 2>&1 & pid=$!
for _ in $(seq 1800); do
    grep -q "Ctrl-C" run.log && break
    kill -0 $pid 2>/dev/null || { tail -30 run.log; exit 1; }
    sleep 1
done
cat run.log | tail -25
curl -fsS "http://127.0.0.1:${HTTP_PORT:-8100}/health/ready"
kill -INT -- -$pid # to the group, as a terminal does
wait $pid || true
sleep 2
left=$(ps -eo args= | grep -E "trackerd|postgres|redis-server|valkey-server|findmy-sim" | grep -v grep || true)
[[ -z $left ]] || { echo "left behind: $left"; exit 1; }'

failed=0
for step in "${steps[@]}"; do
    say "$suite: $step"
    case $step in
        run) command=$run_step ;;
        test) command='cd /root/tracker && make test' ;;
        *) command="cd /root/tracker && $step" ;;
    esac
    if inside "$command"; then say "$suite: $step passed"; else say "$suite: $step FAILED"; failed=1; fi
done
[[ ${KEEP:-} ]] || rm -rf "$root"
exit $failed
