# Debian's packages: which are needed, which are missing, and how they are installed.

packages_up="autoconf automake esbuild gcc libc6-dev make pkgconf nginx openssl curl ca-certificates python3
    libfcgi-dev libpq-dev libcjson-dev libcurl4-openssl-dev libuv1-dev libcjose-dev libssl-dev libstemmer-dev libutf8proc-dev libxml2-dev
    libgsl-dev zlib1g-dev libarchive-dev poppler-utils libvips-tools libjs-katex node-markdown-it node-punycode node-highlight.js
    node-d3-array node-d3-axis node-d3-scale node-d3-selection node-d3-shape node-d3-time-format"
packages_check="chromium clang clang-format cppcheck pyflakes3 shellcheck libclang-rt-dev libcmocka-dev
    libnginx-mod-http-echo libtap-parser-sourcehandler-pgtap-perl perl python3-pip python3-psycopg2 valgrind wrk"

# Sets pg_version: that of the cluster there is, else Debian's own.
find_pg_version() {
    local id=
    if [ -r "$var/pg/version" ]; then
        pg_version=$(cat "$var/pg/version")
        return
    fi
    # shellcheck source=/dev/null
    [ ! -r /etc/os-release ] || id=$(. /etc/os-release && echo "${ID:-}${VERSION_ID:-}")
    case $id in
        debian13) pg_version=17 ;;
        *) pg_version=15 ;;
    esac
}

# Prints those of its arguments that are not installed.
missing_packages() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

# Prints which versions of the packages above are installed.
installed_versions() {
    # shellcheck disable=SC2086 # lists of words
    dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' $packages_up $packages_check 2>/dev/null || true
}

# install_as_root PACKAGE...: in a shell of its own, maybe by sudo. Installs, but starts no services and
# makes no cluster of Debian's: they would take ports and memory, and we bring our own.
install_as_root() (
    policy=/usr/sbin/policy-rc.d cluster=/etc/postgresql-common/createcluster.d
    made_policy=false had_nginx=false
    # shellcheck disable=SC2317 # the trap calls it
    restore() {
        ! $made_policy || rm -f "$policy"
        rm -f "$cluster/uplift.conf"
        rmdir "$cluster" "${cluster%/*}" 2>/dev/null || true
    }
    trap restore EXIT
    trap 'exit 130' INT TERM HUP
    if [ ! -e "$policy" ]; then
        made_policy=true
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    mkdir -p "$cluster"
    echo 'create_main_cluster = false' >"$cluster/uplift.conf"
    ! command -v nginx >/dev/null || had_nginx=true
    export DEBIAN_FRONTEND=noninteractive
    if ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then
        apt-get -q update || exit 1
    fi
    if ! apt-get -q -y install --no-install-recommends "$@"; then
        # Lists that are old name versions that are gone.
        apt-get -q update && apt-get -q -y install --no-install-recommends "$@" || exit 1
    fi
    # Not at the next boot either.
    if ! $had_nginx && [ -d /run/systemd/system ]; then
        systemctl --quiet disable nginx || true
    fi
)

install_packages() {
    local log=$var/log/install.log
    local -a missing become=()
    command -v dpkg-query >/dev/null || fail "this needs Debian 12, or a system like it" \
        "Elsewhere, install what configure.ac asks for, and build by hand as README.md says."
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} != 0 ] || return 0
    step install "${#missing[@]} packages, which may take minutes: ${missing[*]}"
    if ! $as_root; then
        command -v sudo >/dev/null || fail "these packages are missing: ${missing[*]}" \
            "Install them as root: apt-get install ${missing[*]}" "Then run this again."
        # The first of the two asks for nothing, and so needs no terminal.
        sudo -n true 2>/dev/null || sudo -v || fail "these packages are missing, and sudo was refused: ${missing[*]}" \
            "Ask an administrator to run: apt-get install ${missing[*]}"
        become=(sudo env "PATH=$PATH")
    fi
    patiently "$log" "${become[@]}" bash -c "$(declare -f install_as_root); install_as_root \"\$@\"" install \
        "${missing[@]}" && return
    last_lines "$log"
    fail "could not install: ${missing[*]}" "The whole output is in $log." \
        "Try: apt-get update && apt-get install ${missing[*]}"
}

install_for_up() {
    find_pg_version
    # shellcheck disable=SC2086 # lists of words
    install_packages $packages_up "postgresql-$pg_version" "postgresql-$pg_version-cron" "$@"
    pg_bin=/usr/lib/postgresql/$pg_version/bin
}

install_for_check() {
    local node=
    find_pg_version
    # Debian's npm and other builds of Node.js exclude each other: whatever is there will do.
    command -v npm >/dev/null || node="nodejs npm"
    # shellcheck disable=SC2086
    install_for_up $packages_check $node "postgresql-$pg_version-pgtap" "postgresql-$pg_version-plpgsql-check"
}
