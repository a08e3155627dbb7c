# The directory of all state.

# Whether the users that servers run as may use this directory; as root these are others than we.
servers_reach() {
    ! $as_root || runuser -u nobody -- test -x "$1"
}

# The path of a Unix socket has 107 bytes at most, and ours has 30 below var.
is_short() {
    [ ${#1} -le 76 ]
}

# Sets var: the directory of all state. Where the checkout will not do, var is a link to one that does.
find_var() {
    local elsewhere hash
    if [ ! -L "$here/var" ] && { ! is_short "$here/var" || ! servers_reach "$here"; }; then
        hash=$(printf '%s' "$here" | sha256sum | cut -c1-12)
        if $as_root; then
            elsewhere=/var/lib/uplift-dev/$hash
        else
            elsewhere=${XDG_STATE_HOME:-$HOME/.local/state}/uplift-dev/$hash
        fi
        is_short "$elsewhere" || fail "$here is too long a path for Unix sockets" \
            "Move the checkout to a shorter one."
        mkdir -p "$elsewhere"
        if [ -d "$here/var" ]; then
            # Only a build can be there: the servers could not have used it.
            rm -rf "$here/var/build"
            rmdir "$here/var" 2>/dev/null || fail "$here/var is of no use to the servers" \
                "They run as other users, who may not enter $here, or its path is too long for sockets." \
                "Remove var, and run this again."
        fi
        ln -s "$elsewhere" "$here/var"
    fi
    if [ -L "$here/var" ]; then
        mkdir -p "$(readlink "$here/var")"
    else
        mkdir -p "$here/var"
    fi
    var=$(cd "$here/var" && pwd -P)
    [ -w "$var" ] || fail "cannot write to $var" "It belongs to $(stat -c %U "$var"): run this as that user."
    mkdir -p "$var"/{build,log,run,tls,www,nginx,spool,search,simulator,secrets,batch,exports,photos}
    chmod 700 "$var/secrets"
    ! $as_root || chown www-data:www-data "$var"/{run,spool,search,simulator,batch,exports,photos}
}

need_up() {
    [ -e "$here/var/secrets/jwt" ] || fail "nothing is here yet" "Run ./dev up first."
    find_var
}
