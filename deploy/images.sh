#!/usr/bin/env bash
# Builds the images: with Docker where it is there, else with buildah, which needs no daemon.
#
#   deploy/images.sh [TARGET...]      default: trackerd web docs sim postgres redis
#
# BASE=image     instead of debian:trixie-slim; BASE=debootstrap makes one on this machine, for where no registry can be reached
# PREFIX=name    of the tags (default tracker), TAG=tag (default latest)
# CA_BUNDLE=file certificates to trust where a proxy stands before the package registries
set -euo pipefail
cd "$(dirname "$0")/.."
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=(trackerd web docs sim postgres redis)
base=${BASE:-debian:trixie-slim} prefix=${PREFIX:-tracker} tag=${TAG:-latest}
say() { printf 'images: %s\n' "$*" >&2; }

if [[ $base == debootstrap ]]; then
    base=localhost/debian-base:trixie
    if ! buildah inspect "$base" >/dev/null 2>&1; then
        say "making $base with debootstrap"
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT
        debootstrap --variant=minbase trixie "$work" >/dev/null
        rm -rf "$work"/var/cache/apt/archives/*.deb "$work"/var/lib/apt/lists/* "$work"/usr/share/{doc,man,locale}
        tar -C "$work" -c . | podman import - "$base" >/dev/null
    fi
fi

if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
    build=(docker build)
else
    command -v buildah >/dev/null || { say 'neither Docker nor buildah is here; install one'; exit 1; }
    # The docker format, because the other has no health checks
    build=(buildah bud --format docker --layers --isolation chroot --network host)
    [[ -z ${CA_BUNDLE:-} ]] || build+=(--volume "$CA_BUNDLE:/run/ca-bundle.crt:ro" --build-arg CA_BUNDLE=/run/ca-bundle.crt)
fi
for target in "${targets[@]}"; do
    say "building $prefix/$target:$tag on $base"
    "${build[@]}" --build-arg "BASE=$base" --file deploy/Dockerfile --target "$target" --tag "$prefix/$target:$tag" .
done
