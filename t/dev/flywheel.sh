# ./dev flywheel: weeks of the learning loop, on a scratch stack of its own that is gone afterwards.

# Everything of the scratch stack but its build lies below var/flywheel/stack.
scratch_directory() {
    local main=$var
    var=$main/flywheel/stack
    is_short "$var" || fail "$var is too long a path for Unix sockets" "Move the checkout to a shorter one."
    remove_scratch
    mkdir -p "$var"/{log,run,tls,www,nginx,spool,search,simulator,secrets/settings,batch,exports}
    ln -s "$main/build" "$var/build"
    chmod 700 "$var/secrets"
    ! $as_root || chown www-data:www-data "$var"/{run,spool,search,simulator,batch,exports}
    # Answers as fast as they come, and a training of two seconds.
    echo 0 >"$var/secrets/settings/UPLIFT_SIM_PACE_MS"
    echo 500ms >"$var/secrets/settings/UPLIFT_TRAINER_POLL_MS"
}

stop_scratch() {
    local name
    for name in nginx chat batch simulator; do
        stop "$name"
    done
}

remove_scratch() {
    [ -e "$var" ] || return 0
    stop_scratch
    if [ -s "$var/pg/version" ]; then
        pg_bin=/usr/lib/postgresql/$(cat "$var/pg/version")/bin
        stop_postgres
    fi
    rm -rf "$var"
}

# A database as new, of a copy that is made the first time.
fresh_database() {
    if [ -e "$var/pg/copied" ]; then
        super_psql -d postgres -c "drop database uplift with (force)" -c "create database uplift owner uplift_owner template uplift_fresh"
        return
    fi
    load_schema
    owner_psql -f "$here/t/dev/flywheel.sql" >"$var/log/flywheel-sql.log" 2>&1 || {
        last_lines "$var/log/flywheel-sql.log"
        fail "could not prepare the scratch database"
    }
    super_psql -d postgres -c "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'uplift'" >/dev/null
    super_psql -d postgres -c "create database uplift_fresh owner uplift_owner template uplift"
    touch "$var/pg/copied"
}

start_scratch() {
    rm -rf "$var/simulator"/* "$var/search"/* "$var/spool"/*
    fresh_database
    configure_programs
    configure_nginx
    start_simulator --job-time 2
    start_program chat
    start_program batch
    start_nginx
    await_ready
}

flywheel() {
    local seed=1 seeds=1 provider=simulator reports status=0 one
    local -a words=() done_reports=()
    while [ $# != 0 ]; do
        case $1 in
            --seed | --seeds)
                [ $# -ge 2 ] && [[ $2 =~ ^[0-9]{1,9}$ ]] || fail "$1 takes a number"
                [ "$1" = --seed ] && seed=$2 || seeds=$2
                shift
                ;;
            *) words+=("$1") ;;
        esac
        shift
    done
    find_var
    exec 9>"$var/run/flywheel.lock"
    flock -n 9 || fail "another ./dev flywheel is at work"
    forget_environment
    install_for_up
    build "$var/build" "" fcgi-chat fcgi-batch fcgi-simulator page-libs
    reports=$var/flywheel
    mkdir -p "$reports"
    scratch_directory
    trap 'remove_scratch' EXIT
    choose_ports auto
    make_secrets
    make_certificate
    make_cluster
    let_in
    start_postgres 9>&-
    for ((one = seed; one < seed + 10#$seeds; one++)); do
        start_scratch 9>&-
        step flywheel "seed $one; its report will be $reports/seed-$one.json"
        batch_command run simulate-flywheel --url "https://127.0.0.1:$https_port" --ca "$var/tls/ca.pem" --seed "$one" \
            --report "$reports/seed-$one.json" "${words[@]}" || status=$?
        stop_scratch
        [ "$status" -lt 2 ] || break
        done_reports+=("$reports/seed-$one.json")
    done
    [ ${#done_reports[@]} -lt 2 ] || /usr/bin/python3 "$here/t/demo/flywheel_table.py" "${done_reports[@]}" >&2
    trap - ERR
    exit "$status"
}
