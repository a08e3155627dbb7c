#!/usr/bin/python3
"""Bad input of every kind: the right status and code in the one shape of errors, nothing recorded, nobody dies."""

import json
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import USER, Uplift  # noqa: E402
from tap import done, equal, ok  # noqa: E402

OTHER = "00000000-0000-7000-8000-0000000000ff"
NOBODY = "/" + str(uuid.uuid4())
CHAT, COMPLETIONS = "/v1/chat", "/v1/chat/completions"
REST = "/rest/v1/coach_response_feedback"
RECORDED = ("select (select count(*) from public.coach_response_feedback), (select count(*) from uplift.conversations),"
            " (select count(*) from uplift.feedback_events),"
            " (select count(*) from public.user_coach_preferences)")

# What is no JSON, or JSON that readers might read differently.
TEXTS = {
    "nothing": b"", "a word": b"hello", "half": b'{"message": "hi"', "a list": b'[{"message": "hi"}]', "a text": b'"hi"',
    "null": b"null", "single quotes": b"{'message': 'hi'}", "a comma too many": b'{"message": "hi",}',
    "garbage behind": b'{"message": "hi"} x', "two values": b'{"message": "hi"}{"message": "hi"}',
    "a byte order mark": b'\xef\xbb\xbf{"message": "hi"}', "UTF-16": '{"message": "hi"}'.encode("utf-16"),
    "invalid UTF-8": b'{"message": "\xff"}', "overlong UTF-8": b'{"message": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"message": "\xed\xa0\x80"}', "a cut character": b'{"message": "\xe2\x82"}',
    "a lone high surrogate": b'{"message": "\\ud83d"}', "a lone low surrogate": b'{"message": "\\ude00"}',
    "a raw NUL": b'{"message": "a\0b"}', "an escaped NUL": b'{"message": "a\\u0000b"}', "NUL behind": b'{"message": "hi"}\0',
    "a NUL in a name": b'{"mess\\u0000age": "hi"}', "a raw line feed": b'{"message": "a\nb"}',
    "an unknown escape": b'{"message": "\\x41"}', "a name twice": b'{"message": "hi", "message": "ho"}',
    "a name twice, once escaped": b'{"message": "hi", "messag\\u0065": "ho"}',
    "1e999": b'{"message": "hi", "severity": 1e999}', "NaN": b'{"message": "hi", "severity": NaN}',
    "Infinity": b'{"message": "hi", "severity": Infinity}', "a leading zero": b'{"message": "hi", "severity": 03}',
    "hexadecimal": b'{"message": "hi", "severity": 0x3}', "a huge integer": b'{"severity": 123456789012345678901234567890}',
    "a number of 100 KB": b'{"severity": ' + b"1" * 100000 + b"}", "1e-999": b'{"message": "hi", "severity": 1e-999}',
    "deep lists": b'{"message": ' + b"[" * 100000 + b"]" * 100000 + b"}", "65 levels": b'{"a":' * 65 + b"1" + b"}" * 65,
    "deep and never closed": b"[" * 1000000, "a value too many": b'{"z":[' + b"0," * 100000 + b"0]}",
}
SMALL = 16384  # bytes that are taken of anything but chats


def hello(**more):
    return {"message": "hi", **more}


def asked(**more):
    return {"model": "sim-1", "messages": [{"role": "user", "content": "hi"}], **more}


# path, body, status, code, param
CHATS = [
    (CHAT, {}, 400, "missing_message", "message"), (CHAT, hello(message=None), 400, "missing_message", "message"),
    *((CHAT, hello(message=m), 400, "invalid_message", "message") for m in (7, True, [], {}, ["hi"])),
    (CHAT, hello(message=""), 400, "empty_message", "message"), (CHAT, hello(message=" \t\r\n"), 400, "empty_message", "message"),
    (CHAT, hello(message="a" * 1048576), 400, "message_too_long", "message"),
    (CHAT, hello(severty=3), 400, "unknown_parameter", "severty"),
    *((CHAT, hello(stream=s), 400, "invalid_stream", "stream") for s in (1, "true", [])),
    (COMPLETIONS, {"model": "sim-1"}, 400, "invalid_messages", "messages"),
    *((COMPLETIONS, asked(messages=m), 400, "invalid_messages", "messages")
      for m in ([], {}, "hi", 7, None, ["hi"], [{}], [{"role": 1}], [{"role": "user", "content": 7}],
                [{"role": "user", "content": {}}])),
    (COMPLETIONS, asked(messages=[{"role": "user", "content": "hi"}] * 5000), 400, "too_many_messages", "messages"),
    *((COMPLETIONS, asked(model=m), 400, "invalid_model", "model") for m in ("", 7, [], "m" * 257)),
    *((COMPLETIONS, asked(n=n), 400, "unsupported_n", "n") for n in (0, 2, 1.5, "1")),
    (COMPLETIONS, asked(stream="yes"), 400, "invalid_stream", "stream"),
    (COMPLETIONS, asked(stream_options=[]), 400, "invalid_stream_options", "stream_options"),
    (COMPLETIONS, asked(metadata="x"), 400, "invalid_metadata", "metadata"),
    (COMPLETIONS, asked(model="coach_nobody"), 404, "coach_not_found", "coach_id"),
    (COMPLETIONS, asked(model="uplift/nobody"), 404, "coach_not_found", "coach_id"),
    *((COMPLETIONS, asked(metadata={"severity": s}), 400, "invalid_severity", "severity")
      for s in ("nine", "9", "", "nan", "3x", "0x3", " 3", [])),
]
for path, make in ((CHAT, hello), (COMPLETIONS, asked)):
    CHATS += [
        *((path, make(severity=s), 400, "invalid_severity", "severity")
          for s in (0, 9, -1, 0.99, 6.01, 1e300, "3", True, [], {})),
        *((path, make(coach_id=c), 400, "invalid_coach_id", "coach_id") for c in ("", 7, [], {}, True, "c" * 129)),
        *((path, make(mode=m), 400, "invalid_mode", "mode") for m in ("", 7, [], "polite", "m" * 33)),
        *((path, make(conversation_id=i), 400, "invalid_conversation_id", "conversation_id")
          for i in ("", 7, "x", "00000000", USER + "0", USER.replace("-", ""), "{%s}" % USER, USER[:-1] + "g")),
        (path, make(regenerate_of="x"), 400, "invalid_regenerate_of", "regenerate_of"),
        (path, make(coach_id="coach_nobody"), 404, "coach_not_found", "coach_id"),
        (path, make(regenerate_of=NOBODY[1:]), 404, "answer_not_found", "regenerate_of"),
    ]

# method, path, body, status, code
ROUTES = [
    *(("PATCH", "/v1/feedback" + NOBODY, b, 400, c) for b, c in (
        ({}, "nothing_to_change"), ({"helpful": 1}, "invalid_helpful"), ({"helpful": "true"}, "invalid_helpful"),
        ({"rating": 0}, "invalid_rating"), ({"rating": 6}, "invalid_rating"), ({"rating": 4.5}, "invalid_rating"),
        ({"rating": "5"}, "invalid_rating"), ({"rating": True}, "invalid_rating"),
        ({"feedback_text": 7}, "invalid_feedback_text"), ({"feedback_text": "a" * 10001}, "invalid_feedback_text"),
        ({"user_id": OTHER}, "unknown_parameter"), ({"helpful": True, "tokens_used": 0}, "unknown_parameter"))),
    ("PATCH", "/v1/feedback" + NOBODY, {"helpful": True}, 404, "answer_not_found"),
    ("GET", "/v1/feedback" + NOBODY, None, 404, "answer_not_found"),
    ("PATCH", "/v1/feedback/x", {"helpful": True}, 400, "invalid_id"),
    ("GET", "/v1/feedback/%2e%2e%2fx", None, 404, "unknown_url"),
    ("POST", "/v1/feedback/" + USER + "0", {"helpful": True}, 400, "invalid_id"),
    ("GET", "/v1/conversations/" + USER.replace("-", ""), None, 400, "invalid_id"),
    ("GET", "/v1/conversations/%ff", None, 400, "invalid_id"),
    ("GET", "/v1/conversations" + NOBODY, None, 404, "conversation_not_found"),
    ("DELETE", "/v1/conversations" + NOBODY, None, 404, "conversation_not_found"),
    *(("GET", "/v1/conversations?limit=" + n, None, 400, "invalid_limit")
      for n in ("0", "-1", "101", "x", "", "1.5", "99999999999999999999", "5x", "%2b5", "%205")),
    *(("GET", "/v1/conversations?before=" + b, None, 400, "invalid_value") for b in ("yesterday-ish", "", "9e99", "%27")),
    *(("GET", "/v1/conversations?" + q, None, 400, "invalid_query")
      for q in ("limit=%zz", "limit=%00", "a=%ff", "%", "&".join("a%d=1" % i for i in range(40)))),
    *(("PUT", "/v1/preferences", b, 400, c) for b, c in (
        ({"severity": 9}, "invalid_severity"), ({"severity": "x"}, "invalid_severity"), ({"mode": 7}, "invalid_mode"),
        ({"roast_consent": "yes"}, "invalid_roast_consent"), ({"nonsense": 1}, "unknown_parameter"))),
    ("PUT", "/v1/preferences", {"active_coach_id": "coach_nobody"}, 404, "coach_not_found"),
    ("GET", "/v1/models/nothing", None, 404, "model_not_found"),
    *(("GET", p, None, 404, "unknown_url") for p in ("/v1/nothing", "/v1/chat/", "/v1/chat/x", "/v1/", "/v1/feedback/",
                                                     "/v1/feedback" + NOBODY + "/x", "/v1/models/", "/v1/%0d%0aX:y")),
    *(("DELETE", p, None, 405, "method_not_allowed") for p in (CHAT, COMPLETIONS, "/v1/feedback" + NOBODY, "/v1/coaches",
                                                               "/v1/preferences", "/v1/models", "/healthz", "/readyz")),
    ("PUT", CHAT, {}, 405, "method_not_allowed"), ("FROB", CHAT, None, 405, "method_not_allowed"),
    ("PUT", "/v1/conversations" + NOBODY, {}, 405, "method_not_allowed"),
]
# The same, where supabase-js expects PostgREST's shape and codes.
RESTS = [
    ("PATCH", REST, {"helpful": True}, 400, "21000"), ("PATCH", REST + "?id=eq.x", {"helpful": True}, 400, "22P02"),
    ("PATCH", REST + "?id=more." + USER, {"helpful": True}, 400, "PGRST100"),
    ("PATCH", REST + "?rating=eq.many", {"helpful": True}, 400, "22P02"),
    ("PATCH", REST + "?id=eq." + USER, {"user_id": OTHER}, 403, "42501"),
    ("PATCH", REST + "?id=eq." + USER, {"nonsense": 1}, 400, "PGRST204"),
    ("PATCH", REST + "?id=eq." + USER, b"{", 400, "PGRST102"), ("PATCH", REST + "?id=eq." + USER, b"[]", 400, "PGRST102"),
    ("GET", REST + "?id=%zz", None, 400, "PGRST100"), ("GET", REST + "?id=eq.%ff", None, 400, "PGRST100"),
    ("GET", REST + "?id=eq.x", None, 400, "22P02"), ("GET", REST + "?order=nonsense", None, 400, "42703"),
    ("GET", REST + "?limit=x", None, 400, "PGRST100"), ("GET", REST + "?nonsense=eq.1", None, 400, "42703"),
    ("POST", REST, [{}], 403, "42501"), ("DELETE", REST + "?id=eq." + USER, None, 403, "42501"),
    ("PUT", REST, {}, 405, "PGRST117"), ("GET", "/rest/v1/users", None, 404, "PGRST205"),
]


def shape(answer, rest):
    """What is wrong with the form of an error, or None."""
    try:
        error = answer.json() if rest else answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return "no error: %r" % answer.text[:200]
    keys = ["code", "details", "hint", "message"] if rest else ["code", "message", "param", "type"]
    if sorted(error) != keys or not (rest or list(answer.json()) == ["error"]):
        return "other members: %s" % answer.text
    if not isinstance(error["message"], str) or len(error["message"]) < 12 or not isinstance(error["code"], str):
        return "says nothing: %s" % answer.text
    if answer.headers["Content-Type"] != "application/json" or not answer.headers["X-Request-Id"]:
        return "headers: %s" % answer.headers
    if answer.status == 405 and not answer.headers["Allow"]:
        return "405 without Allow"
    return None


def check(uplift, method, path, body, status, code, param=None, rest=False, name=None, token=None):
    answer = uplift.request(method, path, body, token=token)
    wrong = shape(answer, rest)
    got = answer.status, (answer.json().get("code") if rest else answer.error().get("code")) if not wrong else wrong
    if param is not None:
        got += (answer.error().get("param"),)
        status, code = (status, code), param
        got = (got[:2], got[2])
    shown = name or (body if isinstance(body, (bytes, type(None))) else json.dumps(body))
    ok(got == (status, code), "%s %s %s" % (method, path[:60], str(shown)[:60]),
       "got %r, wanted %r\n%s" % (got, (status, code), answer.text[:300]))


def others(uplift):
    """What belongs to somebody else is as if it were not there."""
    answer = uplift.post(CHAT, hello(), token=uplift.token(OTHER))
    theirs, conversation = answer.json()["feedbackId"], answer.json()["conversation_id"]
    uplift.row(theirs)
    check(uplift, "GET", REST + "?select=nonsense", None, 400, "42703", rest=True, token=uplift.token(OTHER))
    before = uplift.sql(RECORDED)
    for path, body in ((CHAT, hello(mode="roast")), (COMPLETIONS, asked(mode="roast", coach_id="coach_decibel_avatar"))):
        check(uplift, "POST", path, body, 403, "roast_consent_required", "mode", token=uplift.token(OTHER))
    for path, body in ((CHAT, hello(conversation_id=conversation)), (COMPLETIONS, asked(conversation_id=conversation))):
        check(uplift, "POST", path, body, 404, "conversation_not_found", "conversation_id")
    check(uplift, "POST", CHAT, hello(regenerate_of=theirs), 404, "answer_not_found", "regenerate_of")
    for method in ("GET", "DELETE"):
        check(uplift, method, "/v1/conversations/" + conversation, None, 404, "conversation_not_found")
    for method, body in (("GET", None), ("PATCH", {"helpful": True})):
        check(uplift, method, "/v1/feedback/" + theirs, body, 404, "answer_not_found")
    equal(uplift.get(REST + "?id=eq." + theirs).json(), [], "another's answer cannot be read by supabase-js")
    answer = uplift.request("PATCH", REST + "?id=eq." + theirs, {"helpful": True}, headers={"Prefer": "return=representation"})
    equal((answer.status, answer.json()), (200, []), "nor rated")
    equal(uplift.sql(RECORDED), before, "and nothing of it is changed")


def large_refusals(uplift):
    """A request is read to its very end before it is refused: nginx makes 502 of a connection that closes earlier."""
    seen = {uplift.post(CHAT, b"x" * (100000 + 10007 * i)).status for i in range(60)}
    equal(seen, {400}, "large bodies are refused for what they are")
    uplift.configure(UPLIFT_MAX_BODY_BYTES="64K", UPLIFT_MAX_MESSAGE_BYTES="32K")
    uplift.restart_chat()
    seen = {uplift.post(CHAT, b"x" * (100000 + 30007 * i)).status for i in range(20)}
    equal(seen, {413}, "so are those that only fcgi-chat finds too large")
    equal(uplift.post(CHAT, hello()).status, 200, "a chat is answered after all that")


def main():
    with Uplift() as uplift:
        before, workers = uplift.sql(RECORDED), sorted(uplift.workers())
        for name, text in TEXTS.items():
            wrong = 400, "invalid_json" if text else "empty_body"
            for method, path in (("POST", CHAT), ("POST", COMPLETIONS), ("PATCH", "/v1/feedback" + NOBODY),
                                 ("PUT", "/v1/preferences")):
                if path == COMPLETIONS and name == "a huge integer":
                    continue  # goes to the provider as it came
                large = len(text) > SMALL and path not in (CHAT, COMPLETIONS)
                check(uplift, method, path, text, *((413, "request_too_large") if large else wrong), name=name)
        for path, body, status, code, param in CHATS:
            check(uplift, "POST", path, body, status, code, param)
        for case in ROUTES:
            check(uplift, *case)
        for case in RESTS:
            check(uplift, *case, rest=True)
        check(uplift, "POST", CHAT, b" " * (8 * 1048576 + 1), 413, "request_too_large", name="a body of 8 MB and a byte")
        equal(uplift.sql(RECORDED), before, "none of it is recorded")
        others(uplift)
        for kind in (None, "text/plain", "application/x-www-form-urlencoded", "nonsense;;;=", "application/json; charset=x"):
            answer = uplift.post(CHAT, json.dumps(hello()).encode(), headers={"Content-Type": kind})
            equal(answer.status, 200, "JSON is taken as Content-Type %s" % kind)
        for severity, taken in ((1, "1.0"), (1.05, "1.1"), (6, "6.0"), (2.94, "2.9")):
            answer = uplift.post(CHAT, hello(severity=severity))
            row = uplift.row(answer.json()["feedbackId"])
            ok(abs(float(row["severity"]) - float(taken)) < 0.06, "severity %s counts as about %s" % (severity, taken), row)
        equal(uplift.post(COMPLETIONS, asked(metadata={"severity": "4.5"})).status, 200, "metadata may have numbers as text")
        equal(sorted(uplift.workers()), workers, "no worker died")
        large_refusals(uplift)
    done()


if __name__ == "__main__":
    main()
