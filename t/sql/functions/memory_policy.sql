-- What is remembered at all: seen, set and tried by admins.
\ir common.psql
select plan(17);

create function pg_temp.set(p_arguments jsonb) returns jsonb language sql as $$ select uplift_batch.admin_edit_memory_policy(null, p_arguments, 'ann') $$;
create function pg_temp.tried(p_arguments jsonb) returns text language sql as $$
    select coalesce(string_agg(coalesce(f ->> 'kept', f ->> 'left_out'), '; '), '')
    from jsonb_array_elements(uplift_batch.admin_try_memory_policy(null, p_arguments, 'ann') -> 'data') f
$$;

select is(uplift_batch.admin_memory_policy(null, '{}', 'ann'), '{"object": "memory_policy", "credentials": "refuse", "health": "keep", "minors": "mask", "names": "mask",
    "max_per_user": 200, "max_tokens": 300, "passage_tokens": 300}', 'it comes with these');
select is(pg_temp.tried('{"text": "I want to get my diabetes under control. I love hiking."}'), 'I want to get my diabetes under control; I love hiking', 'what would be remembered of a text');
select is(pg_temp.tried('{"text": "I want to get my diabetes under control. I love hiking.", "health": "mask"}'), 'I want to get my [health] under control; I love hiking', 'and by another policy');
select is(pg_temp.tried('{"text": "I want to get my diabetes under control. I love hiking.", "health": "refuse"}'), 'refused; I love hiking', 'or another');
select is(uplift_batch.admin_memory_policy(null, '{}', 'ann') ->> 'health', 'keep', 'which holds only for that');
select is(pg_temp.tried('{"text": "What is the weather?"}'), '', 'what is nothing to remember is not there');
select is((select count(*) from public.ai_episodic_memory m where m.memory_text = 'I love hiking'), 0::bigint, 'and nothing is kept of it');
select is(pg_temp.set('{"health": "refuse", "max_per_user": 50}') - 'object', '{"credentials": "refuse", "health": "refuse", "minors": "mask", "names": "mask",
    "max_per_user": 50, "max_tokens": 300, "passage_tokens": 300}', 'what is named is changed');
select is(uplift.memory_as_kept('I have asthma'), null, 'and holds at once');
select is(pg_temp.refused($$ select pg_temp.set('{"health": "hide"}') $$), 'UP400 invalid_policy health', 'a policy is one of three');
select is(pg_temp.refused($$ select pg_temp.set('{"names": null}') $$), 'UP400 invalid_policy names', 'and not null');
select is(pg_temp.refused($$ select pg_temp.set('{"max_per_user": 0}') $$), 'UP400 invalid_max_per_user max_per_user', 'a limit is a number within limits');
select is(pg_temp.set('{"max_tokens": 50000}') ->> 'max_tokens', '50000', 'what the setting may be, the policy may');
select is(pg_temp.refused($$ select pg_temp.set('{"max_per_user": "50"}') $$), 'UP400 invalid_max_per_user max_per_user', 'and is no text');
select is(pg_temp.refused($$ select pg_temp.set('{"max_tokens": null}') $$), 'UP400 invalid_max_tokens max_tokens', 'and not null either');
select is(pg_temp.refused($$ select pg_temp.set('{"secrets": "keep"}') $$), 'UP400 unknown_argument secrets', 'other settings are not set here');
select is(pg_temp.refused($$ select uplift_batch.admin_try_memory_policy(null, '{}', 'ann') $$), 'UP400 missing_text text', 'there has to be something to try');
select * from finish();
rollback;
