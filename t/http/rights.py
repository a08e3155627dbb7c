#!/usr/bin/python3
"""What the database lets whom do: users under row level security, and the role that fcgi-chat logs in as."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift  # noqa: E402
from tap import done, equal, ok  # noqa: E402

ANN = "00000000-0000-7000-8000-0000000000a1"
BOB = "00000000-0000-7000-8000-0000000000b2"


def chat(uplift, user=ANN):
    """The id of a new answer."""
    return uplift.post("/v1/chat", {"message": "hello"}, user=user).json()["feedbackId"]


def refused(uplift, text, *values, user=ANN):
    """The SQLSTATE, None when it was not refused."""
    try:
        uplift.sql(text, *values, user=user)
    except Exception as error:
        return getattr(error, "pgcode", repr(error))
    return None


def row_level_security(uplift):
    answer, theirs = chat(uplift), chat(uplift, BOB)
    uplift.request("PUT", "/v1/preferences", {"severity": 2}, user=BOB)
    columns = [row["attname"] for row in uplift.sql(
        "select attname from pg_attribute where attrelid = 'public.coach_response_feedback'::regclass"
        " and attnum > 0 and not attisdropped")]
    mine = {"helpful", "rating", "feedback_text", "user_comment"}
    ok(len(columns) > 30, "the table has many columns")
    equal([c for c in columns if refused(uplift, 'update public.coach_response_feedback set "%s" = "%s" where id = %%s' % (c, c), answer)
           != "42501"], [c for c in columns if c in mine], "a user changes what is feedback, and nothing else")
    equal(uplift.sql("update public.coach_response_feedback set helpful = true where id = %s returning id", theirs, user=ANN), [],
          "and not another's")
    equal(uplift.row(theirs)["helpful"], None, "which stays as it was")
    for statement in ("delete from public.coach_response_feedback", "insert into public.coach_response_feedback (helpful) values (true)",
                      "truncate public.coach_response_feedback"):
        equal(refused(uplift, statement), "42501", "a user may not %s" % statement.split(" ")[0])
    equal(refused(uplift, "update public.coach_response_feedback set rating = 9 where id = %s", answer), "23514", "nor give 9 stars")

    personal = uplift.sql(
        "select c.oid::regclass::text as name, c.relrowsecurity as secured from pg_class c join pg_attribute a on a.attrelid = c.oid"
        " where c.relkind in ('r', 'p') and c.relnamespace in ('public'::regnamespace, 'uplift'::regnamespace)"
        " and a.attname = 'user_id' and not a.attisdropped order by 1")
    ok(len(personal) > 5, "there are many tables with a user's rows")
    equal([t["name"] for t in personal if not t["secured"]], [], "all with row level security")
    seen = {}
    for table in personal:
        try:
            seen[table["name"]] = uplift.value("select count(*) from %s where user_id is distinct from %%s" % table["name"], ANN, user=ANN)
        except Exception as error:
            seen[table["name"]] = error.pgcode
    equal({n: c for n, c in seen.items() if c not in (0, "42501")}, {}, "in none of them a user sees another's row")
    equal(seen["coach_response_feedback"], 0, "which is no refusal where they see their own")
    equal(uplift.value("select count(*) from public.coach_response_feedback where id = %s", answer, user=ANN), 1, "own rows are seen")


def the_programs_role(uplift):
    """uplift_app executes what the programs call, and nothing else."""
    tables = uplift.sql(
        "select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
        " and (has_table_privilege('uplift_app', c.oid, 'select, insert, update, delete, truncate, references, trigger')"
        "   or has_any_column_privilege('uplift_app', c.oid, 'select, insert, update, references'))")
    equal(tables, [], "uplift_app has no right on any table, view or sequence")
    may = {row["name"] for row in uplift.sql(
        "select p.oid::regproc::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where n.nspname in ('public', 'uplift', 'uplift_chat', 'uplift_batch', 'uplift_search') and has_function_privilege('uplift_app', p.oid, 'execute')"
        " and has_schema_privilege('uplift_app', n.oid, 'usage')")}
    wanted = {"uplift.find_api_key", "uplift.schema_version"} | {"uplift_chat." + name for name in (
        "prepare_chats", "record_chats", "record_answers", "worker_sync", "reject_answer", "give_feedback", "take_feedback", "get_feedback", "list_conversations",
        "get_conversation", "rename_conversation", "answer_to_continue", "get_answer", "rejected_lately", "delete_conversation", "list_coaches", "get_preferences", "put_preferences",
        "rest_select_feedback", "rest_update_feedback", "list_personas", "ready",
        "export_sections", "export_rows", "erase_me", "my_access_log", "list_memories", "add_memory", "change_memory", "forget_memories", "learn_memories", "index_answers", "get_answer_context", "rest_memories", "refresh_contexts", "question_of",
        "rest_predictions", "add_prediction", "give_outcome", "get_prediction", "list_predictions",
        "begin_photo", "add_photo", "get_photo", "list_photos", "correct_photo", "delete_photo", "photo_files", "due_photo_removals",
        "photos_removed", "take_photo", "photo_analysed", "photo_failed", "give_back_photo")}
    equal(may, wanted, "it may execute just the functions that the programs call")
    role = uplift.sql("select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,"
                      " (select count(*) from pg_auth_members m where m.member = r.oid)::int as memberships"
                      " from pg_roles r where rolname = 'uplift_app'")[0]
    equal(role, {"rolsuper": False, "rolcreaterole": False, "rolcreatedb": False, "rolreplication": False,
                 "rolbypassrls": False, "memberships": 0}, "it is nothing special, and a member of nothing")


with Uplift() as uplift:
    row_level_security(uplift)
    the_programs_role(uplift)
done()
