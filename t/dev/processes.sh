# Starting, stopping and awaiting processes.

# running NAME: whether the process of var/run/NAME.pid lives and is ours, not a later one that was
# given the same number. Sets pid.
running() {
    local words
    pid=$(cat "$var/run/$1.pid" 2>/dev/null) && [ -n "$pid" ] || return 1
    # It may end while we look.
    words=$({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null) || return 1
    [[ $words == *"$var/"* ]]
}

# await SECONDS COMMAND...: until it succeeds.
await() {
    local tries=$(($1 * 20))
    shift
    while ! "$@"; do
        [ $((tries--)) -gt 0 ] || return 1
        sleep 0.05
    done
}

stopped() {
    ! running "$1"
}

# accepts SOCKET: whether somebody listens; its file is there earlier. 7 is curl's "could not connect".
accepts() {
    local status=0
    curl -s -o /dev/null --max-time 0.2 --unix-socket "$1" http://localhost/ || status=$?
    [ "$status" != 7 ]
}

# stop NAME: asks, asks again, and then insists.
stop() {
    local signal
    for signal in TERM TERM KILL; do
        running "$1" || break
        kill -s "$signal" "$pid" 2>/dev/null || true
        await 10 stopped "$1" || true
    done
    rm -f "$var/run/$1.pid" "$var/run/$1.stamp"
}

# start NAME STAMP COMMAND...: unless it runs already, with the same stamp. The stamp says what it was
# started with.
start() {
    local name=$1 stamp=$2
    shift 2
    if running "$name"; then
        [ "$(cat "$var/run/$name.stamp" 2>/dev/null)" != "$stamp" ] || return 0
        step restart "$name"
        stop "$name"
    else
        step start "$name"
    fi
    (
        cd "$var"
        exec setsid "$@" </dev/null >>"$var/log/$name.log" 2>&1
    ) &
    echo $! >"$var/run/$name.pid"
    echo "$stamp" >"$var/run/$name.stamp"
    disown
    # Until then it is a copy of this shell.
    await 2 running "$name" || true
}

stamp_of() {
    sha256sum | cut -c1-32
}
