# A Postgres cluster of our own, with the schema in it.

# Runs a command as the user that Postgres runs as: it refuses to be root.
as_postgres() {
    if $as_root; then
        (cd / && runuser -u postgres -- "$@")
    else
        (cd / && "$@")
    fi
}

owner_psql() {
    "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$var/pg/sock" -U uplift_owner -d uplift "$@"
}

super_psql() {
    "$pg_bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$var/pg/sock" -U postgres "$@"
}

make_cluster() {
    local log=$var/log/initdb.log
    # The version is written last: without it the cluster is not whole.
    [ ! -s "$var/pg/version" ] || return 0
    step postgres "making a cluster in $var/pg"
    rm -rf "$var/pg"
    mkdir -p "$var/pg/sock"
    ! $as_root || chown -R postgres:postgres "$var/pg"
    if ! as_postgres "$pg_bin/initdb" -D "$var/pg/data" -U postgres -A peer -E UTF8 --locale=C.UTF-8 \
        --no-instructions >"$log" 2>&1; then
        last_lines "$log"
        fail "could not make the Postgres cluster" "The whole output is in $log."
    fi
    as_postgres tee -a "$var/pg/data/postgresql.conf" >/dev/null <<END
listen_addresses = ''
unix_socket_directories = '$var/pg/sock'
max_connections = 200
max_worker_processes = 16
shared_buffers = 256MB
shared_preload_libraries = 'pg_cron'
cron.database_name = 'uplift'
cron.use_background_workers = on
log_line_prefix = '%m [%p] %u@%d '
# The detail of an error holds the row, and so what users wrote.
log_error_verbosity = terse
END
    echo "$pg_version" >"$var/pg/version"
}

postgres_answers() {
    "$pg_bin/pg_isready" -q -h "$var/pg/sock"
}

postgres_runs() {
    as_postgres "$pg_bin/pg_ctl" status -D "$var/pg/data" >/dev/null 2>&1
}

stop_postgres() {
    local log=$var/log/postgres-stop.log
    postgres_runs || return 0
    step stop postgres
    # Unless it went by itself meanwhile.
    as_postgres "$pg_bin/pg_ctl" stop -D "$var/pg/data" -m fast -w -s -t 60 >"$log" 2>&1 && return
    ! postgres_runs && return
    last_lines "$log"
    fail "could not stop Postgres" "Its log is $var/log/postgres.log."
}

# Who may connect: written anew each time, because roles may have come since the cluster was made.
let_in() {
    local user
    as_postgres tee "$var/pg/data/pg_hba.conf" >/dev/null <<END
# The programs have a password; who made the cluster, and root, need none.
local all uplift_app,uplift_batch,uplift_search scram-sha-256
local all all        peer map=dev
END
    for user in root "$(id -un)" postgres; do
        printf 'dev %s postgres\ndev %s uplift_owner\n' "$user" "$user"
    done | sort -u | as_postgres tee "$var/pg/data/pg_ident.conf" >/dev/null
    ! postgres_answers || super_psql -d postgres -c "select pg_reload_conf()" >/dev/null
}

start_postgres() {
    local log=$var/log/postgres.log try
    ! postgres_answers || return 0
    step start postgres
    # It lies with the others, but belongs to its user.
    touch "$log"
    ! $as_root || chown postgres:postgres "$log"
    for try in 1 2 3; do
        postgres_runs || as_postgres "$pg_bin/pg_ctl" start -D "$var/pg/data" -l "$log" -w -s -t 60 \
            </dev/null >/dev/null 2>&1 || true
        # After a crash, what it left behind may take a moment to go.
        ! await $((try * 3)) postgres_answers || return 0
    done
    last_lines "$log"
    fail "could not start Postgres" "Its log is $log."
}

load_schema() {
    local log=$var/log/install-sql.log
    if [ -z "$(super_psql -d postgres -c "select 1 from pg_database where datname = 'uplift'")" ]; then
        step postgres "making database uplift"
        super_psql -d postgres >/dev/null <<'END'
do $$
begin
    if not exists (select from pg_roles where rolname = 'uplift_owner') then
        create role uplift_owner login createrole;
    end if;
end
$$;
create database uplift owner uplift_owner;
END
    fi
    super_psql -d uplift >/dev/null 2>"$log" <<'END' || { last_lines "$log"; fail "could not make pg_cron's extension"; }
set client_min_messages = warning;
create extension if not exists pg_cron;
grant usage on schema cron to uplift_owner;
END
    if ! owner_psql -f "$here/sql/install.sql" -f "$here/sql/demo.sql" >"$log" 2>&1; then
        last_lines "$log" 30
        fail "could not install the schema" "The whole output is in $log; sql/README.md explains conflicts."
    fi
    # The roles are there now, and the right to make more would lead far on Postgres 15.
    super_psql -d uplift -c "alter role uplift_owner nocreaterole" >/dev/null
    # By standard input, because all see arguments.
    printf "alter role uplift_app password '%s'; alter role uplift_batch password '%s'; alter role uplift_search password '%s';\n" \
        "$(cat "$var/secrets/db_password")" "$(cat "$var/secrets/batch_password")" "$(cat "$var/secrets/search_password")" | super_psql -d uplift
}

