// uplift.js: its parser of server-sent events, its errors, its retries, its answers; against a real HTTP server.
import assert from "node:assert/strict";
import http from "node:http";
import { after, test } from "node:test";

const { SseParser, Uplift, UpliftError } = await import(`${process.env.PAGE_DIR}/lib/uplift.js`);

const bytes = (text) => new TextEncoder().encode(text);

function parse(...chunks) {
  const parser = new SseParser();
  return chunks.flatMap((chunk) => parser.push(typeof chunk === "string" ? bytes(chunk) : chunk));
}

const data = (events) => events.map((event) => event.data);

// --- server-sent events

test("sse: events, comments, fields without colon, one space after it", () => {
  assert.deepEqual(data(parse("data: a\n\n: a comment\ndata:b\ndata:  c\n\ndata\n\nfoo: x\n\n")), ["a", "b\n c", ""]);
});

test("sse: event and id", () => {
  assert.deepEqual(parse("event: e\nid: 7\ndata: x\n\ndata: y\n\nid: a\0b\ndata: z\n\n"), [
    { event: "e", data: "x", id: "7" }, { event: "message", data: "y", id: "7" }, { event: "message", data: "z", id: "7" }]);
});

test("sse: an event without its blank line is dropped", () => {
  assert.deepEqual(parse("data: a\n\ndata: b\n").length, 1);
  assert.deepEqual(parse("event: only\n\n"), []);
});

test("sse: chunk borders anywhere, with every line end, give the same events", () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    const text = `\ufeffdata: grüße 🏃${end}data: zwei${end}${end}: ping${end}${end}data: {"a":1}${end}${end}`;
    const whole = bytes(text);
    const wanted = ["grüße 🏃\nzwei", '{"a":1}'];
    for (let cut = 0; cut <= whole.length; cut++) {
      assert.deepEqual(data(parse(whole.slice(0, cut), whole.slice(cut))), wanted, `${JSON.stringify(end)} cut at ${cut}`);
    }
    assert.deepEqual(data(parse(...Array.from(whole, (_, i) => whole.slice(i, i + 1)))), wanted, "byte by byte");
    assert.deepEqual(data(parse(...Array.from(whole, (_, i) => [new Uint8Array(), whole.slice(i, i + 1)]).flat())), wanted, "with empty chunks");
  }
});

test("sse: mixed line ends", () => {
  assert.deepEqual(data(parse("data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\r\n")), ["a\nb\nc", "d"]);
});

test("sse: only one byte order mark, and only at the start", () => {
  assert.deepEqual(data(parse("\ufeff\ufeffdata: a\n\ndata: \ufeffb\n\n")), ["\ufeffb"]);
});

test("sse: an event of absurd size is refused, whether in one line or in many", () => {
  const parser = new SseParser();
  const piece = bytes("data: " + "x".repeat(1 << 20) + "\n");
  assert.throws(() => { for (let i = 0; i < 20; i++) parser.push(piece); }, RangeError);
  const line = new SseParser();
  const part = bytes("x".repeat(1 << 20));
  assert.throws(() => { for (let i = 0; i < 20; i++) line.push(part); }, RangeError);
});

test("sse: a long line in small pieces takes no quadratic time", () => {
  const parser = new SseParser();
  for (let i = 0; i < 1000000; i++) parser.push(bytes("0123456789")); // quadratic would outlast the harness's patience
});

// --- the client against a server that answers as it is told

let handler;
const seen = [];
const server = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const call = { method: request.method, url: request.url, headers: request.headers, body: text === "" ? undefined : JSON.parse(text), closed: false };
  response.on("close", () => (call.closed = !response.writableEnded));
  seen.push(call);
  await handler(call, response);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const baseUrl = `http://127.0.0.1:${server.address().port}`;
after(() => {
  server.closeAllConnections();
  server.close();
});

function client(options = {}) {
  seen.length = 0;
  return new Uplift({ baseUrl, token: "t0", ...options });
}

function json(response, status, content, headers = {}) {
  response.writeHead(status, { "Content-Type": "application/json", "X-Request-Id": "r1", ...headers });
  response.end(JSON.stringify(content));
}

const failure = (code) => ({ error: { message: `it is ${code}`, type: "some_error", param: "p", code } });
const HEAD = { "Content-Type": "text/event-stream", "X-Feedback-Id": "f1", "X-Conversation-Id": "c1", "X-Coach-Id": "coach_a", "X-Request-Id": "r1" };
const DONE = { done: true, feedbackId: "f1", conversation_id: "c1", coach_id: "coach_a", model: "m", usage: { total_tokens: 3 }, response_time_ms: 5, finish_reason: "stop" };
const event = (content) => `data: ${JSON.stringify(content)}\n\n`;

function stream(...parts) {
  handler = async (call, response) => {
    if (call.method === "GET") return json(response, 404, failure("answer_not_found"));
    response.writeHead(200, HEAD);
    for (const part of parts) {
      response.write(part);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    response.end();
  };
}

async function thrown(promise) {
  return promise.then(() => assert.fail("no error"), (error) => {
    assert.ok(error instanceof UpliftError, String(error?.stack));
    return error;
  });
}

test("chat: deltas, what began, what is done, and what was sent", async () => {
  stream(event({ delta: "Hel" }), ": ping\n\n", event({ delta: "lo ü🏃" }), event(DONE));
  const answer = client({ apikey: "anon" }).chat({ message: "m", coach_id: "coach_a", severity: 2.5, mode: undefined });
  const pieces = [];
  for await (const delta of answer) pieces.push(delta);
  assert.deepEqual(pieces, ["Hel", "lo ü🏃"]);
  const began = await answer.started;
  assert.deepEqual([began.feedbackId, began.conversation_id, began.coach_id], ["f1", "c1", "coach_a"]);
  const done = await answer.done;
  assert.equal(done.message, "Hello ü🏃");
  assert.equal(done.usage.total_tokens, 3);
  assert.equal(answer.text, "Hello ü🏃");
  assert.equal(answer.feedbackId, "f1");
  assert.deepEqual(seen[0].body, { message: "m", coach_id: "coach_a", severity: 2.5, stream: true });
  assert.equal(seen[0].headers.authorization, "Bearer t0");
  assert.equal(seen[0].headers.apikey, "anon");
  const again = [];
  for await (const delta of answer) again.push(delta);
  assert.deepEqual(again, pieces, "a second iteration begins at the start");
});

test("chat: what the model thinks is apart from what it says, and told when it grows", async () => {
  stream(event({ reasoning_content: "Let me" }), event({ reasoning_content: " see." }), event({ delta: "Yes" }), event(DONE));
  const answer = client().chat({ message: "m" });
  const seenThen = [];
  for await (const delta of answer) seenThen.push([delta, answer.reasoning]);
  assert.deepEqual([seenThen.map(([delta]) => delta).join(""), seenThen[0][0], answer.reasoning, (await answer.done).message], ["Yes", "", "Let me see.", "Yes"]);
  stream(event({ reasoning_content: "Wrong" }), event({ restart: true }), event({ delta: "Right" }), event(DONE));
  const other = client().chat({ message: "m" });
  assert.equal((await other.done).message, "Right");
  assert.deepEqual([other.reasoning, other.restarts], ["", 1], "a restart takes it back, also before the first word");
  handler = (call, response) => json(response, 200, { message: "Yes", reasoning_content: "Hm.", ...DONE });
  const whole = client().chat({ message: "m" });
  await whole.done;
  assert.equal(whole.reasoning, "Hm.", "of an answer in one piece, too");
});

test("chat: done alone, without iterating", async () => {
  stream(event({ delta: "a" }), event({ delta: "b" }), event(DONE));
  assert.equal((await client().chat({ message: "m" }).done).message, "ab");
});

test("chat: a restart makes the text begin anew", async () => {
  stream(event({ delta: "Hal" }), event({ delta: "f an" }), event({ restart: true }), event({ delta: "A whole " }), event({ delta: "one." }), event(DONE));
  const answer = client().chat({ message: "m" });
  let text = "";
  let restarts = 0;
  for await (const delta of answer) {
    if (answer.restarts !== restarts) text = "";
    restarts = answer.restarts;
    text += delta;
  }
  assert.deepEqual([text, answer.text, answer.restarts, (await answer.done).message], ["A whole one.", "A whole one.", 1, "A whole one."]);
  let again = "";
  for await (const delta of answer) again += delta;
  assert.equal(again, "A whole one.", "a second iteration has nothing of what is void");
});

test("chat: a restart that nothing follows leaves no text", async () => {
  stream(event({ delta: "Half" }), event({ restart: true }), event({ ...failure("provider_cut"), feedbackId: "f1" }));
  const error = await thrown(client().chat({ message: "m" }).done);
  assert.deepEqual([error.code, error.partial], ["provider_cut", ""]);
});

test("chat: an error in the stream keeps what was said", async () => {
  stream(event({ delta: "part" }), event({ ...failure("upstream_cut"), feedbackId: "f1" }));
  const answer = client().chat({ message: "m" });
  let pieces = "";
  const error = await thrown((async () => { for await (const delta of answer) pieces += delta; })());
  assert.equal(pieces, "part");
  assert.deepEqual([error.code, error.partial, error.feedbackId, error.requestId, error.status], ["upstream_cut", "part", "f1", "r1", 200]);
  assert.equal(await thrown(answer.done), error);
});

test("chat: a stream that ends without its end is an error", async () => {
  stream(event({ delta: "part" }));
  const error = await thrown(client().chat({ message: "m" }).done);
  assert.deepEqual([error.code, error.partial], ["incomplete_answer", "part"]);
});

test("chat: a connection that is cut is an error with what was said", async () => {
  handler = async (call, response) => {
    if (call.method === "GET") return json(response, 404, failure("answer_not_found"));
    response.writeHead(200, HEAD);
    response.write(event({ delta: "part" }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    response.destroy();
  };
  const error = await thrown(client().chat({ message: "m" }).done);
  assert.deepEqual([error.code, error.type, error.partial], ["incomplete_answer", "connection_error", "part"]);
});

test("chat: a server that cannot be reached for a while is asked again for the rest", async () => {
  let refused = 0;
  handler = async (call, response) => {
    if (call.method === "GET" && refused++ < 3) return response.destroy();
    response.writeHead(200, HEAD);
    if (call.method === "GET") return response.end(event({ delta: "whole" }) + event({ done: true, message: "whole" }));
    response.write(event({ delta: "who" }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    return response.destroy();
  };
  const answer = client().chat({ message: "m" });
  assert.equal((await answer.done).message, "whole");
  assert.equal(refused, 4);
});

test("chat: what is not JSON is an error", async () => {
  stream(event({ delta: "part" }), "data: <html>\n\n");
  assert.equal((await thrown(client().chat({ message: "m" }).done)).code, "invalid_response");
});

test("chat: silence is an error after a time, heartbeats are not silence", async () => {
  let pings = 0;
  handler = async (call, response) => {
    if (call.method === "GET") return json(response, 404, failure("answer_not_found"));
    response.writeHead(200, HEAD);
    response.write(event({ delta: "x" }));
    // Longer in all than the time that it may be silent.
    for (; pings < 12; pings++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      response.write(": ping\n\n");
    }
  };
  const error = await thrown(client({ idleTimeoutMs: 1000 }).chat({ message: "m" }).done);
  assert.equal(error.code, "idle_timeout");
  assert.equal(pings, 12);
});

async function until(check) {
  for (let i = 0; i < 500 && !check(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  return check();
}

const untilClosed = () => until(() => seen[0]?.closed);
const stops = () => seen.filter(({ url }) => url.endsWith("/stop")).map(({ method, url }) => `${method} ${url}`);

function endless() {
  handler = async (call, response) => {
    if (call.url.endsWith("/stop")) return response.writeHead(204).end();
    response.writeHead(200, HEAD);
    while (!call.closed) {
      response.write(event({ delta: "x" }));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
}

test("chat: abort ends iterations quietly, rejects done, hangs up", async () => {
  endless();
  const answer = client().chat({ message: "m" });
  let n = 0;
  for await (const _ of answer) if (++n === 3) answer.abort();
  const error = await thrown(answer.done);
  assert.deepEqual([error.code, error.feedbackId], ["aborted", "f1"]);
  assert.ok(error.partial.startsWith("xxx"));
  assert.ok(await untilClosed());
  assert.ok(await until(() => stops().length === 1));
  assert.deepEqual(stops(), ["POST /v1/chat/f1/stop"], "and stops the answer at the server");
  answer.abort();
});

test("chat: an answer that is stopped before its id is known is stopped by the name it was asked under", async () => {
  const refusals = [404, 404, 204];
  handler = async (call, response) => {
    if (!call.url.endsWith("/stop")) return undefined; // silence
    const status = refusals.shift();
    return status === 204 ? response.writeHead(204).end() : json(response, status, failure("answer_not_found"));
  };
  const answer = client().chat({ message: "m" });
  await until(() => seen.length === 1);
  answer.abort();
  assert.equal((await thrown(answer.done)).code, "aborted");
  assert.ok(await until(() => stops().length === 3), "again, while the server does not know it yet");
  assert.match(seen[0].headers["x-client-request-id"], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual(new Set(stops()), new Set([`POST /v1/chat/${seen[0].headers["x-client-request-id"]}/stop`]));
});

test("chat: leaving an answer stops nothing", async () => {
  endless();
  const answer = client().chat({ message: "m" });
  await answer.started;
  answer.leave();
  assert.equal((await thrown(answer.done)).code, "aborted");
  assert.ok(await untilClosed());
  assert.deepEqual(stops(), []);
});

const at = (id, content) => `id: ${id}\n${event(content)}`;

/** Each answer to a GET of events in turn: {status, parts, headers}. */
function broken(first, ...next) {
  handler = async (call, response) => {
    const { status = 200, parts = [], headers = HEAD } = call.method === "POST" ? { parts: first } : next.shift();
    response.writeHead(status, headers);
    for (const part of parts) response.write(part);
    if (parts.some((part) => /"done":true/.test(part)) || status !== 200) return response.end();
    return setTimeout(() => response.destroy(), 5);
  };
}

test("chat: an answer whose connection breaks is picked up where it was", async () => {
  broken([at("3-aa", { delta: "Hel" })], { parts: [event({ started: true, feedbackId: "f1", message: "m" }), at("5-bb", { delta: "lo" })] },
    { status: 202, headers: { "Content-Type": "application/json", "retry-after-ms": "1" }, parts: ["{}"] }, { parts: [event({ started: true, feedbackId: "f1" }), at("6-cc", { delta: "!" }), event(DONE)] });
  const answer = client().chat({ message: "m" });
  const pieces = [];
  for await (const delta of answer) pieces.push(delta);
  assert.deepEqual(pieces, ["Hel", "lo", "!"]);
  assert.equal((await answer.done).message, "Hello!");
  assert.deepEqual(seen.slice(1).map(({ method, url, headers }) => [method, url, headers["last-event-id"]]),
    [["GET", "/v1/chat/f1/events", "3-aa"], ["GET", "/v1/chat/f1/events", "5-bb"], ["GET", "/v1/chat/f1/events", "5-bb"]]);
});

test("chat: whoever is not signed in any more when an answer is to be picked up has to know, and which one it is", async () => {
  broken([at("3-aa", { delta: "Hel" })], { status: 401, headers: { "Content-Type": "application/json" }, parts: [JSON.stringify(failure("token_expired"))] });
  const error = await thrown(client().chat({ message: "m" }).done);
  assert.deepEqual([error.status, error.code, error.feedbackId, error.partial], [401, "token_expired", "f1", "Hel"]);
  broken([], { status: 401, headers: { "Content-Type": "application/json" }, parts: [JSON.stringify(failure("token_expired"))] });
  const refused = await thrown(client().follow("f2").done);
  assert.deepEqual([refused.status, refused.feedbackId], [401, "f2"]);
});

test("chat: what became void meanwhile is begun anew", async () => {
  broken([at("3-aa", { delta: "Hel" })], { parts: [event({ restart: true }), at("4-dd", { delta: "Moin" }), event(DONE)] });
  const answer = client().chat({ message: "m" });
  assert.equal((await answer.done).message, "Moin");
  assert.deepEqual([answer.text, answer.restarts], ["Moin", 1]);

  broken([event({ delta: "without an id" })], { parts: [at("3-aa", { delta: "all" }), event(DONE)] });
  assert.equal((await client().chat({ message: "m" }).done).message, "all");
});

test("chat: an error that the server told is none of the connection's", async () => {
  broken([at("3-aa", { delta: "Hel" })], { parts: [event({ ...failure("provider_cut"), feedbackId: "f1" })] });
  const error = await thrown(client().chat({ message: "m" }).done);
  assert.deepEqual([error.code, error.partial, seen.length], ["provider_cut", "Hel", 2]);
});

test("follow: an answer from its beginning, with what was asked", async () => {
  broken([], { parts: [event({ started: true, feedbackId: "f1", conversation_id: "c1", coach_id: "coach_a", severity: 3, mode: "default", message: "What?" }), at("3-aa", { delta: "So." })] },
    { parts: [event({ started: true, feedbackId: "f1" }), event(DONE)] });
  const answer = client().follow("f1");
  const { message, conversation_id, severity } = await answer.started;
  assert.deepEqual([message, conversation_id, severity], ["What?", "c1", 3]);
  assert.equal((await answer.done).message, "So.");
  assert.equal(seen[0].headers["last-event-id"], undefined);

  handler = async (_, response) => json(response, 404, failure("answer_not_found"));
  const missing = client().follow("f2");
  assert.equal((await thrown(missing.started)).code, "answer_not_found");
  await thrown(missing.done);
});

test("open answers, and stopping one", async () => {
  handler = async (call, response) => (call.method === "GET" ? json(response, 200, { object: "list", data: [{ id: "f1" }] }) : json(response, 404, failure("answer_not_found")));
  assert.deepEqual(await client().openAnswers(), [{ id: "f1" }]);
  assert.equal(await client().stop("f1"), false);
  handler = async (_, response) => json(response, 500, failure("internal_error"));
  assert.equal((await thrown(client().stop("f1"))).code, "internal_error");
});

test("chat: the caller's signal and a break do the same", async () => {
  endless();
  const controller = new AbortController();
  const answer = client().chat({ message: "m", signal: controller.signal });
  await answer.started;
  controller.abort();
  assert.equal((await thrown(answer.done)).code, "aborted");
  assert.ok(await untilClosed());

  const other = client().chat({ message: "m" });
  for await (const _ of other) break;
  assert.equal((await thrown(other.done)).code, "aborted");
  assert.ok(await untilClosed());

  assert.equal((await thrown(client().chat({ message: "m", signal: AbortSignal.abort() }).done)).code, "aborted");
  assert.equal(seen.length, 0, "an aborted signal sends nothing");
});

test("ask: in one piece", async () => {
  handler = (_, response) => json(response, 200, { message: "hi", feedbackId: "f1" }, { "X-Uplift-Degraded": "database" });
  const done = await client().ask({ message: "m" });
  assert.deepEqual([done.message, done.feedbackId, done.degraded], ["hi", "f1", "database"]);
  assert.equal(seen[0].body.stream, false);
});

test("errors: all that is told, and what a proxy's page leaves", async () => {
  handler = (_, response) => json(response, 502, failure("provider_error"), { "X-Feedback-Id": "f1", "X-Conversation-Id": "c1" });
  const failed = await thrown(client().chat({ message: "m" }).done);
  assert.deepEqual([failed.feedbackId, failed.conversation_id, failed.partial], ["f1", "c1", ""]);
  handler = (_, response) => json(response, 400, failure("invalid_rating"));
  const error = await thrown(client().feedback("f1", { rating: 9 }));
  assert.deepEqual([error.status, error.type, error.code, error.param, error.requestId, error.message],
    [400, "some_error", "invalid_rating", "p", "r1", "it is invalid_rating"]);
  assert.equal(seen.length, 1);
  handler = (_, response) => {
    response.writeHead(502, { "Content-Type": "text/html" });
    response.end("<h1>Bad Gateway");
  };
  const page = await thrown(client().setPreferences({ severity: 2 }));
  assert.deepEqual([page.status, page.code, page.message], [502, null, "the server answered with status 502"]);
  handler = (_, response) => {
    response.writeHead(200, { "Content-Type": "text/html" });
    response.end("<h1>Hello");
  };
  assert.equal((await thrown(client().coaches())).code, "invalid_response");
  const away = await thrown(new Uplift({ baseUrl: "http://127.0.0.1:1", retries: 0 }).coaches());
  assert.deepEqual([away.status, away.type, away.code], [0, "connection_error", "connection_failed"]);
});

test("retries: a POST only when it was refused with a time to wait, and not for ever", async () => {
  let left = 1;
  handler = (_, response) => (left-- > 0 ? json(response, 503, failure("overloaded"), { "Retry-After": "0" }) : response.writeHead(200, HEAD).end(event(DONE)));
  await client().chat({ message: "m" }).done;
  assert.equal(seen.length, 2);
  left = 99;
  assert.equal((await thrown(client().chat({ message: "m" }).done)).status, 503);
  assert.equal(seen.length, 3);
  assert.equal((await thrown(client().chat({ message: "m", retries: 0 }).done)).retryAfter, 0);
  assert.equal(seen.length, 1);
  handler = (_, response) => json(response, 503, failure("overloaded"));
  await thrown(client().chat({ message: "m" }).done);
  assert.equal(seen.length, 1, "no Retry-After, no retry");
  handler = (_, response) => json(response, 429, failure("rate"), { "Retry-After": "3600" });
  assert.equal((await thrown(client().chat({ message: "m" }).done)).retryAfter, 3600);
  assert.equal(seen.length, 1, "an hour is for the caller to decide on");
  handler = (_, response) => json(response, 500, failure("internal"));
  await thrown(client().chat({ message: "m" }).done);
  assert.equal(seen.length, 1);
  handler = (_, response) => response.destroy();
  await thrown(client().feedback("f1", { helpful: true }));
  assert.equal(seen.length, 1, "it may have arrived");
});

test("retries: a GET whatever happened", async () => {
  let left = 2;
  handler = (_, response) => (left-- > 1 ? response.destroy() : left >= 0 ? json(response, 502, failure("bad_gateway")) : json(response, 200, { data: [1] }));
  assert.deepEqual(await client().coaches(), [1]);
  assert.equal(seen.length, 3);
  handler = (_, response) => json(response, 404, failure("conversation_not_found"));
  assert.equal((await thrown(client().conversation("c"))).status, 404);
  assert.equal(seen.length, 1, "but not what will not change");
});

test("retries: retry-after-ms goes first, and dates are understood", async () => {
  handler = (_, response) => json(response, 429, failure("x"), { "Retry-After": "9", "retry-after-ms": "1500" });
  assert.equal((await thrown(client().ask({ message: "m", retries: 0 }))).retryAfter, 1.5);
  handler = (_, response) => json(response, 429, failure("x"), { "Retry-After": new Date(Date.now() + 60000).toUTCString() });
  const { retryAfter } = await thrown(client().ask({ message: "m", retries: 0 }));
  assert.ok(retryAfter > 55 && retryAfter <= 60, String(retryAfter));
});

test("tokens: a refused one is replaced once", async () => {
  const asked = [];
  const getToken = (rejected) => {
    asked.push(rejected);
    return rejected ? "good" : "old";
  };
  handler = (call, response) => (call.headers.authorization === "Bearer good" ? json(response, 200, { severity: 3 }) : json(response, 401, failure("token_expired")));
  assert.equal((await client({ token: undefined, getToken }).preferences()).severity, 3);
  assert.deepEqual(asked, [undefined, "old"]);
  assert.equal((await thrown(client({ token: undefined, getToken: () => "bad" }).preferences())).status, 401);
  assert.equal(seen.length, 2);
  assert.equal((await thrown(client({ token: "bad" }).preferences())).status, 401);
  assert.equal(seen.length, 1);
});

test("other routes: JSON, files, events", async () => {
  handler = (call, response) => {
    if (call.url === "/admin/none") return response.writeHead(204).end();
    if (call.url === "/admin/events") return response.writeHead(200, { "Content-Type": "text/event-stream" }).end('event: progress\ndata: {"done": 1}\n\nevent: progress\ndata: {"done": 2}\n\n');
    return json(response, call.method === "POST" ? 201 : 200, { ok: true });
  };
  const uplift = client();
  assert.deepEqual(await uplift.call("POST", "/admin/things", { a: 1 }, { headers: { "Idempotency-Key": "k" } }), { ok: true });
  assert.equal(await uplift.call("DELETE", "/admin/none"), null);
  assert.deepEqual([seen[0].headers["idempotency-key"], seen[0].headers["content-type"], seen[0].body], ["k", "application/json", { a: 1 }]);
  await uplift.call("POST", "/admin/files", new Blob(['{"b":2}'], { type: "text/csv" }));
  assert.equal(seen.at(-1).headers["content-type"], "text/csv", "a file goes as it is");
  assert.equal(await (await uplift.open("GET", "/admin/export")).text(), '{"ok":true}');
  const events = [];
  for await (const event of uplift.events("/admin/events")) events.push([event.event, event.data.done]);
  assert.deepEqual(events, [["progress", 1], ["progress", 2]]);
  const stop = new AbortController();
  stop.abort();
  assert.equal((await thrown(uplift.call("GET", "/admin/things", undefined, { signal: stop.signal }))).code, "aborted");
});

test("routes: methods, paths, bodies", async () => {
  handler = (call, response) => (call.method === "DELETE" ? response.writeHead(204).end() : json(response, 200, { data: [] }));
  const uplift = client();
  await uplift.feedback("f/1", { helpful: null });
  await uplift.getFeedback("f1");
  await uplift.conversations({ limit: 5, before: "2025-01-01T00:00:00+00:00" });
  await uplift.conversations();
  await uplift.conversation("c1");
  assert.equal(await uplift.deleteConversation("c1"), undefined);
  await uplift.models();
  await uplift.setPreferences({ severity: 4 });
  await uplift.memories({ limit: 5, type: "goal", q: "half marathon" });
  await uplift.addMemory({ text: "I like tea" });
  await uplift.changeMemory("m1", { is_pinned: true });
  assert.equal(await uplift.forgetMemory("m1"), undefined);
  await uplift.forgetMemory();
  await uplift.answerContext("a/1");
  await uplift.conversations({ q: "half marathon" });
  await uplift.conversation("c1", { version: "v/1" });
  await uplift.renameConversation("c1", "My plan");
  assert.deepEqual(seen.map(({ method, url }) => `${method} ${url}`), [
    "PATCH /v1/feedback/f%2F1", "GET /v1/feedback/f1", "GET /v1/conversations?limit=5&before=2025-01-01T00%3A00%3A00%2B00%3A00",
    "GET /v1/conversations", "GET /v1/conversations/c1", "DELETE /v1/conversations/c1", "GET /v1/models", "PUT /v1/preferences",
    "GET /v1/memories?limit=5&type=goal&q=half+marathon", "POST /v1/memories", "PATCH /v1/memories/m1", "DELETE /v1/memories/m1", "DELETE /v1/memories", "GET /v1/answers/a%2F1/context",
    "GET /v1/conversations?q=half+marathon", "GET /v1/conversations/c1?version=v%2F1", "PATCH /v1/conversations/c1"]);
  assert.deepEqual(seen.at(-1).body, { title: "My plan" });
  assert.deepEqual(seen[0].body, { helpful: null });
  assert.equal(seen[5].headers["content-type"], undefined);
});
