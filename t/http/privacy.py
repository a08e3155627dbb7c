#!/usr/bin/python3
"""A user's own data: exported whole, whatever its size, and erased whole, while they go on chatting."""

import json
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift  # noqa: E402
from process import wait_for  # noqa: E402
from tap import contains, done, equal, ok, run  # noqa: E402

ANN, BOB, CLEO, DAN, EVE = ("00000000-0000-4000-8000-0000000000%02d" % n for n in range(71, 76))
ANSWERS = 10000  # of about a kilobyte
FILL = """
set session_replication_role = replica;
insert into uplift.conversations (id, user_id, created_at) select md5('c' || n)::uuid, '%(user)s', now() from generate_series(1, %(count)s / 10) n;
insert into public.coach_response_feedback (id, user_id, protocol, conversation_id, user_message, ai_response, created_at)
    select md5('a' || n)::uuid, '%(user)s', 'chat', md5('c' || (n / 10 + 1))::uuid, 'question ' || n, repeat('words ', 100), now() - n * interval '1 second'
    from generate_series(1, %(count)s) n;
"""
MANY = "select count(*) from public.coach_response_feedback where user_id = %s"


def export(user):
    answer = uplift.get("/v1/me/export", user=user)
    equal((answer.status, answer.whole), (200, True), "export: it comes whole")
    return answer.json()


def say(user, message="How do I start?", **more):
    answer = uplift.post("/v1/chat", {"message": message, **more}, user=user)
    equal(answer.status, 200, "said: " + message)
    return answer.json()


def exported():
    told = say(ANN, "I want to run a marathon in May. How do I begin?")
    uplift.post("/v1/feedback/" + told["feedbackId"], {"helpful": True, "feedback_text": "lovely"}, user=ANN)
    say(BOB, "This is between us.")
    ok(wait_for(lambda: uplift.get("/v1/memories", user=ANN).json()["data"], 10), "export: something is remembered")
    all_of_it = export(ANN)
    equal((all_of_it["object"], all_of_it["version"], all_of_it["user_id"], all_of_it["complete"]), ("user_export", 1, ANN, True), "export: says what it is")
    sections = all_of_it["sections"]
    equal([(a["id"], a["user_message"], a["feedback_text"]) for a in sections["answers"]],
          [(told["feedbackId"], "I want to run a marathon in May. How do I begin?", "lovely")], "export: answers, and what was thought of them")
    equal([c["id"] for c in sections["conversations"]], [told["conversation_id"]], "export: conversations")
    ok(any("marathon" in m["memory_text"] for m in sections["memories"]), "export: memories")
    ok("between us" not in json.dumps(all_of_it), "export: nothing of others")
    ok("Persona" not in json.dumps(all_of_it), "export: nor the house's prompt")
    head = uplift.request("HEAD", "/v1/me/export", user=ANN)
    equal((head.status, head.text), (200, ""), "export: a HEAD has no body")
    contains(head.headers["Content-Disposition"], 'attachment; filename="uplift-export-', "export: it is a file to keep")
    equal(uplift.get("/v1/me/export", user=None).error().get("code"), "missing_token", "export: nobody has nothing")


def resident_kb():
    return max(int(line.split()[1]) for pid in uplift.workers() for line in open("/proc/%d/status" % pid) if line.startswith("VmHWM:"))


def is_sanitized():
    return any("libasan" in open("/proc/%d/maps" % pid).read() for pid in uplift.workers())


def large():
    say(CLEO)
    uplift.sql(FILL % {"user": CLEO, "count": ANSWERS})
    before = resident_kb()
    sections = export(CLEO)["sections"]
    equal((len({a["id"] for a in sections["answers"]}), len(sections["conversations"])), (ANSWERS + 1, ANSWERS // 10 + 1), "large: all of it, each once")
    grown = resident_kb() - before
    # With ASan, memory that was given back is kept for a while.
    ok(grown < 8000 or is_sanitized(), "large: the worker holds a page of it, no more", "%d KB" % grown)
    for _ in range(5):
        connection, response = uplift.open("GET", "/v1/me/export", user=CLEO)
        response.read(1000)
        connection.close()
    ok(wait_for(lambda: uplift.get("/v1/me/export", user=ANN).status == 200, 30), "large: readers who leave make room for others")
    erased = uplift.request("DELETE", "/v1/me", user=CLEO, timeout=120)
    equal((erased.status, erased.json()["rows"]["answers"], uplift.value(MANY, CLEO)), (200, ANSWERS + 1, 0), "large: and it goes in one transaction")


def erased():
    proof = uplift.request("DELETE", "/v1/me", user=ANN)
    equal(proof.status, 200, "erased")
    proof = proof.json()
    equal((proof["object"], proof["asked_by"], proof["rows"]["answers"], proof["model_versions"]), ("erasure", "user", 1, []), "erased: with a proof")
    ok(ANN not in json.dumps(proof), "erased: that does not say whose it was")
    left = {name: rows for name, rows in export(ANN)["sections"].items() if rows}
    equal(left, {}, "erased: nothing is left")
    equal(uplift.value("select count(*) from auth.users where id = %s", ANN), 0, "erased: not even who it was")
    equal(uplift.value(MANY, BOB), 1, "erased: others have what they had")
    again = uplift.request("DELETE", "/v1/me", user=ANN)
    equal((again.status, set(again.json()["rows"].values())), (200, {0}), "erased: again there is nothing to do")
    listed = uplift.admin("GET", "/admin/erasures?user_id=" + ANN).json()["data"]
    equal([e["id"] for e in listed], [again.json()["id"], proof["id"]], "erased: an admin finds the proof by the user's id")
    ok(say(ANN)["message"], "erased: whoever comes back is new")


def under_way():
    stream = uplift.stream("/v1/chat", {"message": "Tell me much."}, user=DAN)
    ok(stream.read_until("delta"), "under way: an answer has begun")
    equal(uplift.request("DELETE", "/v1/me", user=DAN).status, 200, "under way: its user has everything erased")
    ok(stream.read_until('"done"', 30), "under way: the answer comes to its end")
    equal((uplift.value(MANY, DAN), uplift.value("select count(*) from uplift.conversations where user_id = %s", DAN)), (0, 0), "under way: and is not kept")
    equal(uplift.post("/v1/feedback/" + stream.headers["X-Feedback-Id"], {"helpful": True}, user=DAN).status, 404, "under way: nor feedback on it")
    equal(uplift.value("select count(*) from uplift.rejected_answers"), 0, "under way: nor is it a failure")


def at_once():
    """Users chat and give feedback, and they and admins erase, all at the same time."""
    stop, statuses, thumbs = threading.Event(), [], []

    def chat():
        while not stop.is_set():
            answer = uplift.post("/v1/chat", {"message": "I like tea."}, user=EVE)
            statuses.append(answer.status)
            if answer.status == 200:
                thumb = uplift.post("/v1/feedback/" + answer.json()["feedbackId"], {"helpful": True, "feedback_text": "too long"}, user=EVE)
                thumbs.append((thumb.status, thumb.error().get("code") if thumb.status >= 400 else None))

    def erase():
        for _ in range(3):
            statuses.append(uplift.request("DELETE", "/v1/me", user=EVE).status)
            statuses.append(uplift.admin("DELETE", "/admin/users/" + EVE).status)
    chats, erasers = [threading.Thread(target=chat) for _ in range(4)], [threading.Thread(target=erase) for _ in range(2)]
    for thread in chats + erasers:
        thread.start()
    for thread in erasers:
        thread.join()
    stop.set()
    for thread in chats:
        thread.join()
    # 404: its answer is gone; 202: taken, while the database is busy.
    equal(set(thumbs) - {(200, None), (202, None), (404, "answer_not_found")}, set(), "at once: feedback is taken, or of an answer that is gone")
    equal(set(statuses) - {503}, {200}, "at once: everything goes through, or is told to come again")
    wait_for(lambda: uplift.get("/v1/chat", user=EVE).json()["data"] == [], 10)
    last = uplift.value("select max(erased_at) from uplift.erasures where user_hash = uplift.user_hash(%s)", EVE)
    equal(uplift.value("select count(*) from public.coach_response_feedback where user_id = %s and created_at <= %s", EVE, last), 0,
          "at once: nothing from before an erasure is there afterwards")
    equal(uplift.value("select count(*) from uplift.rejected_answers"), 0, "at once: and no answer is set aside")


def retained():
    """What is kept for some days only, by the job."""
    say(BOB)
    uplift.sql("insert into uplift.settings (key, value) values ('retention.answers_days', '30'), ('retention.conversations_days', '30')")
    uplift.sql(FILL % {"user": BOB, "count": 2500})
    uplift.sql("update public.coach_response_feedback set created_at = created_at - interval '31 days' where ai_response like 'words%%'")
    uplift.sql("update uplift.conversations set updated_at = now() - interval '31 days' where user_id = %s and not exists"
               " (select from public.coach_response_feedback a where a.conversation_id = conversations.id and a.ai_response not like 'words%%')", BOB)
    job = uplift.job("enforce-retention")
    equal((job["status"], job["result"]), ("succeeded", {"answers": 2500, "conversations": 250, "failed": 0}), "retained: what is older goes, and the job says how much")
    equal(uplift.value(MANY, BOB), 2, "retained: the rest stays")
    uplift.sql("delete from uplift.settings where key like 'retention.%%'")
    equal(uplift.job("enforce-retention")["result"], {"failed": 0}, "retained: without settings nothing goes")


def who_may():
    say(BOB)
    key = uplift.admin("POST", "/admin/api-keys", {"name": "all", "scopes": ["chat", "read", "feedback"], "user_id": BOB}).json()["key"]
    answer = uplift.request("DELETE", "/v1/me", user=None, token=key)
    equal((answer.status, answer.error()["code"]), (403, "own_token_required"), "who may: no API key erases its user")
    equal(uplift.request("DELETE", "/v1/me", user=None).status, 401, "who may: nobody erases nobody")
    equal(uplift.request("DELETE", "/admin/users/" + BOB, user=BOB).status, 403, "who may: only admins erase others")
    ok(uplift.value(MANY, BOB) >= 1, "who may: all is there still")
    uplift.restart_chat(UPLIFT_GUEST_USER="00000000-0000-7000-8000-0000000000e1")
    equal(uplift.request("DELETE", "/v1/me", user=None, token=uplift.anon_key).error()["code"], "sign_in_required", "who may: nor do guests, who are many")
    with uplift.database_away():
        equal(uplift.request("DELETE", "/v1/me", user=BOB).error()["code"], "database_unavailable", "who may: without the database nothing is promised")
        equal(uplift.get("/v1/me/export", user=BOB).error()["code"], "database_unavailable", "who may: nor exported")


with Uplift(batch=True, UPLIFT_MODEL="sim-pace-20", UPLIFT_WORKERS="1") as uplift:
    uplift.sql("delete from uplift.rate_limits")
    run(exported, large, erased, under_way, at_once, retained, who_may)
done()
