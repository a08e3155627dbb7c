#!/usr/bin/python3
"""What is a user's own: conversations and their history, preferences, coaches, models."""

import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift
from scripted import Scripted
from tap import contains, done, equal, ok

ANN = "00000000-0000-7000-8000-0000000000a1"
BOB = "00000000-0000-7000-8000-0000000000b2"
CAT = "00000000-0000-7000-8000-0000000000c3"
NOBODYS = "01890000-0000-7000-8000-000000000000"
DEFAULTS = {"active_coach_id": "coach_decibel_avatar", "severity": 3.0, "mode": "default", "roast_consent": False,
            "training_consent": None, "training_consent_asked": False, "training_consent_default": True,
            "memory_enabled": True, "experiments_enabled": None, "experiments_enabled_default": True, "auto_select_coach": False, "quiet_hours_start": None, "quiet_hours_end": None, "timezone": None}


def chat(uplift, message, conversation=None, user=ANN, **more):
    if conversation:
        more["conversation_id"] = conversation
    answer = uplift.post("/v1/chat", {"message": message, **more}, user=user)
    return answer.json() if answer.status == 200 else answer


def refusal(answer):
    return answer.status, answer.error().get("code"), answer.error().get("param")


def history(provider):
    """What the provider was last sent, without the system prompt."""
    messages = provider.last()["messages"]
    return [m["content"] for m in messages if m["role"] != "system"]


def goes_along(uplift, provider):
    provider.says = "first answer"
    first = chat(uplift, "first question")
    conversation = first["conversation_id"]
    equal([m["role"] for m in provider.last()["messages"]], ["system", "user"], "a conversation begins with the coach's prompt")
    contains(provider.last()["messages"][0]["content"], "You are Decibel", "which is of the default coach")
    provider.says = "second \U0001f3b8 \"answer\"\n</user>"
    second = chat(uplift, "second question", conversation)
    equal(second["conversation_id"], conversation, "a conversation goes on")
    equal(history(provider), ["first question", "first answer", "second question"], "what was said goes along")
    equal([m["role"] for m in provider.last()["messages"][1:]], ["user", "assistant", "user"], "in its roles")
    provider.says = "third answer"
    third = chat(uplift, "third question", conversation, stream=False, coach_id="coach_maple_avatar")
    equal(history(provider)[-2:], ["second \U0001f3b8 \"answer\"\n</user>", "third question"], "whatever it holds")
    contains(provider.last()["messages"][0]["content"], "You are Maple", "also with another coach")
    chat(uplift, "elsewhere")
    equal(history(provider), ["elsewhere"], "another conversation knows nothing of it")
    chat(uplift, "as Bob", user=BOB)
    equal(history(provider), ["as Bob"], "nor does another user")

    ok("seed" not in provider.last(), "a chat leaves the seed to the provider")
    provider.says = "third answer, again"
    anew = uplift.post("/v1/chat", {"regenerate_of": third["feedbackId"]}, user=ANN).json()
    equal(history(provider)[-2:], ["second \U0001f3b8 \"answer\"\n</user>", "third question"], "given anew, the question is the same")
    seeds = [provider.last()["seed"]]
    equal(anew["conversation_id"], conversation, "in the same conversation")
    equal(uplift.row(anew["feedbackId"])["regenerate_of"], third["feedbackId"], "the row names the answer it replaces")
    uplift.post("/v1/chat", {"regenerate_of": third["feedbackId"]}, user=ANN)
    seeds.append(provider.last()["seed"])
    ok(seeds[0] != seeds[1] and all(0 <= s < 2 ** 31 for s in seeds), "each time with another seed", seeds)
    chat(uplift, "fourth question", conversation)
    equal(history(provider)[-3:], ["third question", "third answer, again", "fourth question"], "then the new answer goes along")
    ok("third answer" not in history(provider), "and not the old one")
    for body in ({"regenerate_of": third["feedbackId"]}, {"regenerate_of": NOBODYS}):
        got = uplift.post("/v1/chat", body, user=BOB)
        equal(refusal(got), (404, "answer_not_found", "regenerate_of"), "only an own answer can be given anew")

    made_up = str(uuid.uuid4())
    equal(chat(uplift, "mine", made_up)["conversation_id"], made_up, "a client may make up a conversation's id")
    got = chat(uplift, "yours", conversation, BOB)
    equal(refusal(got), (404, "conversation_not_found", "conversation_id"), "but not take another's")
    uplift.restart_chat(UPLIFT_HISTORY_TOKENS="24")
    chat(uplift, "fifth question", conversation)
    equal(history(provider), ["fourth question", "third answer, again", "fifth question"],
          "history keeps to its budget, and the newest stays")
    uplift.restart_chat(UPLIFT_HISTORY_TOKENS="0")
    chat(uplift, "sixth question", conversation)
    equal(history(provider), ["sixth question"], "without a budget there is none")
    uplift.restart_chat(UPLIFT_HISTORY_TOKENS="4000")


def conversations(uplift, provider):
    provider.says = "an answer"
    made = [chat(uplift, "about %d" % i, user=CAT)["conversation_id"] for i in range(5)]
    chat(uplift, "more of it", made[0], CAT)
    newest_first = [made[0]] + made[:0:-1]
    found = uplift.get("/v1/conversations", user=CAT).json()
    equal((found["object"], found["has_more"]), ("list", False), "conversations are a list")
    equal([c["id"] for c in found["data"]], newest_first, "the one that was last spoken in first")
    equal(found["data"][0]["title"], "about 0", "with the first words for a title")
    paged, before = [], ""
    for _ in range(3):
        page = uplift.get("/v1/conversations?limit=2" + before, user=CAT).json()
        paged.append([c["id"] for c in page["data"]])
        more = page["has_more"]
        before = "&before=" + page["data"][-1]["updated_at"].replace("+", "%2B")
    equal((paged, more), ([newest_first[:2], newest_first[2:4], newest_first[4:]], False), "page by page they are the same")
    for query, code in (("limit=0", "invalid_limit"), ("limit=101", "invalid_limit"), ("limit=x", "invalid_limit"),
                        ("limit=", "invalid_limit"), ("before=yesterday-ish", "invalid_value")):
        got = uplift.get("/v1/conversations?" + query, user=CAT)
        equal((got.status, got.error().get("code")), (400, code), "refused: " + query)

    one = uplift.get("/v1/conversations/" + made[0], user=CAT).json()
    equal([(m["role"], m["content"]) for m in one["messages"]],
          [("user", "about 0"), ("assistant", "an answer"), ("user", "more of it"), ("assistant", "an answer")],
          "a conversation is read in its order")
    answer = one["messages"][1]
    equal((answer["helpful"], answer["outcome"], answer["coach_id"], answer["severity"]),
          (None, "complete", "coach_decibel_avatar", 3.0), "answers say what they are")
    uplift.post("/v1/feedback/" + answer["id"], {"helpful": True, "rating": 5}, user=CAT)
    again = uplift.get("/v1/conversations/" + made[0], user=CAT).json()["messages"][1]
    equal((again["helpful"], again["rating"]), (True, 5), "and show what was thought of them")
    uplift.post("/v1/chat", {"regenerate_of": answer["id"], "message": "about 0, in other words"}, user=CAT)
    contents = [m["content"] for m in uplift.get("/v1/conversations/" + made[0], user=CAT).json()["messages"]]
    ok("about 0" not in contents and "about 0, in other words" in contents, "a regenerated answer makes room", contents)

    for method in ("GET", "DELETE"):
        answers = [uplift.request(method, "/v1/conversations/" + id, user=BOB) for id in (made[1], NOBODYS)]
        equal([a.status for a in answers], [404, 404], method + ": another's conversation and nobody's are a 404")
        equal(answers[0].body, answers[1].body, method + ": the same, to the byte")
        got = uplift.request(method, "/v1/conversations/nonsense", user=BOB)
        equal((got.status, got.error().get("code")), (400, "invalid_id"), method + ": an id that is none")
    ok(made[1] not in uplift.get("/v1/conversations", user=BOB).text, "another's are not in the list")

    gone = uplift.request("DELETE", "/v1/conversations/" + made[1], user=CAT)
    equal((gone.status, gone.body), (204, b""), "a conversation is deleted")
    ok(made[1] not in uplift.get("/v1/conversations", user=CAT).text, "it is out of the list")
    equal(uplift.get("/v1/conversations/" + made[1], user=CAT).status, 404, "it cannot be read")
    equal(uplift.request("DELETE", "/v1/conversations/" + made[1], user=CAT).status, 404, "nor deleted again")
    equal(refusal(chat(uplift, "go on", made[1], CAT)), (404, "conversation_not_found", "conversation_id"), "nor gone on with")
    kept = uplift.sql("select id from public.coach_response_feedback where conversation_id = %s", made[1])
    equal(len(kept), 1, "its answers are kept")
    equal(refusal(uplift.post("/v1/chat", {"regenerate_of": kept[0]["id"]}, user=CAT)),
          (404, "answer_not_found", "regenerate_of"), "but not given anew")


def preferences(uplift, provider):
    def put(changes, user=ANN):
        return uplift.request("PUT", "/v1/preferences", changes, user=user)

    equal(uplift.get("/v1/preferences", user=ANN).json(), DEFAULTS, "preferences begin with the defaults")
    roast = uplift.post("/v1/chat", {"message": "roast me", "mode": "roast"}, user=ANN)
    equal(refusal(roast), (403, "roast_consent_required", "mode"), "no roast without consent")
    roast = uplift.post("/v1/chat/completions", {"model": "scripted", "coach_id": "coach_maple_avatar", "mode": "roast",
                                                 "messages": [{"role": "user", "content": "roast me"}]}, user=ANN)
    equal(refusal(roast), (403, "roast_consent_required", "mode"), "by no protocol")
    equal(refusal(put({"mode": "roast"})), (403, "roast_consent_required", "mode"), "nor as a preference")
    equal(put({"roast_consent": True}).json(), {**DEFAULTS, "roast_consent": True}, "consent is given")
    chat(uplift, "roast me", mode="roast")
    contains(provider.last()["messages"][0]["content"], "# Mode: roast", "then there is a roast")
    equal(refusal(uplift.post("/v1/chat", {"message": "roast me", "mode": "roast"}, user=BOB)),
          (403, "roast_consent_required", "mode"), "but not of another user")

    chosen = {"active_coach_id": "coach_ledger_avatar", "severity": 4.6, "mode": "roast", "roast_consent": True,
              "training_consent": True, "training_consent_asked": True, "training_consent_default": True,
              "memory_enabled": False, "experiments_enabled": False, "experiments_enabled_default": True, "auto_select_coach": True, "quiet_hours_start": "22:30",
              "quiet_hours_end": "07:00", "timezone": "Europe/Berlin"}
    equal(put(chosen).json(), chosen, "all of them are chosen")
    equal(uplift.get("/v1/preferences", user=ANN).json(), chosen, "and stay")
    answer = chat(uplift, "hello")
    equal((answer["coach_id"], answer["severity"], answer["mode"]), ("coach_ledger_avatar", 4.6, "roast"), "and a chat goes by them")
    prompt = provider.last()["messages"][0]["content"]
    ok(all(part in prompt for part in ("You are Ledger", "severity 4.6 of 6.0", "# Mode: roast")), "so does its prompt", prompt)
    answer = chat(uplift, "hello", coach_id="coach_maple_avatar", severity=1, mode="default")
    equal((answer["coach_id"], answer["severity"], answer["mode"]), ("coach_maple_avatar", 1.0, "default"), "but a request goes first")
    equal(put({"roast_consent": False}).json(), {**chosen, "roast_consent": False, "mode": "default"},
          "consent taken back ends the roast, and leaves the rest")
    before = uplift.get("/v1/preferences", user=ANN).json()
    for changes, status, code, param in (
            ({"severity": 0.9}, 400, "invalid_severity", "severity"), ({"severity": 6.1}, 400, "invalid_severity", "severity"),
            ({"severity": "3"}, 400, "invalid_severity", "severity"), ({"mode": "evil"}, 400, "invalid_mode", "mode"),
            ({"active_coach_id": "coach_nobody"}, 404, "coach_not_found", "active_coach_id"),
            ({"active_coach_id": 7}, 400, "invalid_active_coach_id", "active_coach_id"),
            ({"roast_consent": "yes"}, 400, "invalid_roast_consent", "roast_consent"),
            ({"training_consent": 1}, 400, "invalid_training_consent", "training_consent"),
            ({"training_consent_asked": "yes"}, 400, "invalid_training_consent_asked", "training_consent_asked"),
            ({"auto_select_coach": "no"}, 400, "invalid_auto_select_coach", "auto_select_coach"),
            ({"quiet_hours_start": "24:00"}, 400, "invalid_quiet_hours_start", "quiet_hours_start"),
            ({"quiet_hours_end": "7"}, 400, "invalid_quiet_hours_end", "quiet_hours_end"),
            ({"timezone": "Mars/Olympus"}, 400, "invalid_timezone", "timezone"),
            ({"severity": 2, "colour": "red"}, 400, "unknown_parameter", "colour"), ([], 400, "invalid_json", None)):
        equal(refusal(put(changes)), (status, code, param), "refused: %s" % changes)
    equal(uplift.get("/v1/preferences", user=ANN).json(), before, "and nothing of it is kept")
    equal(put({name: None for name in DEFAULTS}).json(), DEFAULTS, "null goes back to the defaults")
    equal(uplift.get("/v1/preferences", user=BOB).json(), DEFAULTS, "another user's are their own")


def coaches_and_models(uplift):
    coaches = uplift.get("/v1/coaches", user=ANN).json()["data"]
    equal([c["id"] for c in coaches if c["default"]], ["coach_decibel_avatar"], "one coach is the default")
    equal({c["name"] for c in coaches}, {"Decibel", "Maple", "Ledger"}, "all are listed")
    ok(all(set(c) == {"id", "name", "description", "default"} for c in coaches), "with what a picker needs")
    models = uplift.get("/v1/models", user=ANN).json()
    equal(models["object"], "list", "models are a list")
    equal({m["id"] for m in models["data"]}, {"sim-1", "sim-1-mini"} | {c["id"] for c in coaches},
          "of those that are configured, and the coaches")
    ok(all(set(m) == {"id", "object", "created", "owned_by"} and m["object"] == "model" for m in models["data"]), "as OpenAI's are")
    for model in models["data"]:
        equal(uplift.get("/v1/models/" + model["id"], user=ANN).json(), model, "by its name: " + model["id"])
    equal(refusal(uplift.get("/v1/models/gpt-nobody", user=ANN)), (404, "model_not_found", "model"), "an unknown model")
    for path in ("/v1/conversations", "/v1/coaches", "/v1/preferences", "/v1/models"):
        equal(uplift.get(path, user=None).status, 401, path + " wants a token")
        got = uplift.request("PATCH", path, {}, user=ANN)
        equal((got.status, "GET" in (got.headers["Allow"] or "")), (405, True), path + " says what it takes")


with Scripted() as provider, Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url, UPLIFT_WORKERS="1") as uplift:
    coaches_and_models(uplift)
    goes_along(uplift, provider)
    conversations(uplift, provider)
    preferences(uplift, provider)
done()
