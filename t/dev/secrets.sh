# Secrets, tokens signed with them, and a TLS certificate.

# secret NAME COMMAND...: keeps what the command prints, the first time.
secret() {
    local file=$var/secrets/$1
    shift
    [ ! -s "$file" ] || return 0
    (umask 077 && "$@" >"$file.part") && mv "$file.part" "$file"
}

# sign CLAIMS: a JWT with these claims, JSON; the secret goes by a file, because all see arguments.
sign() {
    /usr/bin/python3 "$here/t/lib/tokens.py" "$var/secrets/jwt" "$1"
}

# user_token USER SECONDS is_admin is_anonymous: with the claims of Supabase's Auth.
user_token() {
    local now providers='"provider":"email","providers":["email"]' email
    now=$(date +%s)
    email=demo-${1%%-*}@example.com
    if $4; then
        providers='' email=
    fi
    ! $3 || providers=${providers:+$providers,}'"role":"admin"'
    sign "{\"iss\":\"uplift-dev\",\"sub\":\"$1\",\"aud\":\"authenticated\",\"exp\":$((now + $2)),\"iat\":$now,\
\"email\":\"$email\",\"phone\":\"\",\"app_metadata\":{$providers},\"user_metadata\":{},\
\"role\":\"authenticated\",\"aal\":\"aal1\",\"amr\":[{\"method\":\"password\",\"timestamp\":$now}],\
\"session_id\":\"$(cat /proc/sys/kernel/random/uuid)\",\"is_anonymous\":$4}"
}

make_secrets() {
    local now
    now=$(date +%s)
    secret jwt openssl rand -hex 32
    secret id_key openssl rand -hex 32
    secret db_password openssl rand -hex 24
    secret batch_password openssl rand -hex 24
    secret search_password openssl rand -hex 24
    secret anon_key sign "{\"iss\":\"uplift-dev\",\"role\":\"anon\",\"iat\":$now,\"exp\":$((now + 315360000))}"
    printf 'host=%s dbname=uplift user=uplift_app password=%s\n' "$var/pg/sock" \
        "$(cat "$var/secrets/db_password")" | (umask 077 && cat >"$var/secrets/database_url")
    printf 'host=%s dbname=uplift user=uplift_search password=%s\n' "$var/pg/sock" \
        "$(cat "$var/secrets/search_password")" | (umask 077 && cat >"$var/secrets/search_database_url")
    printf 'host=%s dbname=uplift user=uplift_batch password=%s\n' "$var/pg/sock" \
        "$(cat "$var/secrets/batch_password")" | (umask 077 && cat >"$var/secrets/batch_database_url")
}

# A CA of our own, for browsers and SDKs to be told of, and a certificate of it for this host.
make_certificate() {
    local dir=$var/tls log=$var/log/tls.log
    if [ -s "$dir/cert.pem" ] && openssl x509 -in "$dir/cert.pem" -noout -checkend 604800 >/dev/null; then
        return
    fi
    step tls "$dir/ca.pem is the CA to trust"
    (
        set -e
        cd "$dir"
        umask 077
        if [ ! -s ca.pem ] || ! openssl x509 -in ca.pem -noout -checkend 34560000 >/dev/null; then
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 3650 \
                -subj "/CN=uplift development CA" -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
                -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout ca.key -out ca.pem
        fi
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" \
            -keyout key.part -out cert.csr
        printf '%s\n' "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1" "basicConstraints=critical,CA:FALSE" \
            "keyUsage=critical,digitalSignature" "extendedKeyUsage=serverAuth" >cert.ext
        # Browsers refuse certificates that live longer than 398 days.
        openssl x509 -req -in cert.csr -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days 397 \
            -extfile cert.ext -out cert.part
        mv key.part key.pem
        mv cert.part cert.pem
        rm -f cert.csr cert.ext
        chmod 644 ca.pem cert.pem
    ) </dev/null >"$log" 2>&1 && return
    last_lines "$log"
    fail "could not make the TLS certificate" "The whole output is in $log."
}

