# ./dev loop: the learning loop on made-up talk.

# admin METHOD PATH [BODY]: a request as an admin, shown and sent; its answer goes to $answer.
admin() {
    local -a body=()
    say ""
    say "$1 /admin/$2${3:+ $3}"
    [ $# -lt 3 ] || body=(-H 'Content-Type: application/json' -d "$3")
    answer=$(printf 'header = "Authorization: Bearer %s"\n' "$admin_token" | curl -sS -K - --cacert "$var/tls/ca.pem" \
        -X "$1" "${body[@]}" "https://127.0.0.1:$https_port/admin/$2") || fail "the request failed"
}

# field NAME: the first text or number of that name in $answer.
field() {
    /usr/bin/python3 -c '
import json, sys

def find(value, name):
    if isinstance(value, dict):
        if value.get(name) is not None:
            return value[name]
        value = list(value.values())
    for item in value if isinstance(value, list) else []:
        found = find(item, name)
        if found is not None:
            return found

answer = json.loads(sys.argv[1])
if "error" in answer and isinstance(answer["error"], dict) and "status" not in answer:
    sys.exit(answer["error"]["message"])
print(find(answer, sys.argv[2]))' "$answer" "$1" || fail "the answer was: $answer"
}

# Finds what is up, and starts it where it is not, so that a demo is one command.
be_up() {
    if [ ! -e "$here/var/ports" ] || ! is_up; then
        "$here/dev" up || exit
        is_up || fail "uplift is not up" "The logs are in $var/log: ./dev logs"
    fi
}

is_up() {
    need_up
    https_port=$(cat "$var/ports") sim_port=$(($(cat "$var/ports") + 1))
    pg_bin=/usr/lib/postgresql/$(cat "$var/pg/version")/bin
    is_ready || return 1
    forget_environment
}

# The dataset that well-rated answers go to.
positive_dataset() {
    owner_psql -A -t -c "select id from ai_training_datasets where dataset_name = 'User Feedback - Positive Responses'"
}

# refuse_to_spend COMMAND: fails when a chat or a training of this uplift would cost money, saying why.
refuse_to_spend() {
    local others
    use_simulator || fail "the provider is $(provider_name), and made-up chats may cost money there" \
        "With the simulated one: ./dev up --simulator, and this again." "To pay for them: ./dev $1 --spend-money"
    others=$(settings_in "$var/secrets/settings" | grep -E '^UPLIFT_(ROUTING|TRAINER)' | tr '\n' ' ') || true
    [ -z "$others" ] || fail "these settings may lead beyond the simulated provider: $others" \
        "Take them back, as in: ${others%% *}= ./dev up" "To pay for what comes of it: ./dev $1 --spend-money"
    others=$(owner_psql -A -t -c "select name from uplift.providers where base_url <> 'http://127.0.0.1:$sim_port/v1'" | tr '\n' ' ')
    [ -z "$others" ] || fail "the database has other providers, which may cost money: $others" \
        "To pay for what comes of it: ./dev $1 --spend-money"
}

# talk USERS: so many made-up users say something, and what they think of the answers.
talk() {
    say "Made-up users talk to the coaches, and say what they think of it."
    /usr/bin/python3 "$here/t/demo/talk.py" --port "$https_port" --ca "$var/tls/ca.pem" --secret "$var/secrets/jwt" --users "$1" ||
        fail "the talk broke off" "The logs are in $var/log: ./dev logs"
}

# watched NAME: the job whose id $answer has under that name, shown until it has ended well.
watched() {
    local id
    id=$(field "$1") || exit 1
    batch_command watch "$id" || fail "the job did not succeed" "./dev batch job $id tells more."
}

# fine_tune MODEL: a fine-tuned model, put into staging.
fine_tune() {
    local id version
    # With force, because a second run comes before the 30 days are over.
    admin POST finetuning-jobs "{\"dataset_id\":\"$(positive_dataset)\",\"base_model\":\"$1\",\"suffix\":\"demo\",\"force\":true}"
    watched batch_job_id
    id=$(field id) || exit 1
    batch_command finetuning "$id" || fail "could not show the fine-tuning job"
    admin GET 'model-versions?limit=1'
    version=$(field id) || exit 1
    admin POST "model-versions/$version/deploy" '{"environment":"staging"}'
    say ""
    say "$(field model_name) $(field version) serves in staging. To let it answer chats:"
    say "curl --cacert '$var/tls/ca.pem' -H \"Authorization: Bearer \$('$here/dev' token --admin)\" -H 'Content-Type: application/json' https://127.0.0.1:$https_port/admin/model-versions/$version/deploy -d '{\"environment\":\"production\"}'"
}

loop() {
    local admin_token answer spends=false users=150 base_model=sim-1
    while [ $# != 0 ]; do
        case $1 in
            --spend-money) spends=true; users=20; base_model= ;;
            --users) [ $# -ge 2 ] || fail "--users takes a number"; users=$2; shift ;;
            --base-model) [ $# -ge 2 ] || fail "--base-model takes a model"; base_model=$2; shift ;;
            *) fail "loop does not know $1" "./dev help lists what there is." ;;
        esac
        shift
    done
    [[ $users =~ ^[0-9]{1,6}$ ]] || fail "--users takes a number, not \"$users\""
    [[ $base_model =~ ^[A-Za-z0-9._:/-]*$ ]] || fail "--base-model takes a model, not \"$base_model\""
    be_up
    $spends || refuse_to_spend loop
    admin_token=$(token --admin)
    talk "$users"
    admin POST jobs/generate-training-data
    watched job_id
    admin POST jobs/export-dataset '{"dataset":"User Feedback - Positive Responses","format":"openai"}'
    watched job_id
    [ -n "$base_model" ] || { say "Nothing is fine-tuned: that takes --base-model, and money."; return; }
    fine_tune "$base_model"
}
