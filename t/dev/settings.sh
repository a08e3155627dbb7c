# What uplift is told: its ports, its provider, the settings that are kept from one up to the next, and the
# configuration files that are made of them.
#
# var/provider says who chose the provider and which: simulator, openai or server; it is not there while nobody
# has. var/secrets/settings has a file for each setting that the environment of an up gave, with its value: keys
# may be among them, so nobody else may read it.

# --- ports ---

port_is_taken() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Sets https_port and sim_port: as asked, as the last time, or the usual ones.
choose_ports() {
    local asked=$1 was='' port
    [ ! -s "$var/ports" ] || was=$(cat "$var/ports")
    case $asked in
        auto)
            # Below those that the kernel gives to connections: it could take one meanwhile.
            for ((asked = 10000 + RANDOM % 20000; ; asked += 2)); do
                port_is_taken "$asked" || port_is_taken $((asked + 1)) || break
            done
            ;;
        '')
            asked=${was:-8443}
            ;;
        *[!0-9]* | ??????*)
            fail "--port takes a number, or auto, not \"$asked\""
            ;;
    esac
    asked=$((10#$asked))
    if [ "$asked" -lt 1 ] || [ "$asked" -gt 65534 ]; then
        fail "--port takes a number from 1 to 65534"
    fi
    $as_root || [ "$asked" -ge 1024 ] || fail "only root may listen on port $asked" "Choose one from 1024 up."
    https_port=$asked sim_port=$((asked + 1))
    for port in $https_port $sim_port; do
        # Our own nginx may hold it.
        if running nginx && { [ "$port" = "$was" ] || [ "$port" = $((was + 1)) ]; }; then
            continue
        fi
        ! port_is_taken "$port" || fail "port $port is in use by another program" "Try: ./dev up --port auto"
    done
}

# --- kept settings ---

# What names the provider, is only of use with it, or tells where models are trained: forgotten with it.
provider_settings="OPENAI_API_KEY UPLIFT_UPSTREAM_URL UPLIFT_MODEL UPLIFT_MODELS UPLIFT_ROUTING
    UPLIFT_PROVIDER_KEYS UPLIFT_TRAINER UPLIFT_TRAINER_URL UPLIFT_TRAINER_API_KEY UPLIFT_TRAINER_KEY_HEADER UPLIFT_TRAINER_COMMAND"

# Prints the names of the settings that the environment has, empty ones too; UPLIFT_BUILD is for tests.
given_settings() {
    compgen -e | grep -E '^(UPLIFT_[A-Z0-9_]+|OPENAI_API_KEY(_FILE)?)$' | grep -vx 'UPLIFT_BUILD' || true
}

# Prints the names of the settings in a directory of them.
settings_in() {
    [ ! -d "$1" ] || (cd "$1" && compgen -G '*') || true
}

# keep_setting DIR NAME VALUE: an empty value forgets it. NAME and NAME_FILE are one setting.
keep_setting() {
    local value=$3
    rm -f "$1/${2%_FILE}" "$1/${2%_FILE}_FILE"
    [ -n "$value" ] || return 0
    # Paths are those of who said up.
    case $2 in
        *_FILE) [[ $value == /* ]] || value=$PWD/$value ;;
    esac
    printf '%s\n' "$value" >"$1/$2"
}

# kept NAME [DIR]: the value of a kept setting, or that of the file it names, or nothing.
kept() {
    local dir=${2:-$var/secrets/settings}
    if [ -f "$dir/$1" ]; then
        cat "$dir/$1"
    elif [ -f "$dir/$1_FILE" ]; then
        cat "$(cat "$dir/$1_FILE")" 2>/dev/null || true
    fi
}

forget_provider() {
    local name
    for name in $provider_settings; do
        rm -f "$1/$name" "$1/${name}_FILE"
    done
}

provider_kind() {
    cat "$var/provider" 2>/dev/null || true
}

use_simulator() {
    case $(provider_kind) in
        openai | server) return 1 ;;
    esac
}

# What is said of the provider.
provider_name() {
    case $(provider_kind) in
        openai) echo OpenAI ;;
        server) kept UPLIFT_UPSTREAM_URL ;;
        *) echo simulated ;;
    esac
}

# Sets provider to what this up is to use. asked is simulator, openai or nothing. A setting of ours is meant
# whenever it is there; a key may lie in the environment for other programs, so it counts only while nobody has
# chosen, or when it is asked for.
choose_provider() {
    local asked=$1 key=${OPENAI_API_KEY:-}${OPENAI_API_KEY_FILE:-} url=${UPLIFT_UPSTREAM_URL:-}${UPLIFT_UPSTREAM_URL_FILE:-}
    provider=$(provider_kind)
    [ -z "$asked" ] || [ -z "$url" ] || fail "--$asked and UPLIFT_UPSTREAM_URL contradict each other"
    if [ "$asked" = openai ] && [ -z "$key" ] && [ "$provider" != openai ]; then
        fail "--openai needs a key in OPENAI_API_KEY, or its file in OPENAI_API_KEY_FILE"
    fi
    if [ -n "$asked" ]; then
        provider=$asked
    elif [ -n "$url" ]; then
        provider=server
    elif [ -z "$provider" ] && [ -n "$key" ]; then
        provider=openai
    elif [ "$provider" != openai ] && [ -n "$key" ]; then
        step note "OPENAI_API_KEY is left alone: the provider stays $(provider_name); ./dev up --openai changes that"
    fi
}

# Whether the provider is to be another one than until now: its key and models are nothing for that.
changes_provider() {
    local url=${UPLIFT_UPSTREAM_URL:-}${UPLIFT_UPSTREAM_URL_FILE:-} was
    was=$(cat "$var/secrets/settings/UPLIFT_UPSTREAM_URL" "$var/secrets/settings/UPLIFT_UPSTREAM_URL_FILE" 2>/dev/null) || true
    [ "$provider" != "$(provider_kind)" ] || { [ -n "$url" ] && [ "$url" != "$was" ]; }
}

# Whether the key in the environment is for the provider of this up: OpenAI, or the server it came with.
takes_key() {
    [ "$provider" = openai ] || { [ "$provider" = server ] && [ -n "${UPLIFT_UPSTREAM_URL:-}${UPLIFT_UPSTREAM_URL_FILE:-}" ]; }
}

# Makes var/secrets/settings.new of the kept settings and the environment, which has none of them afterwards: what
# is started later must know of them by its configuration alone.
stage_settings() {
    local name dir=$var/secrets/settings.new
    rm -rf "$dir"
    (
        umask 077
        mkdir -p "$var/secrets/settings" "$dir"
        cp -R "$var/secrets/settings/." "$dir"
        ! changes_provider || forget_provider "$dir"
        for name in $(given_settings); do
            [[ $name != OPENAI_API_KEY* ]] || takes_key || continue
            keep_setting "$dir" "$name" "${!name}"
        done
    )
    forget_environment
}

# What ./dev starts must take neither another project's settings for its own, nor ours from anywhere but var.
forget_environment() {
    local name
    for name in $(given_settings) DATABASE_URL DATABASE_URL_FILE UPLIFT_BUILD; do
        unset "$name"
    done
}

# Whether the programs are content with the staged settings. They get them from the environment, so that what is
# wrong is named as whoever gave it knows it.
check_settings() {
    local dir=$var/secrets/settings.new name complaints
    local -a program environment=()
    for name in $(settings_in "$dir"); do
        [ "$name" = UPLIFT_SIM_PACE_MS ] || environment+=("$name=$(cat "$dir/$name")")
    done
    own_settings "$dir" >"$var/uplift.conf.new"
    for name in chat batch; do
        program_of "$name" "$var/uplift.conf.new"
        # Not by env, because all see arguments.
        complaints=$(export "${environment[@]}" >/dev/null && "${program[@]}" --check 2>&1 >/dev/null) && continue
        rm -rf "$dir" "$var/uplift.conf.new"
        fail "the configuration is wrong:" "$complaints" \
            "It comes from the environment, of this up or of an earlier one. An empty value takes a setting back: UPLIFT_MODEL= ./dev up"
    done
    rm -f "$var/uplift.conf.new"
}

# Puts the staged settings in force.
commit_settings() {
    rm -rf "$var/secrets/settings"
    mv "$var/secrets/settings.new" "$var/secrets/settings"
    if [ -n "$provider" ]; then
        echo "$provider" >"$var/provider"
    fi
}

# --- configuration files ---

# own_settings DIR: the lines of uplift.conf that are ours, but for those that the directory has otherwise.
own_settings() {
    local line name
    {
        echo "DATABASE_URL_FILE=$var/secrets/database_url"
        echo "UPLIFT_LISTEN=unix:$var/run/chat.sock"
        echo "UPLIFT_SPOOL_DIR=$var/spool"
        echo "UPLIFT_SEARCH_DATABASE_URL_FILE=$var/secrets/search_database_url"
        echo "UPLIFT_SEARCH_DIR=$var/search"
        echo "UPLIFT_BATCH_DATABASE_URL_FILE=$var/secrets/batch_database_url"
        echo "UPLIFT_BATCH_LISTEN=unix:$var/run/batch.sock"
        echo "UPLIFT_BATCH_DIR=$var/batch"
        echo "UPLIFT_EXPORT_DIR=$var/exports"
        echo "UPLIFT_PHOTO_DIR=$var/photos"
        echo "UPLIFT_JWT_SECRET_FILE=$var/secrets/jwt"
        echo "UPLIFT_JWT_ISSUER=uplift-dev"
        echo "UPLIFT_ANON_KEY_FILE=$var/secrets/anon_key"
        echo "UPLIFT_ID_KEY_FILE=$var/secrets/id_key"
        # Whose pages may call the API: everybody's, unless it was said otherwise.
        echo "UPLIFT_CORS_ORIGINS=*"
        ! $as_root || echo "UPLIFT_RUN_AS=www-data"
        case $provider in
            openai | server) ;;
            *)
                echo "UPLIFT_UPSTREAM_URL=http://127.0.0.1:$sim_port/v1"
                echo "UPLIFT_MODEL=sim-1"
                echo "UPLIFT_MODELS=sim-1-mini"
                echo "UPLIFT_TRAINER_URL=http://127.0.0.1:$sim_port/v1"
                echo "UPLIFT_TRAINER_POLL_MS=2s"
                ;;
        esac
    } | while IFS= read -r line; do
        name=${line%%=*}
        name=${name%_FILE}
        [ -e "$1/$name" ] || [ -e "$1/${name}_FILE" ] || echo "$line"
    done
}

# uplift.conf of the settings that are in force.
configure_programs() {
    local dir=$var/secrets/settings name
    {
        echo "# Written by ./dev up."
        own_settings "$dir"
        for name in $(settings_in "$dir"); do
            case $name in
                UPLIFT_SIM_PACE_MS) ;; # the simulator's
                *_FILE) echo "$name=$(cat "$dir/$name")" ;;
                *) echo "${name}_FILE=$dir/$name" ;;
            esac
        done
    } >"$var/uplift.conf"
}

configure_nginx() {
    local user='' cors config
    ! $as_root || user="user www-data;"
    # The page and its libraries in one place, which nginx may read wherever the checkout lies.
    rm -rf "$var/www/html"
    cp -R "$here/nginx/html" "$var/www/html"
    rm -rf "$var/www/html/lib/vendor"
    cp -R "$var/build/nginx/html/lib/vendor" "$var/www/html/lib/vendor"
    cors=$(kept UPLIFT_CORS_ORIGINS)
    # What the page is told: it is the demo user's, signed in for a month.
    config=$(printf '{"simulated":%s,"apikey":"%s","user":"%s","token":"%s"}' \
        "$(use_simulator && echo true || echo false)" "$(cat "$var/secrets/anon_key")" "$demo_user" \
        "$(user_token "$demo_user" 2592000 false false)")
    sed -e "s|^@USER_LINE@|$user|" -e "s|@RUN@|$var/run|g" -e "s|@LOG@|$var/log|g" \
        -e "s|@HTTPS_PORT@|$https_port|g" -e "s|@SIM_PORT@|$sim_port|g" \
        -e "s|@TLS_CERT@|$var/tls/cert.pem|g" -e "s|@TLS_KEY@|$var/tls/key.pem|g" \
        -e "s|@CHAT_UPSTREAM@|unix:$var/run/chat.sock|g" \
        -e "s|@BATCH_UPSTREAM@|unix:$var/run/batch.sock|g" -e "s|@SIMULATOR_SOCKET@|$var/run/simulator.sock|g" \
        -e "s|@HTML@|$var/www/html|g" -e "s|@CONFIG_JSON@|$config|g" -e "s|@PHOTOS@|$var/photos|g" \
        -e "s|@CORS_ORIGINS@|${cors:-*}|g" -e "s|@NGINX@|$here/nginx|g" \
        "$here/nginx/uplift.conf.in" >"$var/nginx/nginx.conf"
}
