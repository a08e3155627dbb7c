#!/usr/bin/python3
"""Every query behind a chat, its recording, its feedback, the lists and what admins look at goes by an
index, however large the tables, or is a step of bounded size: the plans that auto_explain shows, inside the functions too, on made-up rows.

ROWS answers are made, 200,000 unless the environment says otherwise; ten million is the real trial.
"""

import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
from cluster import Cluster  # noqa: E402
from explain import Explained, nodes, pages_of  # noqa: E402
from tap import done, equal, note, ok  # noqa: E402

ROWS = int(os.environ.get("ROWS", "200000"))
# Tables that grow with use; settings, prices and coaches do not.
LARGE = {"coach_response_feedback", "conversations", "feedback_events", "feedback_said", "users", "user_coach_preferences",
         "user_traits", "ai_episodic_memory", "ai_training_examples", "training_example_sources", "dataset_version_examples",
         "ai_errors"}
# 8 kB pages one call may touch. A row of an index lookup costs about four, whatever the size.
MOST_PAGES = 430
# What admins search through in bounded steps: so many rows at most, and pages.
MOST_ROWS, MOST_PAGES_OF_STEP = 10001, 60000
USER = "md5('user ' || 7)::uuid"

FILL = """
set session_replication_role = replica;
set synchronous_commit = off;
set maintenance_work_mem = '256MB';
set max_parallel_maintenance_workers = 0;
insert into auth.users (id) select md5('user ' || n)::uuid from generate_series(1, {users}) n;
insert into public.user_coach_preferences (user_id) select id from auth.users;
insert into public.user_traits (user_id, trait_key, trait_value) select id, 'diet_type', 'vegan' from auth.users;
insert into public.ai_episodic_memory (user_id, memory_type, memory_text, importance_score)
    select md5('user ' || 1 + n % {users})::uuid, 'goal', 'memory ' || n, n % 10 from generate_series(1, {users} * 5) n;
-- Five answers a conversation, ten conversations a user.
insert into uplift.conversations (id, user_id, coach_id, title)
    select md5('conversation ' || n)::uuid, md5('user ' || 1 + n / 10)::uuid, 'coach_decibel_avatar', 'Title ' || n
    from generate_series(0, {answers} / 5 - 1) n;
drop index public.coach_response_feedback_conversation_id_created_at_idx, public.coach_response_feedback_user_id_created_at_idx;
insert into public.coach_response_feedback (id, user_id, coach_id, user_message, ai_response, system_prompt, severity, mode,
        conversation_id, created_at, outcome, helpful)
    select encode(set_bit(set_bit(overlay(uuid_send(md5('answer ' || n)::uuid)
                placing substring(int8send(1700000000000 + n) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid,
        md5('user ' || 1 + n / 50)::uuid, 'coach_decibel_avatar', 'Question ' || n, 'Answer ' || n || repeat(' and so on', 10),
        'You are Decibel.', 3.0, 'default', md5('conversation ' || n / 5)::uuid,
        timestamptz '2025-01-01' + n * interval '1 second', 'complete', case when n % 10 = 0 then n % 20 = 0 end
    from generate_series(0, {answers} - 1) n;
create index coach_response_feedback_conversation_id_created_at_idx on public.coach_response_feedback (conversation_id, created_at);
create index coach_response_feedback_user_id_created_at_idx on public.coach_response_feedback (user_id, created_at);
insert into uplift.feedback_events (answer_id, user_id, changes)
    select id, user_id, '{{"helpful": true}}' from public.coach_response_feedback where helpful is not null;
insert into uplift.feedback_said (answer_id, user_id, field, said_at)
    select id, user_id, 'helpful', created_at from public.coach_response_feedback where helpful is not null;
insert into public.brand_assets (asset_name, asset_type, alt_text, usage_notes)
    select 'coach_decibel_avatar', 'coach', 'Decibel', 'Loud.'
    where not exists (select from public.brand_assets where asset_name = 'coach_decibel_avatar');
-- An example for every second answer, in two sets, one of which is frozen; and one failure again and again.
insert into public.ai_training_datasets (id, dataset_name) values (md5('large')::uuid, 'large'), (md5('other')::uuid, 'other');
insert into public.ai_training_examples (id, dataset_id, messages, quality_score, is_validated, source_id, split, tokens, tags, review, created_at)
    select md5('example ' || n)::uuid, md5(case when n % 4 = 0 then 'other' else 'large' end)::uuid,
        jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'Question ' || n), jsonb_build_object('role', 'assistant', 'content', 'Answer')),
        7 + n % 4, true, a.id, 'train', 20, array['model:m' || n % 3], case when n % 10000 = 1 then 'rejected' end, now()
    from (select id, row_number() over () as n from public.coach_response_feedback limit {answers} / 2) a;
insert into uplift.training_example_sources (example_id, position, answer_id, user_id)
    select id, 1, source_id, md5('user 1')::uuid from public.ai_training_examples;
insert into public.ai_errors (user_id, error_type, provider, fingerprint, created_at)
    select md5('user ' || 1 + n % {users})::uuid, 'status_503', 'p', case when n % 2 = 0 then 'f' else 'f' || n % 100 end, timestamptz '2026-01-01' + n * interval '1 second'
    from generate_series(1, {answers}) n;
reset session_replication_role;
select uplift.recount_dataset(id) from public.ai_training_datasets;
select uplift.freeze_dataset(md5('large')::uuid, 0, 'test');
"""

# What is asked on behalf of a user, with {answer}, {new} and {conversation} filled in.
CALLS = {
    "a chat goes on":
        "select * from uplift.prepare_chat({user}, 'chat', null, null, null, {conversation}, null, 'And then?', 4000)",
    "a chat begins":
        "select * from uplift.prepare_chat({user}, 'chat', null, null, null, uplift.uuid_v7(), null, 'Hello', 4000)",
    "an answer is given anew":
        "select * from uplift.prepare_chat({user}, 'chat', null, null, null, {conversation}, {answer}, null, 4000)",
    "a chat in OpenAI's form":
        "select * from uplift.prepare_chat({user}, 'completions', 'coach_decibel_avatar', 3.0, 'default', null, null, 'Hi', 4000)",
    "a group of answers is recorded":
        "select * from uplift_chat.record_answers((select json_agg(json_build_object('id', uplift.uuid_v7(), 'user_id', {user}, "
        "'user_message', 'q', 'ai_response', 'a', 'coach_id', 'coach_decibel_avatar', 'severity', 3.0, 'mode', 'default', "
        "'conversation_id', {conversation}, 'outcome', 'complete', 'model_used', 'gpt-4.1-mini', 'prompt_tokens', 10, "
        "'completion_tokens', 5, 'created_at', now())) from generate_series(1, 5)))",
    "an answer gets a thumb":
        "select * from uplift_chat.take_feedback({user}, {answer}, '{{\"helpful\": true}}', true, now(), null, '192.0.2.1', null)",
    "a thumb comes before its answer":
        "select * from uplift_chat.give_feedback({user}, uplift.uuid_v7(), '{{\"helpful\": true}}', true)",
    "feedback is read": "select * from uplift_chat.get_feedback({user}, {answer}, true)",
    "conversations are listed": "select uplift_chat.list_conversations({user}, 20, null)",
    "what an answer was given to is read": "select uplift_chat.question_of({user}, {answer}, null)",
    "a conversation is read": "select uplift_chat.get_conversation({user}, {conversation})",
    "answers are read as supabase-js does":
        "select * from uplift_chat.rest_select_feedback({user}, '{{\"limit\": 20, \"order\": [{{\"column\": \"created_at\", \"desc\": true}}]}}')",
    "an answer is read as supabase-js does":
        "select * from uplift_chat.rest_select_feedback({user}, jsonb_build_object('one', true, 'where', jsonb_build_array("
        "jsonb_build_object('column', 'id', 'op', 'eq', 'value', {answer}))))",
    "a conversation is read and counted as supabase-js does":
        "select * from uplift_chat.rest_select_feedback({user}, jsonb_build_object('count', 'exact', 'limit', 2, 'where', jsonb_build_array("
        "jsonb_build_object('column', 'conversation_id', 'op', 'eq', 'value', {conversation}))))",
    "an answer is changed as supabase-js does":
        "select * from uplift_chat.rest_update_feedback({user}, {answer}::text, '{{}}', '{{\"helpful\": false}}', true, now(), null, '192.0.2.1', null)",
    "answers are changed as supabase-js does":
        "select * from uplift_chat.rest_update_feedback({user}, null, jsonb_build_object('where', jsonb_build_array(jsonb_build_object("
        "'column', 'conversation_id', 'op', 'eq', 'value', {conversation}))), '{{\"helpful\": false}}', false, now(), uplift.uuid_v7(), '192.0.2.1', null)",
    "a conversation is deleted": "select uplift_chat.delete_conversation({user}, {conversation})",
    "memories are extracted": "select public.extract_user_memories({user}, {conversation})",
    "memories are read": "select public.get_user_memory_context({user})",
    "a prompt is built": "select public.build_coach_system_prompt({user})",
    "preferences are changed": "select uplift_chat.put_preferences({user}, '{{\"severity\": 4.0}}')",
    "preferences are read": "select uplift_chat.get_preferences({user})",
}
LIST = "select uplift_batch.admin_list_examples(md5('large')::uuid, '{{%s}}', 'admin')"
# What admins ask.
ADMIN = {
    "examples are listed": LIST % "",
    "an answer's examples are found": "select uplift_batch.admin_list_examples(md5('large')::uuid, jsonb_build_object('answer_id', {answer}), 'admin')",
    "rejected examples are found": LIST % '"review": "rejected"',
    "a dataset is looked at": "select uplift_batch.admin_get_dataset(md5('large')::uuid, '{{}}', 'admin')",
    "an export begins": "select * from uplift_batch.export_head(md5('large')::uuid, 'openai', 'train', 8)",
    "an export of a version begins":
        "select * from uplift_batch.export_head((select id from uplift.dataset_versions), 'openai', 'train', 8)",
    "use is counted of an hour": "select uplift.count_hour(date_trunc('hour', now()), '-infinity', true)",
    "use is counted of a day": "select uplift.count_day(current_date, '-infinity')",
    "use is asked about": "select uplift_batch.admin_stats(null, '{{}}', 'admin')",
    "a page of an export": "select * from uplift_batch.export_page(md5('large')::uuid, null, 'openai', 'train', 8, null, 2000)",
}
STEPS = {
    "a failure's occurrences go on": "select uplift_batch.admin_get_error('f', jsonb_build_object('limit', 5, 'after', {error}), 'admin')",
    "examples with a tag that none has": LIST % '"tag": "none"',
    "examples of a quality that none has": LIST % '"max_quality": 1',
    "examples with words that none has": LIST % '"search": "nowhere"',
    "examples of a split that none is in": LIST % '"split": "test"',
    "a failure of many": "select uplift_batch.admin_get_error('f', '{{}}', 'admin')",
}
# The same by row level security, as the user.
AS_USER = {
    "a user's token changes a thumb": "update public.coach_response_feedback set helpful = false where id = {answer}",
    "a user's token reads answers":
        "select id, user_message, ai_response, helpful from public.coach_response_feedback order by created_at desc limit 20",
    "a user's token reads a conversation":
        "select * from public.conversations where id = {conversation} order by created_at, message_type desc",
}


def check(name, plans, most_removed=1000, most_pages=MOST_PAGES):
    """No large table is read but by an index, and few pages are touched."""
    bad = []
    for plan in plans:
        for node in nodes(plan["Plan"]):
            if node.get("Relation Name") not in LARGE or node["Node Type"] == "ModifyTable":
                continue
            by_index = node["Node Type"] in ("Index Scan", "Index Only Scan") and "Index Cond" in node
            in_order = node["Node Type"] == "Index Scan" and node.get("Actual Rows", 0) <= 100
            by_bitmap = node["Node Type"] == "Bitmap Heap Scan"
            removed = node.get("Rows Removed by Filter", 0)
            never = node.get("Actual Loops", 1) == 0
            if not (never or by_index or by_bitmap or in_order) or removed > most_removed or node.get("Actual Rows", 0) > MOST_ROWS:
                bad.append("%s on %s, %s rows removed, in: %s" % (
                    node["Node Type"], node["Relation Name"], removed, " ".join(plan["Query Text"].split())[:300]))
    pages = pages_of(plans)
    ok(plans and not bad, "%s: by index only" % name, "\n".join(bad) or "no plan was seen")
    ok(pages <= most_pages, "%s: %d pages" % (name, pages), "more than %d" % most_pages)


def main():
    cluster = Cluster(settings={"shared_buffers": "256MB", "max_wal_size": "8GB", "wal_level": "minimal", "max_wal_senders": "0",
                                "autovacuum": "off"})
    cluster.start()
    cluster.createdb("plans")
    result = cluster.psql("plans", file=ROOT + "/sql/install.sql")
    equal((result.returncode, result.stderr), (0, ""), "installs")
    started = time.monotonic()
    result = cluster.psql("plans", sql=FILL.format(answers=ROWS, users=ROWS // 50 + 1))
    equal((result.returncode, result.stderr), (0, ""), "%d answers are made" % ROWS)
    result = cluster.psql("plans", sql="vacuum analyze")
    equal(result.stderr, "", "and counted")
    note("%d answers made in %.0f s" % (ROWS, time.monotonic() - started))

    explained = Explained(cluster, "plans")
    note("%s in all" % explained.value("select pg_size_pretty(pg_database_size(current_database()))"))
    user = explained.value("select quote_literal(%s) || '::uuid'" % USER)
    conversation = explained.value("select quote_literal(id) || '::uuid' from uplift.conversations where user_id = %s limit 1" % user)
    answer = explained.value("select quote_literal(id) || '::uuid' from coach_response_feedback where conversation_id = %s "
                             "order by created_at desc limit 1" % conversation)
    error = explained.value("select quote_literal(id) || '::uuid' from ai_errors where fingerprint = 'f' limit 1")
    names = {"user": user, "conversation": conversation, "answer": answer, "error": error}
    explained.begin()
    for name, call in CALLS.items():
        check(name, explained.plans(call.format(**names)))
    # Hours that are over count as counted from now on.
    explained.cursor.execute("insert into uplift.usage_state (began_at, rolled_until) values ('-infinity', date_trunc('hour', now()))")
    for name, call in ADMIN.items():
        check(name, explained.plans(call.format(**names)), most_pages=3 * MOST_PAGES)
    for name, call in STEPS.items():
        check(name, explained.plans(call.format(**names)), MOST_ROWS, MOST_PAGES_OF_STEP)
    for name, call in AS_USER.items():
        check(name, explained.plans(call.format(**names), user))
    done()


main()
