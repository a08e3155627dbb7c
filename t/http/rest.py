#!/usr/bin/python3
"""/rest/v1/coach_response_feedback: PostgREST's part of it, with its statuses, headers and errors."""

import os
import sys
import urllib.parse

import psycopg2.errors

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift
from scripted import Scripted
from tap import done, equal, like, ok

ANN = "00000000-0000-7000-8000-0000000000a1"
BOB = "00000000-0000-7000-8000-0000000000b2"
DAN = "00000000-0000-7000-8000-0000000000d4"
EVE = "00000000-0000-7000-8000-0000000000e5"
NOBODYS = "01890000-0000-7000-8000-000000000000"
TABLE = "/rest/v1/coach_response_feedback"
ONE = {"Accept": "application/vnd.pgrst.object+json"}
ROWS = {"Prefer": "return=representation"}


def chat(uplift, user=ANN, **more):
    return uplift.post("/v1/chat", {"message": "hello", **more}, user=user).json()


def rest(uplift, method="GET", body=None, headers=None, user=ANN, path=TABLE, **query):
    """What supabase-js sends: filters in the query, apikey and Bearer in the headers."""
    query = "?" + urllib.parse.urlencode(query) if query else ""
    return uplift.request(method, path + query, body, user=user, headers={"apikey": uplift.anon_key, **(headers or {})})


def refusal(answer):
    """Status and code, and whether the error has PostgREST's shape."""
    error = answer.json()
    return answer.status, error.get("code"), set(error) == {"code", "details", "hint", "message"} and bool(error["message"])


# What of an answer its user is shown.
OWN = set("""id user_id coach_id user_message ai_response severity mode helpful rating feedback_text feedback_given_at conversation_id
    response_time_ms tokens_used created_at outcome error_code model_used finish_reason regenerate_of from_cache answers_tools citations""".split())


def readable(uplift, column):
    """Whether a user may read the column as PostgREST asks for it."""
    try:
        uplift.sql('select "%s" from public.coach_response_feedback limit 1' % column, user=ANN)
        return True
    except psycopg2.errors.InsufficientPrivilege:
        return False


def reads(uplift):
    made = [chat(uplift)]
    made += [chat(uplift, conversation_id=made[0]["conversation_id"]) for _ in range(2)]
    elsewhere = chat(uplift)
    theirs = chat(uplift, BOB)
    ids = [m["feedbackId"] for m in made]
    everything = ids + [elsewhere["feedbackId"]]

    got = rest(uplift)
    equal((got.status, got.headers["Content-Range"]), (200, "0-3/*"), "GET answers 200 and the range")
    like(got.headers["Content-Type"], "^application/json", "in JSON")
    equal([r["id"] for r in got.json()], everything[::-1], "own rows, the newest first")
    one = got.json()[-1]
    equal((one["user_message"], one["ai_response"], one["user_id"]), ("hello", made[0]["message"], ANN), "with what was said")
    conversation = "eq." + made[0]["conversation_id"]

    def found(**query):
        return [r["id"] for r in rest(uplift, **query).json()]

    equal(found(id="eq." + ids[1]), [ids[1]], "id=eq.")
    equal(found(conversation_id=conversation), ids[::-1], "conversation_id=eq.")
    equal(found(conversation_id=conversation, order="created_at.asc"), ids, "order=created_at.asc")
    equal(found(conversation_id=conversation, order="created_at"), ids, "asc is the default, as in PostgREST")
    equal(found(order="created_at.desc", limit=2), everything[:1:-1], "limit")
    equal(found(order="created_at.asc", limit=1, offset=1), [ids[1]], "offset")
    equal(found(limit=0), [], "limit=0")
    equal(found(user_id="eq." + ANN, limit=1), [everything[-1]], "user_id=eq. one's own")
    for query in ({"id": "eq." + theirs["feedbackId"]}, {"user_id": "eq." + BOB}, {"id": "eq." + NOBODYS},
                  {"conversation_id": "eq." + theirs["conversation_id"]}):
        got = rest(uplift, **query)
        equal((got.status, got.json(), got.headers["Content-Range"]), (200, [], "*/*"), "no row of others: %s" % list(query))

    got = rest(uplift, select="id,helpful", id="eq." + ids[0])
    equal(got.json(), [{"id": ids[0], "helpful": None}], "select takes columns")
    equal(rest(uplift, select='"rating", id', id="eq." + ids[0]).json(), [{"rating": None, "id": ids[0]}], "also quoted ones")
    equal(len(rest(uplift, select="*", id="eq." + ids[0]).json()[0]), len(one), "and * for all")
    equal(set(one), OWN, "which is what concerns the user")
    for hidden in ("system_prompt", "attempts", "cost_usd", "id,provider"):
        equal(refusal(rest(uplift, select=hidden, id="eq." + ids[0])), (403, "42501", True), "select=%s is refused, as by PostgREST" % hidden)
    shown = [name for name in uplift.row(ids[0]) if readable(uplift, name)]
    equal(set(shown), OWN, "and by Postgres, to the same columns")
    single = rest(uplift, headers=ONE, select="id", id="eq." + ids[0])
    equal((single.status, single.json()), (200, {"id": ids[0]}), "Accept of one object gives an object")
    like(single.headers["Content-Type"], r"^application/vnd\.pgrst\.object\+json", "of that type")
    for query, count in (({"id": "eq." + NOBODYS}, 0), ({"conversation_id": conversation}, 3)):
        got = rest(uplift, headers=ONE, **query)
        equal((got.status, got.json()), (406, {"code": "PGRST116", "details": "The result contains %d rows" % count, "hint": None,
                                               "message": "Cannot coerce the result to a single JSON object"}), "one object of %d rows" % count)
    head = rest(uplift, "HEAD")
    equal((head.status, head.body, head.headers["Content-Range"]), (200, b"", "0-3/*"), "HEAD has no body")

    for query, status, code in (
            ({"select": "id,nonsense"}, 400, "42703"), ({"select": "id;drop"}, 400, "42703"), ({"id": "eq.x"}, 400, "22P02"),
            ({"id": ids[0]}, 400, "PGRST100"), ({"helpful": "eq.perhaps"}, 400, "22P02"), ({"helpful": "equals.true"}, 400, "PGRST100"),
            ({"nonsense": "eq.1"}, 400, "42703"), ({"order": "nonsense.desc"}, 400, "42703"), ({"order": "created_at;"}, 400, "42703"),
            ({"order": "created_at.down"}, 400, "PGRST100"), ({"rating": "gt.many"}, 400, "22P02"), ({"rating": "like.5*"}, 404, "42883"),
            ({"rating": "is.5"}, 400, "PGRST100"), ({"rating": "in.5"}, 400, "PGRST100"), ({"rating": "in.(5"}, 400, "PGRST100"),
            ({"or": "rating.eq.5"}, 400, "PGRST100"), ({"or": "(rating.eq.5"}, 400, "PGRST100"), ({"or": "(rating)"}, 400, "PGRST100"),
            ({"and": "(id.eq.1)"}, 400, "22P02"), ({"or": "()"}, 400, "PGRST100"), ({"or": "(" * 50}, 400, "PGRST100"),
            ({"select": "id,other(*)"}, 400, "PGRST200"), ({"select": "id::regclass"}, 400, "PGRST100"), ({"select": "id,"}, 400, "PGRST100"),
            ({"limit": "-1"}, 416, "PGRST103"), ({"offset": "-1"}, 416, "PGRST103"), ({"rating": "match.^5"}, 400, "PGRST100"),
            ({"limit": "many"}, 400, "PGRST100"), ({"offset": "99999999999999"}, 400, "PGRST100"),
            ({"id": "in.(%s)" % ",".join([ids[0]] * 101)}, 400, "PGRST100")):
        equal(refusal(rest(uplift, **query)), (status, code, True), "refused: %.60s" % query)
    equal(refusal(rest(uplift, select="nonsense", id="eq." + NOBODYS))[:2], (400, "42703"), "an unknown column, where there is no row, too")
    equal(refusal(rest(uplift, headers={"Accept": "text/csv"})), (406, "PGRST107", True), "another type than JSON")


def filters(uplift):
    """PostgREST's own language of filters, over HTTP. t/sql/functions/rest.sql has each operator by itself."""
    said = ["Run, now!", 'Say "yes" (loudly)', "100% *sure*", "a.b,c"]
    ids = [chat(uplift, EVE, message=text)["feedbackId"] for text in said]
    for number, (answer, changes) in enumerate(zip(ids, ({"helpful": True, "rating": 5}, {"rating": 2}, {"helpful": False}, {}))):
        if changes:
            uplift.post("/v1/feedback/" + answer, changes, user=EVE)

    def found(query):
        got = rest(uplift, user=EVE, path=TABLE + "?select=id&order=created_at&" + query)
        return [ids.index(row["id"]) for row in got.json()] if got.status == 200 else (got.status, got.text)

    def quoted(text):
        return urllib.parse.quote(text)

    for query, wanted in (
            ("rating=gte.2", [0, 1]), ("rating=not.gte.3", [1]), ("rating=is.null", [2, 3]), ("rating=not.is.null", [0, 1]), ("helpful=is.true", [0]),
            ("helpful=neq.true", [2]), ("id=in.(%s,%s)" % (ids[1], ids[3]), [1, 3]), ("id=not.in.(%s)" % ids[1], [0, 2, 3]), ("id=in.()", []),
            ("user_message=in." + quoted('("Run, now!","Say \\"yes\\" (loudly)",nothing)'), [0, 1]),
            ("user_message=eq." + quoted("Run, now!"), [0]), ("user_message=eq." + quoted('Say "yes" (loudly)'), [1]),
            ("user_message=like." + quoted("*(loud*"), [1]), ("user_message=ilike." + quoted("RUN%"), [0]), ("user_message=ilike.*a*", [1, 3]),
            ("user_message=like(any)." + quoted("{Run*,*sure*}"), [0, 2]), ("rating=eq(any).{2,5}", [0, 1]),
            ("or=(rating.eq.5,rating.is.null)", [0, 2, 3]), ("not.or=(rating.eq.5,rating.is.null)", [1]), ("or=(helpful.is.true,and(rating.gt.1,rating.lt.3))", [0, 1]),
            ("and=(rating.gt.1,not.or(rating.eq.5,rating.eq.4))", [1]), ("or=" + quoted('(user_message.eq."Run, now!",user_message.like.*sure*)'), [0, 2]),
            ("or=" + quoted('(user_message.in.("a.b,c","x"),rating.not.in.(2,3))'), [0, 3]), ("or=(rating.eq.2,rating.eq.5)&helpful=is.true", [0]),
            ("rating=gt.1&rating=lt.5", [1]), ("rating=isdistinct.5", [1, 2, 3]),
            ("rating=eq.5&or=(id.eq.%s,user_id.eq.%s)" % (ids[0], ANN), [0]), ('%22rating%22=eq.5', [0])):
        equal(found(query), wanted, "?" + urllib.parse.unquote(query)[:90])

    def row(select):
        return rest(uplift, user=EVE, headers=ONE, path=TABLE + "?id=eq.%s&select=%s" % (ids[0], quoted(select))).json()

    equal(row("stars:rating,helpful"), {"stars": 5, "helpful": True}, "select takes other names")
    equal(row("rating::text,thumb:helpful::text"), {"rating": "5", "thumb": "true"}, "and types")
    equal(len(row("*,stars:rating")), len(row("*")) + 1, "and more beside all")
    stripped = rest(uplift, user=EVE, headers={"Accept": "application/vnd.pgrst.array+json;nulls=stripped"}, select="rating,regenerate_of", id="eq." + ids[0])
    equal(stripped.json(), [{"rating": 5}], "and no nulls")
    ordered = rest(uplift, user=EVE, path=TABLE + "?select=id&order=rating.desc.nullslast,created_at.desc").json()
    equal([ids.index(r["id"]) for r in ordered], [0, 1, 3, 2], "order takes several columns, and where nulls go")


def pages(uplift):
    """Content-Range, counts, Range, HEAD, as PostgREST has them."""
    def page(query, method="GET", **headers):
        got = rest(uplift, method, user=EVE, headers={k.replace("_", "-"): v for k, v in headers.items()}, path=TABLE + "?select=id&" + query)
        return got.status, got.headers["Content-Range"], len(got.json()) if method == "GET" and got.status < 300 else got.body

    exact = {"Prefer": "count=exact"}
    equal(page(""), (200, "0-3/*", 4), "where a page begins and ends")
    equal(page("offset=1&limit=2"), (200, "1-2/*", 2), "with the offset")
    equal(page("offset=9"), (200, "*/*", 0), "behind the last one there are none")
    equal(page("limit=0"), (200, "*/*", 0), "nor in a page of none")
    equal(page("", **exact), (200, "0-3/4", 4), "count=exact says how many there are")
    equal(page("offset=1&limit=2", **exact), (206, "1-2/4", 2), "a part of them is 206")
    equal(page("rating=gt.2&limit=1", **exact), (200, "0-0/1", 1), "of what is filtered")
    equal(page("rating=gt.7", **exact), (200, "*/0", 0), "of none, none")
    equal(page("offset=4", **exact), (206, "*/4", 0), "just behind the last")
    beyond = rest(uplift, user=EVE, headers=exact, offset=5)
    equal((beyond.status, beyond.json()["code"], beyond.json()["details"]),
          (416, "PGRST103", "An offset of 5 was requested, but there are only 4 rows."), "further on there is nothing")
    equal(page("limit=1", Prefer="count=estimated"), (206, "0-0/4", 1), "count=estimated of few is exact")
    planned = page("limit=1", Prefer="count=planned")
    like(planned[1], r"^0-0/\d+$", "count=planned is what the planner thinks")
    equal(page("", "HEAD", **exact), (200, "0-3/4", b""), "HEAD counts, without the rows")
    equal(page("offset=1&limit=1", "HEAD", **exact), (206, "1-1/4", b""), "of a page, too")
    equal(page("offset=5", "HEAD", **exact)[0], 416, "and refuses as GET does")
    equal(page("", Range="1-2", Range_Unit="items"), (200, "1-2/*", 2), "Range says the same")
    equal(page("", Range="1-"), (200, "1-3/*", 3), "with an open end")
    equal(page("offset=1", Range="2-9", **exact), (206, "2-3/4", 2), "and narrows what the query says")
    equal(page("limit=1", Range="1-2"), (200, "*/*", 0), "down to nothing")
    equal(page("", Range="bytes=0-1"), (200, "0-3/*", 4), "another unit is not ours")
    equal(refusal(rest(uplift, user=EVE, headers={"Range": "2-1"})), (416, "PGRST103", True), "an end before the beginning")
    got = rest(uplift, user=EVE, headers={"Prefer": "count=exact, return=minimal", "Origin": "https://app.example"})
    equal(got.headers["Preference-Applied"], "return=minimal, count=exact", "what was preferred is told")
    ok("content-range" in got.headers["Access-Control-Expose-Headers"].lower(), "and pages may read the range")


def changes(uplift):
    mine, theirs = chat(uplift)["feedbackId"], chat(uplift, BOB)["feedbackId"]

    def patch(body, headers=None, id=mine, **more):
        return rest(uplift, "PATCH", body, headers, id="eq." + id, **more)

    got = patch({"helpful": True})
    equal((got.status, got.body, got.headers["Content-Range"]), (204, b"", "0-0/*"), "PATCH answers 204 and which rows")
    equal(patch({"rating": 4}, {"Prefer": "return=minimal"}).status, 204, "with return=minimal, too")
    got = patch({"feedback_text": "well"}, ROWS)
    equal((got.status, [(r["id"], r["helpful"], r["rating"], r["feedback_text"]) for r in got.json()]),
          (200, [(mine, True, 4, "well")]), "with return=representation the rows")
    ok(got.json()[0]["feedback_given_at"], "as they are now")
    equal(set(got.json()[0]), OWN, "with the columns that GET has")
    equal(refusal(patch({"rating": 1}, ROWS, select="system_prompt"))[:2], (403, "42501"), "and no other, for the asking")
    got = patch({"rating": 5}, {**ROWS, **ONE}, select="id,rating")
    equal((got.status, got.json()), (200, {"id": mine, "rating": 5}), "as one object, with the columns asked for")
    equal(patch({"rating": None}, user_id="eq." + ANN).status, 204, "filtered by one's own user_id as well")
    row = uplift.row(mine)
    equal((row["helpful"], row["rating"], row["feedback_text"]), (True, None, "well"), "the row has it all")
    equal(patch({}).status, 204, "nothing to change is no error")

    for id in (theirs, NOBODYS):
        got = patch({"helpful": True}, id=id)
        equal((got.status, got.headers["Content-Range"], patch({"helpful": True}, ROWS, id).json()), (204, "*/*", []),
              "no row of others, and none that is not there")
        equal(refusal(patch({"helpful": True}, {**ROWS, **ONE}, id))[:2], (406, "PGRST116"), "nor as one object")
    equal(uplift.row(theirs)["helpful"], None, "which is as it was")

    count = uplift.value("select count(*) from uplift.feedback_events")
    for body, status, code in (
            ({"ai_response": "forged"}, 403, "42501"), ({"helpful": True, "user_id": BOB}, 403, "42501"), ({"id": NOBODYS}, 403, "42501"),
            ({"nonsense": 1}, 400, "PGRST204"), ({"rating": 9}, 400, "23514"), ({"rating": "x"}, 400, "22P02"),
            ({"helpful": "maybe"}, 400, "22P02"), ([], 400, "PGRST102"), ("not JSON", 400, "PGRST102"), (None, 400, "PGRST102")):
        equal(refusal(patch(body)), (status, code, True), "refused: %s" % (body,))
    equal(refusal(patch({"helpful": True}, id="x")), (400, "22P02", True), "a malformed id")
    equal(refusal(rest(uplift, "PATCH", {"helpful": False})), (400, "21000", True), "no filter at all")
    for query in ({"id": "eq." + mine, "limit": 1}, {"id": "eq." + mine, "offset": 1}, {"id": mine}, {"id": "in." + mine}):
        equal(refusal(rest(uplift, "PATCH", {"helpful": False}, **query)), (400, "PGRST100", True), "refused: %s" % list(query.items())[-1:])
    equal(refusal(patch({"rating": 1}, ROWS, select="nonsense"))[:2], (400, "42703"), "an unknown column in select")
    equal(uplift.row(mine)["rating"], None, "is noticed before anything is changed")
    equal(uplift.value("select count(*) from uplift.feedback_events"), count, "nothing that was refused is done")
    for method in ("POST", "DELETE"):
        equal(refusal(rest(uplift, method, {"helpful": True}, id="eq." + mine)), (403, "42501", True), method + " is not permitted")


def many_changes(uplift):
    """An update of the rows that filters find."""
    ids = [chat(uplift, DAN)["feedbackId"] for _ in range(3)]

    def patch(body, query, **headers):
        return rest(uplift, "PATCH", body, {k.replace("_", "-"): v for k, v in headers.items()}, DAN, TABLE + "?" + query)

    got = patch({"helpful": True}, "id=in.(%s,%s)&select=id,helpful&order=created_at.desc" % (ids[0], ids[1]), **ROWS)
    equal((got.status, got.json(), got.headers["Content-Range"]), (200, [{"id": i, "helpful": True} for i in (ids[1], ids[0])], "0-1/*"), "a list of ids")
    got = patch({"rating": 3}, "helpful=is.null", Prefer="count=exact")
    equal((got.status, got.headers["Content-Range"]), (204, "0-0/1"), "those without a thumb")
    equal(patch({"rating": 4}, "rating=is.null&user_id=eq." + DAN, Prefer="count=exact").headers["Content-Range"], "0-1/2", "of oneself")
    equal([uplift.row(i)["rating"] for i in ids], [4, 4, 3], "each row has it")
    equal(patch({"rating": 1}, "conversation_id=eq." + NOBODYS, Prefer="count=exact").headers["Content-Range"], "*/0", "of none, none")
    got = patch({"rating": 1}, "rating=gt.0", **ROWS, **ONE)
    equal((got.status, got.json()["code"], got.json()["details"]), (406, "PGRST116", "The result contains 3 rows"), "one object of three")
    got = patch({"rating": 1}, "rating=gt.0", Prefer="handling=strict, max-affected=2")
    equal((got.status, got.json()["code"]), (400, "PGRST124"), "more than were allowed")
    equal([uplift.row(i)["rating"] for i in ids], [4, 4, 3], "and nothing is changed")
    equal(uplift.value("select count(*) from uplift.feedback_events where user_id = %s", DAN), 5, "the history has one event for each row")


def elsewhere(uplift):
    for path in ("/rest/v1/conversations", "/rest/v1/", "/rest/v1/rpc/extract_user_memories"):
        for method in ("GET", "POST"):
            equal(refusal(rest(uplift, method, {} if method == "POST" else None, path=path)), (404, "PGRST205", True),
                  "%s %s is not there" % (method, path))
    got = rest(uplift, "PUT", {})
    equal(refusal(got), (405, "PGRST117", True), "PUT is not taken")
    like(got.headers["Allow"], "GET, PATCH", "and it is said what is")
    got = uplift.get(TABLE, user=None)
    equal(refusal(got), (401, "PGRST301", True), "without a token")
    equal(got.headers["WWW-Authenticate"], "Bearer", "which says how to sign in")
    equal(refusal(uplift.get(TABLE, token=uplift.anon_key, headers={"apikey": uplift.anon_key})), (401, "PGRST301", True), "with the public key alone")
    equal(refusal(uplift.get(TABLE, token=uplift.token(ANN, exp=1))), (401, "PGRST303", True), "with a token that has expired")


def streaming(uplift, provider):
    provider.hold()
    stream = uplift.stream("/v1/chat", {"message": "hello"}, user=ANN)
    ok(stream.read_until("delta"), "an answer streams")
    id = stream.feedback_id()
    equal(rest(uplift, id="eq." + id).json(), [], "its row cannot be read yet")
    equal(rest(uplift, "PATCH", {"helpful": True}, id="eq." + id).status, 204, "but be changed")
    got = rest(uplift, "PATCH", {"rating": 5}, {**ROWS, **ONE}, id="eq." + id, select="id,rating")
    equal((got.status, got.json()), (200, {"id": id, "rating": 5}), "and shown as changed")
    got = rest(uplift, "PATCH", {"feedback_text": "so far"}, {**ROWS, **ONE}, id="eq." + id, select="helpful,rating,ai_response")
    equal((got.status, got.json()), (200, {"helpful": True, "rating": 5, "ai_response": None}), "with all that was said, and nothing of the answer")
    equal(rest(uplift, "PATCH", {"helpful": False}, ROWS, BOB, id="eq." + id).json(), [], "by its user alone")
    equal(refusal(rest(uplift, "PATCH", {"ai_response": "forged"}, id="eq." + id)), (403, "42501", True), "and only in what is feedback")
    provider.go()
    equal(list(stream)[-1].get("done"), True, "the answer ends")
    row = rest(uplift, headers=ONE, select="helpful,rating,ai_response", id="eq." + id).json()
    equal(row, {"helpful": True, "rating": 5, "ai_response": provider.says}, "and its row has the feedback")


with Scripted() as provider, Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url) as uplift:
    reads(uplift)
    filters(uplift)
    pages(uplift)
    changes(uplift)
    many_changes(uplift)
    elsewhere(uplift)
    streaming(uplift, provider)
done()
