# ./dev experiment: an experiment on made-up users with a taste, and what came of it.

# What an earlier one still runs changes the same.
stop_earlier_demo() {
    local id
    for id in $(owner_psql -A -t -c "select id from ai_experiments where experiment_name like 'Demo: %' and status in ('running', 'paused')"); do
        admin POST "experiments/$id/stop" '{"reason":"another demo begins"}'
    done
}

experiment() {
    local admin_token answer id spends=false users=240
    while [ $# != 0 ]; do
        case $1 in
            --spend-money) spends=true ;;
            --users) [ $# -ge 2 ] || fail "--users takes a number"; users=$2; shift ;;
            *) fail "experiment does not know $1" "./dev help lists what there is." ;;
        esac
        shift
    done
    [[ $users =~ ^[0-9]{1,6}$ ]] || fail "--users takes a number, not \"$users\""
    be_up
    $spends || refuse_to_spend experiment
    admin_token=$(token --admin)
    stop_earlier_demo
    admin POST experiments "{\"experiment_name\":\"Demo: gentler or harder? $(date -u '+%F %T')\",\"success_metric\":\"thumbs_up_rate\",\"control_variant\":{\"variant_name\":\"as it is (3.0)\",\"severity\":3.0},\"test_variants\":[{\"variant_name\":\"gentler (2.2)\",\"severity\":2.2},{\"variant_name\":\"harder (4.0)\",\"severity\":4.0}],\"guardrails\":[{\"metric\":\"errors\",\"max_worse\":0.5}],\"min_users\":50,\"tuning_users\":500}"
    id=$(field id) || exit 1
    admin POST "experiments/$id/start" '{}'
    [ "$(field status)" = running ] || fail "the experiment could not start"
    say "Made-up users, who mostly like it gentle, talk to the coach and say what they think of it."
    /usr/bin/python3 "$here/t/demo/taste.py" --port "$https_port" --ca "$var/tls/ca.pem" --secret "$var/secrets/jwt" --users "$users" ||
        fail "the talk broke off" "The logs are in $var/log: ./dev logs"
    admin POST jobs/measure-experiments
    watched job_id
    say ""
    batch_command experiments "$id" || fail "could not show the experiment"
    say ""
    say "It is still running. What else there is of it: ./dev batch experiments $id --all"
    say "To stop it, so that others may change severity: ./dev psql -c \"update ai_experiments set status = 'completed' where id = '$id'\""
}
