#!/usr/bin/python3
"""sql/install.sql over the tables of Supabase deployments, by an owner who is not a superuser."""

import os
import sys

import psycopg2
import psycopg2.extras

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
from cluster import Cluster  # noqa: E402
from tap import done, equal, ok  # noqa: E402

INSTALL = ROOT + "/sql/install.sql"
FIXTURES = ROOT + "/t/sql/fixtures/"
ANN = "00000000-0000-4000-8000-00000000000a"
BOB = "00000000-0000-4000-8000-00000000000b"
FIRST = "10000000-0000-4000-8000-000000000001"
SECOND = "10000000-0000-4000-8000-000000000002"
RUN_5_KM = "40000000-0000-4000-8000-000000000001"
SLEEP = "40000000-0000-4000-8000-000000000002"
psycopg2.extras.register_default_jsonb(globally=True)


class Database:
    def __init__(self, cluster, name, user):
        self.connection = psycopg2.connect(cluster.conninfo(name, user))
        self.connection.autocommit = True

    def rows(self, sql, *arguments):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, arguments or None)
            return cursor.fetchall() if cursor.description else cursor.rowcount

    def value(self, sql, *arguments):
        return self.rows(sql, *arguments)[0][0]

    def error(self, sql, *arguments):
        try:
            self.rows(sql, *arguments)
        except psycopg2.Error as error:
            return error.pgcode
        return None

    def tables(self):
        return [t for t, in self.rows("select tablename from pg_tables where schemaname = 'public' order by 1")]

    def columns(self, table):
        return [c for c, in self.rows("select attname from pg_attribute where attrelid = %s::regclass "
                                      "and attnum > 0 and not attisdropped order by attnum", table)]

    def contents(self, columns):
        """Every row of every table as JSON, with the columns given only."""
        return {table: self.rows("select (select jsonb_object_agg(k, v) from jsonb_each(to_jsonb(t)) e(k, v) "
                                 "where k = any(%%s)) from %s t order by id" % table, names)
                for table, names in columns.items()}


def test_rows_kept(db, before, columns):
    after = db.contents(columns)
    # The one value that means the same on another scale.
    for (row,) in before["ai_episodic_memory"] + after["ai_episodic_memory"]:
        row["importance_score"] = None
    for table in sorted(columns):
        equal(after[table], before[table], "every row and column of %s is as it was" % table)
    for table, names in columns.items():
        ok(set(names) <= set(db.columns(table)), "%s has lost no column" % table)


def test_answers(db):
    equal(db.rows("select mode, feedback_text from coach_response_feedback order by created_at"),
          [("default", "good"), ("roast", None), ("default", "meh")], "mode and feedback_text have the old columns' values")
    equal(db.value("select updated_at = created_at from coach_response_feedback where id = %s", FIRST), True,
          "taking them over fired no trigger of the deployment")
    db.rows("update coach_response_feedback set feedback_text = 'better' where id = %s", FIRST)
    equal(db.value("select user_comment from coach_response_feedback where id = %s", FIRST), "better",
          "user_comment follows feedback_text")
    db.rows("update coach_response_feedback set user_comment = 'worse' where id = %s", FIRST)
    equal(db.value("select feedback_text from coach_response_feedback where id = %s", FIRST), "worse",
          "feedback_text follows user_comment")
    db.rows("update coach_response_feedback set feedback_text = null where id = %s", FIRST)
    equal(db.value("select user_comment from coach_response_feedback where id = %s", FIRST), None,
          "taken back under one name is taken back under the other")
    db.rows("create function undo() returns trigger language plpgsql as "
            "$$ begin new.feedback_text := old.feedback_text; return new; end $$")
    db.rows("create trigger undo before update on coach_response_feedback for each row execute function undo()")
    db.rows("update coach_response_feedback set user_comment = 'late' where id = %s", FIRST)
    equal(db.rows("select feedback_text, user_comment from coach_response_feedback where id = %s", FIRST), [(None, None)],
          "a trigger that undoes a change under one name undoes it under the other")
    db.rows("drop trigger undo on coach_response_feedback")
    db.rows("drop function undo")
    row = db.rows("insert into coach_response_feedback (user_id, user_message, ai_response, mode, feedback_text) "
                  "values (%s, 'q', 'a', 'roast', %s) returning coach_mode, user_comment", ANN, "x" * 5000)
    equal(row, [("roast", "x" * 5000)],
          "a row under the plan's names gets the old ones, needs no coach_id nor message_sequence, and may have a long comment")
    row = db.rows("insert into coach_response_feedback (user_id, user_message, ai_response, coach_id, coach_mode, user_comment, "
                  "message_sequence) values (%s, 'q', 'a', %s, 'roast', 'c', 1) returning mode, feedback_text, coach_id, outcome",
                  ANN, "c" * 200)
    equal(row, [("roast", "c", "c" * 200, "complete")], "a row under the old names gets the plan's, and a long coach_id fits")
    equal(db.error("insert into coach_response_feedback (user_id, user_message, ai_response, model_used) "
                   "values (%s, 'q', '', null)", ANN), None, "an answer of no model is no error")
    equal(db.rows("select count(*), bool_and(indexdef ~ 'idx_crf_user_date|conversation_id, created_at|\\(id\\)|regenerate_of') "
                  "from pg_indexes where tablename = 'coach_response_feedback'"), [(5, True)],
          "the index on (user_id, created_at desc) serves, and is not made again")
    equal(db.rows("select id::text, user_id::text, title from uplift.conversations order by id"),
          [("20000000-0000-4000-8000-000000000001", ANN, "How much should I drink?"),
           ("20000000-0000-4000-8000-000000000002", BOB, "Hello")], "earlier conversations are listed")
    equal(db.rows("select distinct format_type(atttypid, atttypmod) from pg_attribute "
                  "where attrelid = 'coach_response_feedback'::regclass and attname = 'rating'"), [("integer",)],
          "rating is widened to int")


def test_memories(db):
    equal(db.rows("select memory_text, importance_score, last_accessed = last_accessed_at, is_active, "
                  "extracted_at = original_timestamp from ai_episodic_memory order by id"),
          [("ran 5 km", 8.5, True, True, True), ("sleeps badly", 5, None, False, True)],
          "memories have text, importance on a scale of ten, last access, whether they are active, and since when")
    row = db.rows("insert into ai_episodic_memory (user_id, memory_type, memory_text, importance_score) "
                  "values (%s, 'goal', 'run 10 km', 8.0) returning memory_description, original_timestamp is not null, is_active", ANN)
    equal(row, [("run 10 km", True, True)], "the plan's insert works, and fills what was demanded")
    equal(db.value("insert into ai_episodic_memory (user_id, memory_type, memory_text) "
                   "values (%s, 'milestone', 'm') returning importance_score", ANN), 5, "the default importance is 5")
    row = db.rows("insert into ai_episodic_memory (user_id, memory_type, memory_description, original_timestamp, source_type, "
                  "last_accessed_at) values (%s, 'commitment', 'c', '2025-01-01Z', 'chat', '2025-02-01Z') "
                  "returning memory_text, last_accessed = '2025-02-01Z', original_timestamp = '2025-01-01Z'", ANN)
    equal(row, [("c", True, True)], "so does a deployment's")
    db.rows("update ai_episodic_memory set is_active = false where id = %s", RUN_5_KM)
    db.rows("update ai_episodic_memory set is_expired = false where id = %s", SLEEP)
    equal(db.rows("select is_active, is_expired from ai_episodic_memory where id in (%s, %s) order by id", RUN_5_KM, SLEEP),
          [(False, True), (True, False)], "forgotten is expired, and the other way round")
    equal(db.error("insert into ai_episodic_memory (user_id, memory_type, memory_text) values (%s, 'nonsense', 'x')", ANN),
          "23514", "the check on memory_type is widened, not dropped")
    equal(db.error("insert into ai_episodic_memory (user_id, memory_type, memory_text, importance_score) values (%s, 'goal', 'x', 11)", ANN),
          "23514", "an importance of 11 is refused")


def test_experiments(db):
    equal(db.rows("select control_variant, test_variants, status, start_date = started_at, end_date = ended_at "
                  "from ai_experiments order by id"),
          [({"severity": 3}, [{"severity": 2}, {"severity": 4}], "running", True, None),
           ({"tone": "a"}, [{"tone": "b", "variant_name": "b"}, {"tone": "c", "variant_name": "c"}], "completed", True, True),
           ({}, [], "draft", None, None)], "experiments have the plan's columns from the old ones")
    row = db.rows("""insert into ai_experiments (experiment_name, description, control_variant, test_variants, success_metric, status)
        values ('Default Severity', 'd', '{"severity": 3.0}', array['{"severity": 2.5}', '{"severity": 3.5}']::jsonb[],
            'thumbs_up_rate', 'running') returning control_config, variant_configs, is_active""")
    equal(row, [({"severity": 3.0}, [{"severity": 2.5}, {"severity": 3.5}], True)], "the plan's insert works, and fills the old columns")
    row = db.rows("""insert into ai_experiments (experiment_name, control_config, variant_configs, is_active, started_at)
        values ('Old way', '{"a": 1}', '{"x": {"a": 2}}', true, now()) returning control_variant, test_variants, status, start_date = started_at""")
    equal(row, [({"a": 1}, [{"a": 2, "variant_name": "x"}], "running", True)], "so does a deployment's")
    row = db.rows("""update ai_experiments set test_variants = array['{"variant_name": "y", "a": 3}']::jsonb[], status = 'completed'
        where experiment_name = 'Old way' returning variant_configs, is_active""")
    equal(row, [({"y": {"a": 3, "variant_name": "y"}}, False)], "variants keep the old column's shape")
    row = db.rows("update ai_experiments set is_active = false where experiment_name = 'Default Severity' returning status")
    equal(row, [("paused",)], "switched off is paused")


def test_other_tables(db):
    equal(db.error("insert into ai_training_datasets (dataset_name, description, model_target, dataset_type, status) "
                   "values ('User Feedback - Positive Responses', 'd', 'gpt-4o-mini', 'conversation', 'collecting')"), None,
          "the plan's dataset can be made")
    equal(db.error("update ai_training_datasets set average_quality_score = 10.0"), None, "an average of 10 fits")
    equal(db.error("insert into ai_training_examples (dataset_id, messages, quality_score, user_satisfaction, is_validated, source_type, "
                   "source_id, split) values ('30000000-0000-4000-8000-000000000001', '[]', 10, 1.0, true, 'user_conversation', %s, 'train')",
                   FIRST), None, "the plan's example can be made")
    equal(db.error("insert into ai_finetuning_jobs (dataset_id, job_name, base_model, external_job_id, status, estimated_cost) values "
                   "('30000000-0000-4000-8000-000000000001', 'MindFork Roast Coach v1', 'gpt-4o-mini', 'ftjob-abc123', 'running', 25.00)"),
          None, "the plan's job can be made")
    equal(db.error("insert into ai_model_versions (model_name, version, model_id, is_deployed, deployment_environment) "
                   "values ('mindfork-roast-coach', 'v1.0', 'ft:gpt-4o-mini:mindfork::abc123', false, 'staging')"),
          None, "the plan's model version can be made")
    equal(db.error("insert into ai_context_cache (user_id, context_type, context_data) values (%s, 'preferences', '{}') "
                   "on conflict (user_id, context_type) do update set context_data = excluded.context_data", ANN), None,
          "context can be upserted")
    equal(db.error("insert into brand_assets (asset_name, alt_text, usage_notes) values ('coach_ledger_avatar', 'Ledger', 'Dry.')"), None,
          "a coach needs no picture")
    equal(db.rows("select t.title, t.body, t.weight, t.is_active from uplift.search_texts t join ai_knowledge_sources s on s.id = t.ref"),
          [("FAQ", "Drink water.", 1, True)], "what it has of knowledge is searched")
    equal(db.rows("select roast_consent, training_consent from user_coach_preferences"), [(False, None)],
          "nobody has agreed to anything yet")
    equal(db.value("select value from uplift.settings where key = 'auth.makes_users'"), False,
          "on Supabase no users are made")


def test_functions(cluster, db):
    """The programs' functions, by the programs' role, on a deployment's tables."""
    app = Database(cluster, "deployed", "uplift_app")
    prepare = ("select conversation_id::text, coach_id, severity, mode, concat(shared_prompt, personal_prompt), messages, refusal ->> 'code' from "
               "uplift_chat.prepare_chats(array[%s::uuid], '{chat}', '{null}', '{null}', '{null}', array[%s::uuid], '{null}', '{Hi}', '{4000}', '{null}')")
    chat = app.rows(prepare, ANN, "20000000-0000-4000-8000-000000000001")[0]
    equal(chat[:4], ("20000000-0000-4000-8000-000000000001", "coach_maple_avatar", 4.0, "default"),
          "a chat is prepared with the user's coach and severity")
    ok("Warm and slow." in chat[4], "with the coach's personality", chat[4])
    ok("run 10 km" in chat[4] and "ran 5 km" not in chat[4], "with memories, but no forgotten one", chat[4])
    ok("How much should I drink?" in chat[5], "with the history from before", chat[5])
    answer = "018f0000-0000-7000-8000-000000000001"
    equal(app.rows("select id::text, outcome from uplift_chat.record_answers(json_build_array(json_build_object('id', %s, 'user_id', %s, "
                   "'coach_id', 'coach_maple_avatar', 'user_message', 'Hi', 'ai_response', '', 'outcome', 'failed', 'mode', 'default', "
                   "'severity', 4.0, 'conversation_id', '20000000-0000-4000-8000-000000000001', 'error_code', 'upstream_timeout')))",
                   answer, ANN), [(answer, "recorded")], "a failed answer without a model is recorded")
    equal(db.value("select value from uplift.settings where key = 'answers.whole_prompts'"), True, "prompts are also kept whole, as its programs read them")
    text = "y" * 5000
    equal(app.rows("select helpful, rating, feedback_text, pending from uplift_chat.give_feedback(%s, %s, "
                   "jsonb_build_object('helpful', false, 'rating', 2, 'feedback_text', %s::text), true)", ANN, answer, text),
          [(False, 2, text, False)], "it takes feedback")
    equal(db.rows("select coach_mode, user_comment, helpful, rating from coach_response_feedback where id = %s", answer),
          [("default", text, False, 2)], "which the deployment sees under its names")
    db.rows("update coach_response_feedback set user_comment = 'by the old name' where id = %s", answer)
    equal(db.rows("select changes from uplift.feedback_events where answer_id = %s order by id desc limit 1", answer),
          [({"feedback_text": "by the old name"},)], "and what it writes there is kept as feedback")
    equal(app.rows(prepare, "00000000-0000-4000-8000-0000000000ff", None)[0][6], "unknown_user", "a user Supabase does not know is refused")
    ok("Warm and slow." in db.value("select build_coach_system_prompt(%s)", ANN), "build_coach_system_prompt works")
    db.rows("insert into coach_response_feedback (user_id, user_message, ai_response, coach_mode, conversation_id) "
            "values (%s, 'I want to swim a mile.', 'Do!', 'default', '20000000-0000-4000-8000-000000000001')", ANN)
    for _ in range(2):
        db.rows("select extract_user_memories(%s, '20000000-0000-4000-8000-000000000001')", ANN)
    equal(db.rows("select memory_type, memory_description, importance_score from ai_episodic_memory where memory_text ~ 'swim'"),
          [("goal", "I want to swim a mile", 8)], "extract_user_memories keeps a memory, once, under the old name too")
    context = db.value("select get_user_memory_context(%s)", ANN)
    ok("[goal] I want to swim a mile" in context and "ran 5 km" not in context,
       "get_user_memory_context knows it, and not the forgotten one", context)
    equal(db.value("select value from uplift.settings where key = 'training.consent_default'"), False, "who was not asked trains no model")
    db.rows("update uplift.settings set value = 'true' where key = 'training.consent_default'")
    for _ in range(2):
        db.rows("select generate_training_examples_from_feedback()")
    examples = db.rows("select source_id::text, split, quality_score, messages #>> '{1,content}' from ai_training_examples "
                       "where dataset_id = (select id from ai_training_datasets "
                       "where dataset_name = 'User Feedback - Positive Responses') and source_id = %s", FIRST)
    equal([(e[0], e[2], e[3]) for e in examples], [(FIRST, 10, "How much should I drink?")],
          "generate_training_examples_from_feedback takes a liked answer from before, once")
    db.rows("update ai_training_examples set split = 'train' where source_id = %s", FIRST)
    exported = db.value("select training_data from export_training_dataset_openai_format((select id from ai_training_datasets "
                        "where dataset_name = 'User Feedback - Positive Responses'))")
    ok(any("Two litres." in str(e["messages"]) for e in exported), "export_training_dataset_openai_format exports it", exported)
    equal(app.error("select 1 from coach_response_feedback"), "42501", "the programs' role reads no table")


def main():
    cluster = Cluster(superuser="supabase_admin")
    cluster.start()
    cluster.createdb("deployed")
    for file, user in ((FIXTURES + "supabase.sql", None), (FIXTURES + "deployed.sql", "postgres")):
        result = cluster.psql("deployed", file=file, user=user)
        equal((result.returncode, result.stderr), (0, ""), os.path.basename(file) + " loads")
    db = Database(cluster, "deployed", "postgres")
    columns = {table: db.columns(table) for table in db.tables()}
    before = db.contents(columns)

    result = cluster.psql("deployed", file=INSTALL, user="postgres")
    equal((result.returncode, result.stderr), (0, ""), "installs over a deployment")
    first = cluster.dump("deployed")
    result = cluster.psql("deployed", file=INSTALL, user="postgres")
    equal((result.returncode, result.stderr), (0, ""), "installs again")
    ok(cluster.dump("deployed") == first, "a second run leaves schema and rows as they were, to the byte")

    test_rows_kept(db, before, columns)
    test_answers(db)
    test_memories(db)
    test_experiments(db)
    test_other_tables(db)
    test_functions(cluster, db)

    result = cluster.psql("deployed", file=INSTALL, user="postgres")
    equal((result.returncode, result.stderr), (0, ""), "installs again after use")
    equal(db.value("select importance_score from ai_episodic_memory where id = %s", RUN_5_KM), 8.5, "importance is never scaled twice")
    done()


main()
