# What ./dev says, and how it shows that something takes a while.

say() {
    printf '%s\n' "$*" >&2
}

step() {
    printf '%-10s %s\n' "$1" "$2" >&2
}

# What went wrong, and then what to do about it, a line each.
fail() {
    printf 'dev: %s\n' "$1" >&2
    shift
    [ $# = 0 ] || printf '     %s\n' "$@" >&2
    exit 1
}

last_lines() {
    tail -n "${2:-15}" "$1" 2>/dev/null | cut -c1-400 | sed 's/^/     | /' >&2
}

# Shows on a terminal how long a command has taken and the last line of its log, elsewhere a line every 20
# seconds, until it is killed or ./dev is gone.
watch_log() {
    local log=$1 began=$SECONDS told=$SECONDS line
    trap - ERR
    while kill -0 $$ 2>/dev/null; do
        sleep 0.5
        if [ ! -t 2 ] && [ $((SECONDS - told)) -lt 20 ]; then
            continue
        fi
        told=$SECONDS
        line=$(tail -n 1 "$log" 2>/dev/null | tr -d '\r' | cut -c1-60) || line=
        if [ -t 2 ]; then
            printf '\r\033[K%-10s %d s: %s' '' $((SECONDS - began)) "$line" >&2
        else
            printf '%-10s %d s: %s\n' '' $((SECONDS - began)) "$line" >&2
        fi
    done
}

# patiently LOG COMMAND...: runs the command with its output in LOG, and shows meanwhile that it goes on. The
# command is not the one in the background, because an interrupt would not reach it there.
patiently() {
    local log=$1 status=0 watcher
    shift
    : >"$log"
    watch_log "$log" 9>&- & # 9: up's lock
    watcher=$!
    "$@" </dev/null >"$log" 2>&1 || status=$?
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    [ ! -t 2 ] || printf '\r\033[K' >&2
    return $status
}
