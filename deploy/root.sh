#!/bin/bash
# Makes the root file system of the image of trackerd: the program, the libraries that it and their plugins load, certificates, time
# zones, and nothing else - no shell, no package manager. Usage: deploy/root.sh PROGRAM FOLDER
set -euo pipefail
program=$1 root=$2
libraries=$(dirname "$(gcc -print-file-name=libc.so.6 | xargs readlink -f)")
mkdir -p "$root"/{etc/ssl/certs,tmp,usr/bin,usr/lib,usr/share,var/lib}
# As on every Debian: the old names are links.
for name in bin lib lib64; do ln -s "usr/$name" "$root/$name"; done
mkdir -p "$root/usr/lib64"
install -m 755 "$program" "$root/usr/bin/trackerd"

# HEIC comes to libheif by a plugin, where Debian has made it one.
plugins=()
for plugin in "$libraries"/libheif/plugins/*de265*.so; do [[ -e $plugin ]] && plugins+=("$plugin"); done
for file in "${plugins[@]}"; do install -D -m 644 "$file" "$root$file"; done

ldd "$program" "${plugins[@]}" | awk '$3 ~ /^\// { print $3 } $1 ~ /^\/.*ld-linux/ { print $1 }' | sort -u | while read -r file; do
    # By the name that the loader asks for, with what it points to.
    install -D -m 755 "$(readlink -f "$file")" "$root$(readlink -f "$(dirname "$file")")/$(basename "$file")"
done

install -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp -r /usr/share/zoneinfo "$root/usr/share/"
rm -rf "$root"/usr/share/zoneinfo/{right,posix}
printf 'trackerd:x:10001:10001::/var/lib/trackerd:/usr/sbin/nologin\n' >"$root/etc/passwd"
printf 'trackerd:x:10001:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
chmod 1777 "$root/tmp"
install -d -o 10001 -g 10001 -m 750 "$root/var/lib/trackerd"
