# Building below var.

# configure_and_make DIR STAMP "OPTION..." TARGET...: in a shell of its own. Configures again when the stamp is
# another than the last time.
configure_and_make() (
    dir=$1 stamp=$2 options=$3
    shift 3
    if [ ! -e "$here/configure" ] || [ ! -e "$here/Makefile.in" ]; then
        cd "$here" && autoreconf -i || exit 1
    fi
    cd "$dir" || exit 1
    if [ ! -e Makefile ] || [ "$(cat configured 2>/dev/null)" != "$stamp" ]; then
        rm -f configured
        # By its full path, because var may be a link.
        # shellcheck disable=SC2086 # a list of words
        "$here/configure" --enable-werror $options || exit 1
        echo "$stamp" >configured
    fi
    make -j"$(nproc)" "$@"
)

# build DIR "OPTION..." TARGET...: configures DIR with the options and makes the targets. What configure finds
# changes with the packages that are installed, so it runs again after they have.
build() {
    local dir=$1 options=$2 log stamp
    log=$var/log/${dir##*/}.log
    shift 2
    [ ! -e "$here/config.status" ] || fail "this source tree is configured for a build of its own" \
        "Only one that is not can be built elsewhere, as ./dev does. Run: make distclean" \
        "To build by hand beside ./dev, use a directory: mkdir build && cd build && ../configure && make"
    step build "$dir"
    mkdir -p "$dir"
    stamp=$({
        echo "$options"
        installed_versions
    } | stamp_of)
    patiently "$log" configure_and_make "$dir" "$stamp" "$options" "$@" && return
    last_lines "$log" 30
    fail "could not build" "The whole output is in $log." \
        "If files were moved or the compiler has changed: rm -r $dir, and run this again."
}
