#!/usr/bin/python3
"""What a chat costs does not grow with the tables, also in a session that planned it while they were small.

Postgres plans a function's queries once in a session. A table of a few rows is cheaper to read whole, and such a plan
stays when it has grown, until somebody analyzes it. So what runs for each chat takes indexes always, whatever the
statistics say.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from build import TOP  # noqa: E402
from cluster import Cluster  # noqa: E402
from explain import Explained, nodes  # noqa: E402
from tap import done, equal, ok  # noqa: E402

# Those that grow with use; of the settings there is a handful.
GROW = {"coach_response_feedback", "conversations", "feedback_events", "feedback_said", "users", "user_coach_preferences", "user_traits",
        "ai_episodic_memory", "memory_words", "passages", "passage_words", "rate_buckets", "ai_response_cache", "api_keys"}
USER = "'00000000-0000-4000-8000-000000000001'::uuid"
ANSWER = "'10000000-0000-7000-8000-000000000001'::uuid"
CONVERSATION = "'20000000-0000-4000-8000-000000000001'::uuid"
RECORD = """select * from uplift_chat.record_answers(json_build_array(json_build_object('id', %s, 'user_id', {user}, 'user_message', 'q',
    'ai_response', 'a', 'conversation_id', {conversation}, 'outcome', 'complete', 'model_used', 'gpt-4.1-mini', 'cache_key', 'k',
    'cache_ttl_s', 60, 'created_at', now())))"""
CALLS = {
    "chats are prepared": """select * from uplift_chat.prepare_chats(array[{user}, {user}], '{{chat,chat}}', '{{null,null}}', '{{null,null}}',
        '{{null,null}}', array[{conversation}, {conversation}], array[null, {answer}], '{{And then?,null}}', '{{4000,4000}}',
        array['{{"address": "192.0.2.1", "cache": {{"mode": "on", "max_age_s": 60}}}}', '{{"address": "192.0.2.1"}}']::jsonb[])""",
    "what an answer was given to is read": "select uplift_chat.question_of({user}, {answer}, {conversation})",
    "an answer is recorded": RECORD % "uplift.uuid_v7()",
    "an answer gets a thumb": "select * from uplift_chat.take_feedback({user}, {answer}, '{{\"helpful\": true}}', true, now(), null, '192.0.2.1', null)",
    "feedback is read": "select * from uplift_chat.get_feedback({user}, {answer}, true)",
    "a conversation is read": "select uplift_chat.get_conversation({user}, {conversation})",
    "an answer is changed as supabase-js does":
        "select * from uplift_chat.rest_update_feedback({user}, {answer}::text, '{{}}', '{{\"helpful\": false}}', true, now(), null, '192.0.2.1', null)",
    "a turn is made ready to be found": "select uplift_chat.index_answers(array[{answer}])",
    "memories and passages are found": """select p.* from uplift_chat.index_answers(array[{answer}]) i, uplift_chat.prepare_chats(array[{user}],
        '{{chat}}', '{{null}}', '{{null}}', '{{null}}', '{{null}}', '{{null}}', '{{And my knee?}}', '{{4000}}',
        array['{{"search": {{"words": ["q", "run", "knee"]}}}}']::jsonb[]) p""",
    "an answer's context is read": "select uplift_chat.get_answer_context({user}, {answer})",
    "memories are read as supabase-js does": "select * from uplift_chat.rest_memories({user}, 'GET', '{{}}', null)",
    "a prediction is recorded": """select uplift_chat.add_prediction({user},
        '{{"prediction_type": "meal_plan", "model_name": "m", "model_version": "1", "confidence_score": 0.5}}')""",
    "predictions are listed": "select uplift_chat.list_predictions({user}, 50, null, null, null)",
    "preferences are changed": "select uplift_chat.put_preferences({user}, '{{\"severity\": 4.0}}')",
    "an API key is looked for": "select * from uplift.find_api_key(repeat('0', 64))",
}
LOOKED_IN = {"memories and passages are found": ("memory_words", "passage_words", "ai_context_cache")}


def filled(text):
    return text.format(user=USER, answer=ANSWER, conversation=CONVERSATION)


def main():
    cluster = Cluster()
    cluster.start()
    try:
        cluster.createdb("small")
        for path in ("/sql/install.sql", "/sql/demo.sql"):
            result = cluster.psql("small", file=TOP + path)
            if result.returncode != 0:
                raise SystemExit("Bail out! " + result.stderr)
        explained = Explained(cluster, "small")
        for sql in ("insert into auth.users (id) values (%s) on conflict do nothing" % USER, filled(RECORD % ANSWER),
                    "insert into public.ai_episodic_memory (user_id, memory_type, memory_text) values (%s, 'goal', 'I want to run')" % USER, "analyze"):
            explained.cursor.execute(sql)
        explained.begin()
        for name, call in CALLS.items():
            plans = explained.plans(filled(call))
            read = [node for plan in plans for node in nodes(plan["Plan"]) if "Relation Name" in node]
            whole = sorted({node["Relation Name"] for node in read if node["Node Type"] == "Seq Scan"} & GROW)
            ok(len(plans) > 1, name, "no plan was told")
            for table in LOOKED_IN.get(name, ()):
                ok(any(node["Relation Name"] == table for node in read), "%s: in %s" % (name, table))
            equal(whole, [], "%s: no table that grows is read whole" % name)
    finally:
        cluster.remove()
    done()


main()
