#!/bin/bash
# Starts nginx with this folder's configuration, and tells it when the addresses behind the API's name change (replicas that were
# added, or came back with another address).
#
#   API_HOST, API_PORT         the API's name, each of whose addresses is a replica (default api, 8000); several names: "a b"
#   TLS_CERTIFICATE, TLS_KEY   files; without them the ports speak plain HTTP, for a load balancer that ends TLS
#   PROXY_NETWORKS             networks of load balancers before this one, whose X-Forwarded-For is believed
#   MAP_STYLE_URL, MAP_ATTRIBUTION, APP_URL, ADMIN_URL   what the front ends are told (/config.json)
#   ADMIN_PORT, APP_PORT, PORT, CHECK_PORT               8080, 8200, 8000 and 8090
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
run=${NGINX_RUN:-/tmp/nginx} web=${WEB_FOLDER:-/usr/share/tracker}
read -ra hosts <<<"${API_HOST:-api}"
port=${API_PORT:-8000}
mkdir -p "$run"

addresses() {
    local host
    for host in "${hosts[@]}"; do
        if [[ $host == *:* ]]; then echo "$host"; else getent ahostsv4 "$host" | awk -v p="$port" '{ print $1 ":" p }'; fi
    done | sort -u
}

# No replica is ever struck off for its failures (max_fails=0): in a rolling restart every one of them fails once within seconds,
# and nginx would answer for all that nobody is left. A refused connection costs nothing to try again elsewhere, and one that hangs
# is avoided by least_conn, as its waiting connections count.
write_upstream() {
    {
        echo 'upstream api {'
        echo '    zone replicas 64k;'
        echo '    least_conn;'
        if [[ -n $1 ]]; then
            sed 's/.*/    server & max_fails=0;/' <<<"$1"
        else
            echo '    server 127.0.0.1:9; # nobody has the name yet'
        fi
        echo '    keepalive 64;'
        echo '}'
    } >"$run/upstream.conf.new"
    mv "$run/upstream.conf.new" "$run/upstream.conf"
}

json_text() { local text=${1//\\/\\\\}; printf '"%s"' "${text//\"/\\\"}"; }
write_settings() {
    local comma='' name value
    printf '{'
    for name in MAP_STYLE_URL MAP_ATTRIBUTION APP_URL ADMIN_URL; do
        value=${!name:-}
        [[ -z $value ]] && continue
        [[ $name == MAP_STYLE_URL ]] && name=MAP_STYLE
        printf '%s"%s": ' "$comma" "${name,,}"
        json_text "$value"
        comma=', '
    done
    printf '}\n'
}

listen=''
: >"$run/tls.conf"
: >"$run/hsts.conf"
if [[ -n ${TLS_CERTIFICATE:-} ]]; then
    for file in "$TLS_CERTIFICATE" "${TLS_KEY:?names the key of TLS_CERTIFICATE}"; do
        [[ -r $file ]] || { echo "start: $file cannot be read" >&2; exit 1; }
    done
    listen=ssl
    # The older form, which Debian 12's nginx knows too.
    [[ $(nginx -v 2>&1) =~ 1\.(2[5-9]|[3-9][0-9]) ]] && echo 'http2 on;' >"$run/tls.conf" || listen='ssl http2'
    printf 'ssl_certificate %s;\nssl_certificate_key %s;\n' "$TLS_CERTIFICATE" "$TLS_KEY" >>"$run/tls.conf"
    echo 'add_header Strict-Transport-Security "max-age=31536000" always;' >"$run/hsts.conf"
fi
for network in ${PROXY_NETWORKS:-}; do echo "set_real_ip_from $network;"; done >"$run/real-ip.conf"
[[ -s $run/real-ip.conf ]] && echo 'real_ip_header X-Forwarded-For; real_ip_recursive on;' >>"$run/real-ip.conf"
for file in nginx front-end headers api proxy; do
    sed -e "s#@RUN@#$run#g" -e "s#@WEB@#$web#g" -e "s/@LISTEN@/$listen/g" -e "s/@ADMIN_PORT@/${ADMIN_PORT:-8080}/g" \
        -e "s/@APP_PORT@/${APP_PORT:-8200}/g" -e "s/@PORT@/${PORT:-8000}/g" -e "s/@CHECK_PORT@/${CHECK_PORT:-8090}/g" \
        "$here/$file.conf" >"$run/$file.conf"
done
write_settings >"$run/config.json"
known=$(addresses || true)
write_upstream "$known"

nginx -e /dev/stderr -c "$run/nginx.conf" &
nginx=$!
trap 'kill -QUIT $nginx; wait $nginx; exit 0' TERM QUIT INT
while kill -0 $nginx 2>/dev/null; do
    sleep "${API_LOOK_SECONDS:-3}" &
    wait $! || true
    now=$(addresses || true)
    [[ -z $now || $now == "$known" ]] && continue
    known=$now
    write_upstream "$known"
    kill -HUP $nginx
done
wait $nginx
