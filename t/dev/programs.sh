# The simulated provider, fcgi-chat, fcgi-batch and nginx.

# start_simulator [OPTION...]
start_simulator() {
    local -a become=()
    local pace
    pace=$(kept UPLIFT_SIM_PACE_MS)
    ! $as_root || become=(setpriv --reuid www-data --regid www-data --clear-groups)
    [ -z "$pace" ] || become+=(env "UPLIFT_SIM_PACE_MS=$pace")
    start simulator "$(sha256sum <"$var/build/fcgi-simulator") $pace $*" "${become[@]}" \
        "$var/build/fcgi-simulator" --socket "$var/run/simulator.sock" --mode 0666 --state "$var/simulator" "$@"
    await 10 accepts "$var/run/simulator.sock" && running simulator && return
    last_lines "$var/log/simulator.log"
    fail "fcgi-simulator has ended" "Its log is $var/log/simulator.log."
}

# program_of NAME [FILE]: sets program to the words that start fcgi-NAME with its configuration.
program_of() {
    program=("$var/build/fcgi-$1" --config "${2:-$var/uplift.conf}")
}

# start_program NAME: fcgi-chat or fcgi-batch.
start_program() {
    local stamp
    local -a program
    program_of "$1"
    stamp=$({
        sha256sum <"$var/build/fcgi-$1"
        cat "$var/uplift.conf"
        find "$var/secrets/settings" -type f -exec sha256sum {} + | sort
    } | stamp_of)
    start "$1" "$stamp" "${program[@]}"
}

start_nginx() {
    local stamp log=$var/log/nginx.log
    stamp=$(cat "$var/nginx/nginx.conf" "$here"/nginx/errors-*.conf "$var/tls/cert.pem" | stamp_of)
    if running nginx; then
        [ "$(cat "$var/run/nginx.stamp" 2>/dev/null)" != "$stamp" ] || return 0
        step restart nginx
        stop nginx
    else
        step start nginx
    fi
    if ! nginx -p "$var" -e "$var/log/nginx-error.log" -c "$var/nginx/nginx.conf" </dev/null >"$log" 2>&1; then
        last_lines "$log"
        fail "could not start nginx" "Its log is $log."
    fi
    echo "$stamp" >"$var/run/nginx.stamp"
    echo "$https_port" >"$var/ports"
}

is_ready() {
    local status
    status=$(curl -s -o /dev/null -w '%{http_code}' -m 5 --cacert "$var/tls/ca.pem" \
        "https://127.0.0.1:$https_port/readyz" || true)
    [ "$status" = 200 ]
}

is_ready_or_dead() {
    is_ready || ! running chat
}

await_ready() {
    if await 30 is_ready_or_dead && is_ready; then
        await 10 accepts "$var/run/batch.sock" && running batch && return
        last_lines "$var/log/batch.log"
        fail "fcgi-batch has ended" "Its log is $var/log/batch.log."
    fi
    last_lines "$var/log/chat.log"
    running chat || fail "fcgi-chat has ended" "Its log is $var/log/chat.log."
    fail "fcgi-chat is not ready after 30 s" "The logs are in $var/log; https://127.0.0.1:$https_port/readyz says what is missing."
}

# Prints what is wrong with the provider; nothing when it answers. Asking for its models costs nothing.
provider_trouble() {
    local url key ca complaint code=
    local -a trust=()
    ! use_simulator || return 0
    url=$(kept UPLIFT_UPSTREAM_URL)
    url=${url:-https://api.openai.com/v1}
    key=$(kept OPENAI_API_KEY)
    ca=$(kept UPLIFT_CA_BUNDLE)
    [ -z "$ca" ] || trust=(--cacert "$ca")
    # The key by standard input, because all see arguments.
    if ! complaint=$({ [ -z "$key" ] || printf 'header = "Authorization: Bearer %s"\n' "$key"; } |
        curl -sS -K - -o /dev/null --connect-timeout 5 -m 15 -w '%{stderr}%{http_code}' "${trust[@]}" "${url%/}/models" 2>&1); then
        echo "$complaint" | sed -n 's/^curl: ([0-9]*) //p' | head -n 1
        return
    fi
    code=${complaint: -3}
    case $code in
        401 | 403) echo "it refuses the key (HTTP $code)" ;;
        500 | 502 | 503 | 504) echo "it fails (HTTP $code)" ;;
    esac
}
