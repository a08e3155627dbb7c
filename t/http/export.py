#!/usr/bin/python3
"""Exports of datasets: each format by its published rules, in pieces, compressed, broken off, and refused."""

import gzip
import hashlib
import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift, wait_for  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

MISSING = "01890000-0000-7000-8000-000000000000"
ROLES = {"system", "user", "assistant", "tool"}


def said(role, text, **more):
    return {"role": role, "content": text, **more}


def example(kind, n):
    """Of each kind of dataset, the columns of one example: messages, completion, rejected, label."""
    prompt = [said("system", "You are a coach, number %d." % n), said("user", "Question %d: \u00fcber \"what\"?\n" % n)]
    answer, worse = [said("assistant", "Answer %d \U0001f600" % n)], [said("assistant", "Worse %d" % n)]
    if kind == "conversation":
        return prompt + [said("assistant", "First %d" % n, weight=0), said("user", "And?")] + answer, None, None, None
    if kind == "preference":
        return prompt, answer, worse, None
    return prompt, answer, None, n % 3 != 0


def dataset(up, name, kind, count, quality=lambda n: 8, split=lambda n: ("train", "validation", "test")[max(0, n % 10 - 7)]):
    dataset_id = up.sql("insert into ai_training_datasets (dataset_name, dataset_type) values (%s, %s) returning id::text",
                        name, kind)[0]["id"]
    for n in range(count):
        messages, completion, rejected, label = example(kind, n)
        up.sql("""insert into ai_training_examples (dataset_id, messages, completion, rejected, label, quality_score, split,
                is_validated, content_hash, tokens)
            select %s, m, c, r, l, %s, %s, true, uplift.content_hash(m, c, r, l), 40
            from (select %s::jsonb, %s::jsonb, %s::jsonb, %s::boolean) as x(m, c, r, l)""",
               dataset_id, quality(n), split(n), json.dumps(messages), completion and json.dumps(completion),
               rejected and json.dumps(rejected), label)
    return dataset_id


# --- the published rules, read anew here ---

def good_messages(messages, keys=frozenset(("role", "content"))):
    return bool(messages) and all(set(m) <= keys and m["role"] in ROLES and isinstance(m["content"], str) and m["content"]
                                  for m in messages)


def good_openai(line):
    keys = frozenset(("role", "content", "weight"))
    messages = line["messages"]
    return (set(line) == {"messages"} and good_messages(messages, keys) and messages[-1]["role"] == "assistant"
            and all(m["role"] == "assistant" and m["weight"] in (0, 1) for m in messages if "weight" in m)
            and any(m.get("weight", 1) == 1 for m in messages if m["role"] == "assistant"))


def good_openai_dpo(line):
    return (set(line) == {"input", "preferred_output", "non_preferred_output"} and good_messages(line["input"]["messages"])
            and line["input"]["messages"][-1]["role"] == "user"
            and all(good_messages(line[key]) and {m["role"] for m in line[key]} == {"assistant"}
                    for key in ("preferred_output", "non_preferred_output"))
            and line["preferred_output"] != line["non_preferred_output"])


def good_trl_dpo(line):
    return (set(line) == {"prompt", "chosen", "rejected"} and good_messages(line["prompt"])
            and all(len(line[key]) == 1 and good_messages(line[key]) and line[key][0]["role"] == "assistant"
                    for key in ("chosen", "rejected")))


def good_trl_kto(line):
    return (set(line) == {"prompt", "completion", "label"} and good_messages(line["prompt"])
            and good_messages(line["completion"]) and line["completion"][-1]["role"] == "assistant"
            and isinstance(line["label"], bool))


def formats(up, sets):
    for kind, name, rule in (("conversation", "openai", good_openai), ("preference", "openai-dpo", good_openai_dpo),
                             ("preference", "trl-dpo", good_trl_dpo), ("unpaired", "trl-kto", good_trl_kto)):
        answer = up.admin("GET", "/admin/datasets/%s/export?format=%s" % (sets[kind], name))
        equal(answer.status, 200, "%s is exported" % name)
        equal(answer.headers["Content-Type"], "application/x-ndjson", "as lines of JSON")
        lines = [json.loads(line) for line in answer.body.splitlines()]
        equal((len(lines), answer.headers["X-Export-Examples"]), (40, "40"), "all of them, as announced")
        ok(int(answer.headers["X-Export-Tokens"]) == 1600, "with an estimate of its tokens")
        ok(all(map(rule, lines)), "each line keeps the rules of %s" % name)
        contains(answer.headers["Content-Disposition"], name, "the file has a name")
    labels = [json.loads(line)["label"] for line in answer.body.splitlines()]
    equal((labels.count(True), labels.count(False)), (26, 14), "labels are those of the examples")
    contains(answer.text, "\u00fcber", "text is UTF-8")
    for split, count in (("train", 32), ("validation", 4), ("test", 4)):
        answer = up.admin("GET", "/admin/datasets/%s/export?split=%s" % (sets["conversation"], split))
        equal(len(answer.body.splitlines()), count, "only split " + split)


def characters(up):
    """What other programs take for more than it is: a developer's role, and characters that end lines to some."""
    dataset_id = dataset(up, "Odd", "conversation", 10, split=lambda n: "train")
    odd = "one\u2028two\u2029three\u0085four \"role\": \"developer\""
    up.sql("update ai_training_examples set messages = %s, content_hash = null where dataset_id = %s", json.dumps(
        [said("developer", odd), said("user", odd), said("assistant", odd)]), dataset_id)
    body = up.admin("GET", "/admin/datasets/%s/export" % dataset_id).body.decode()
    equal(len(body.splitlines()), 10, "each line is one to readers that know more ends of lines")
    equal([m for line in body.splitlines() for m in json.loads(line)["messages"]],
          [said("system", odd), said("user", odd), said("assistant", odd)] * 10, "with a system message for the developer's, and each text as it was")


def resuming(up, dataset_id):
    path = "/admin/datasets/%s/export?format=openai" % dataset_id
    whole = up.admin("GET", path)
    etag = whole.headers["ETag"]
    equal(up.admin("GET", path).body, whole.body, "the same again is the same to the byte")
    rest = up.admin("GET", path + "&skip=15", headers={"If-Match": etag})
    equal(rest.body, b"".join(whole.body.splitlines(True)[15:]), "one that broke off is gone on with")
    equal(up.admin("GET", path + "&skip=39&etag=" + etag.strip('"')).body, whole.body.splitlines(True)[39], "to the last line")
    equal(up.admin("GET", path + "&skip=40&etag=" + etag.strip('"')).body, b"", "where nothing is left")
    refused = up.admin("GET", path + "&skip=15")
    equal((refused.status, refused.error().get("code")), (400, "missing_etag"), "but only of a known export")
    head = up.admin("HEAD", path)
    equal((head.status, head.headers["ETag"], head.body), (200, etag, b""), "HEAD tells what there is")
    packed = up.admin("GET", path, headers={"Accept-Encoding": "gzip"})
    equal(packed.headers["Content-Encoding"], "gzip", "compressed on request")
    equal(gzip.decompress(packed.body), whole.body, "with the same lines")
    up.sql("update ai_training_examples set is_validated = false where id = (select min(id::text)::uuid from"
           " ai_training_examples where dataset_id = %s)", dataset_id)
    changed = up.admin("GET", path + "&skip=15&etag=" + etag.strip('"'))
    equal((changed.status, changed.error().get("code")), (412, "export_changed"), "what has changed since is refused")
    up.sql("update ai_training_examples set is_validated = true where dataset_id = %s", dataset_id)


def versions(up, dataset_id):
    version = up.sql("select uplift.freeze_dataset(%s, 0, 'test')::text as id", dataset_id)[0]["id"]
    path = "/admin/datasets/%s/export" % version
    whole = up.admin("GET", path)
    equal(len(whole.body.splitlines()), 40, "a frozen version is exported")
    up.sql("update ai_training_examples set quality_score = null where id = (select min(id::text)::uuid from"
           " ai_training_examples where dataset_id = %s)", dataset_id)
    good = up.admin("GET", path + "?min_quality=5")
    equal((len(good.body.splitlines()), good.headers["X-Export-Examples"]), (39, "39"), "without a score none is good enough")
    up.sql("delete from ai_training_examples where id = (select max(id::text)::uuid from ai_training_examples"
           " where dataset_id = %s)", dataset_id)
    answer = up.admin("GET", path)
    equal((len(answer.body.splitlines()), answer.headers["X-Export-Missing"]), (39, "1"), "without who was erased, and says so")
    ok(answer.headers["ETag"] != whole.headers["ETag"], "which is not the same export")


def refusals(up, sets):
    few = dataset(up, "Few", "conversation", 9, split=lambda n: "train")
    base = "/admin/datasets/%s/export"
    for path, status, code in (
            (base % MISSING, 404, "dataset_not_found"), (base % "x", 400, "invalid_id"),
            (base % sets["conversation"] + "?format=csv", 400, "invalid_format"),
            (base % sets["conversation"] + "?format=", 400, "invalid_format"),
            (base % sets["conversation"] + "?split=all", 400, "invalid_split"),
            (base % sets["conversation"] + "?min_quality=11", 400, "invalid_min_quality"),
            (base % sets["conversation"] + "?min_quality=-1", 400, "invalid_min_quality"),
            (base % sets["conversation"] + "?min_quality=nan", 400, "invalid_min_quality"),
            (base % sets["conversation"] + "?skip=x", 400, "invalid_skip"),
            (base % sets["conversation"] + "?colour=red", 400, "unknown_argument"),
            (base % sets["conversation"] + "?format=trl-dpo", 400, "format_does_not_fit"),
            (base % sets["preference"] + "?format=openai", 400, "format_does_not_fit"),
            (base % sets["unpaired"] + "?format=openai-dpo", 400, "format_does_not_fit"),
            (base % sets["conversation"] + "?min_quality=9", 400, "empty_dataset"),
            (base % few, 400, "too_few_examples"), (base % few + "?split=train", 400, "too_few_examples"),
            (base % few + "?split=test", 400, "empty_split")):
        answer = up.admin("GET", path)
        equal((answer.status, answer.error().get("code")), (status, code), path)
    equal(up.request("GET", base % sets["conversation"]).status, 403, "only for admins")
    for arguments, code in (({}, "missing_argument"), ({"dataset": "None"}, "dataset_not_found"),
                            ({"dataset": "Few", "dataset_id": few}, "missing_argument"), ({"dataset": "Few"}, "too_few_examples"),
                            ({"dataset": "Few", "format": "trl-kto"}, "format_does_not_fit"),
                            ({"dataset": "Many", "name": "../x"}, "invalid_name"), ({"dataset": "Many", "name": ".x"}, "invalid_name")):
        job = up.job("export-dataset", arguments)
        equal((job["status"], (job["error"] or {}).get("code")), ("failed", code), "export-dataset %s" % arguments)
    job = up.job("export-dataset", {"dataset": "Few", "if_possible": True})
    equal((job["status"], job["result"]["exported"]), ("succeeded", False), "too little is no failure for a schedule")
    answer = up.admin("POST", "/admin/jobs/export-dataset", {"dataset": "Few", "format": "csv"})
    equal(answer.error().get("code"), "invalid_argument", "a wrong format is refused when it is asked for")


BROKEN_FIRST = """insert into ai_training_examples (id, dataset_id, messages, quality_score, is_validated, split, tokens, content_hash)
    select overlay(d.id::text placing '00000000' from 1 for 8)::uuid, d.id, m, 8, true, 'train', 4, uplift.content_hash(m, null, null, null)
    from ai_training_datasets d, (values ('[{"role": "user", "content": "never answered"}]'::jsonb)) x(m)
    where d.dataset_name = %s"""


def broken_lines(up):
    """Rows that somebody wrote by hand."""
    dataset_id = dataset(up, "Broken", "conversation", 12, split=lambda n: "train")
    for bad in ([{"role": "user", "content": "x"}], [], [{"role": "system", "content": None}, said("assistant", "x")]):
        up.sql("insert into ai_training_examples (dataset_id, messages, is_validated, split) values (%s, %s, true, 'train')",
               dataset_id, json.dumps(bad))
    # Before all others, where what goes on after them must not count them.
    up.sql(BROKEN_FIRST, "Broken")
    path = "/admin/datasets/%s/export" % dataset_id
    answer = up.admin("GET", path)
    lines = answer.body.splitlines(True)
    for skip in (1, 11):
        rest = up.admin("GET", path + "?skip=%d" % skip, headers={"If-Match": answer.headers["ETag"]})
        equal(rest.body, b"".join(lines[skip:]), "skip counts lines that were sent: after %d" % skip)
    equal(len(lines), 12, "lines that a trainer would refuse do not leave")
    job = up.job("export-dataset", {"dataset": "Broken"})
    equal((job["result"]["examples"], job["result"]["left_out"]), (12, 4), "and are counted")
    ok(job["result"]["why_left_out"], "with the reason of the first")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def files(up):
    """Enough to be disturbed in the middle: 60,000 lines of about 2 KB."""
    up.sql("insert into ai_training_datasets (dataset_name, dataset_type) values ('Many', 'conversation')")
    up.sql("""insert into ai_training_examples (dataset_id, messages, quality_score, split, is_validated, content_hash, tokens)
        select d.id, m, 8, 'train', true, uplift.content_hash(m, null, null, null), 500
        from ai_training_datasets d, generate_series(1, 60000) n, lateral (select jsonb_build_array(
            jsonb_build_object('role', 'user', 'content', 'q ' || n), jsonb_build_object('role', 'assistant', 'content',
            repeat(md5(n::text) || ' ', 60))) as m) x where d.dataset_name = 'Many'""")
    up.sql(BROKEN_FIRST, "Many")
    whole = up.job("export-dataset", {"dataset": "Many", "name": "whole.jsonl"})
    equal(whole["status"], "succeeded", "a file is written")
    result = whole["result"]
    text = read(result["path"])
    equal((result["bytes"], result["sha256"], result["examples"]),
          (len(text), hashlib.sha256(text).hexdigest(), 60000), "with its size and its hash")
    equal(oct(os.stat(result["path"]).st_mode & 0o777), "0o640", "which others cannot read")
    packed = up.job("export-dataset", {"dataset": "Many", "gzip": True})["result"]
    ok(packed["path"].endswith(".jsonl.gz") and gzip.decompress(read(packed["path"])) == text, "compressed it has the same lines")
    for arguments in ({"name": "again.jsonl"}, {"name": "again.gz", "gzip": True}):
        job_id = up.admin("POST", "/admin/jobs/export-dataset", {"dataset": "Many", **arguments}).json()["job_id"]
        ok(wait_for(lambda: (up.sql("select state from uplift.batch_jobs where id = %s", job_id)[0]["state"] or {}).get("lines", 0) > 0,
                    30), "an export is under way")
        up.kill_batch()
        ok(not os.path.exists(up.settings["UPLIFT_EXPORT_DIR"] + "/" + arguments["name"]), "half a file has no name")
        up.start_batch()
        job = up.await_job(job_id)
        equal((job["status"], job["attempts"]), ("succeeded", 2), "killed, it is gone on with")
        equal(job["result"]["left_out"], 1, "and counts what was left out before")
        again = read(job["result"]["path"])
        ok((gzip.decompress(again) if "gzip" in arguments else again) == text, "and the file is what it would have been")
    job_id = up.admin("POST", "/admin/jobs/export-dataset", {"dataset": "Many", "name": "never.jsonl"}).json()["job_id"]
    up.admin("POST", "/admin/jobs/%s/cancel" % job_id)
    equal(up.await_job(job_id)["status"], "cancelled", "it is cancelled")
    equal(sorted(os.listdir(up.settings["UPLIFT_EXPORT_DIR"]))[0], "again.gz", "and leaves nothing behind")


def clients_that_leave(up):
    dataset_id = up.sql("select id::text from ai_training_datasets where dataset_name = 'Many'")[0]["id"]
    connection, response = up.open("GET", "/admin/datasets/%s/export" % dataset_id, token=up.admin_token())
    response.read(100000)
    connection.close()
    ok(wait_for(lambda: not up.sql("select 1 from pg_stat_activity where application_name = 'uplift export'"
                                   " and datname = current_database()"), 20), "a client that leaves ends its export")
    # One that Postgres refuses half-way.
    connection, response = up.open("GET", "/admin/datasets/%s/export" % dataset_id, token=up.admin_token())
    response.read(1000)
    up.batch.send_signal(signal.SIGSTOP)
    up.sql("revoke execute on all functions in schema uplift_batch from uplift_batch")
    up.batch.send_signal(signal.SIGCONT)
    whole = True
    try:
        body = response.read()
        whole = len(body.splitlines()) >= 59000
    except Exception:  # what http.client makes of a cut connection depends on where it was cut
        whole = False
    ok(not whole, "an export that fails on its way is cut, and does not look complete")
    up.sql("grant execute on all functions in schema uplift_batch to uplift_batch")


def main():
    with Uplift(batch=True, expected="prematurely closed|upstream sent|refused: ") as up:
        kinds = ("conversation", "preference", "unpaired")
        sets = {kind: dataset(up, "Set " + kind, kind, 40) for kind in kinds}
        formats(up, sets)
        characters(up)
        resuming(up, sets["conversation"])
        files(up)
        refusals(up, sets)
        broken_lines(up)
        clients_that_leave(up)
        versions(up, sets["conversation"])
    done()


main()
