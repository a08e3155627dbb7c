// supabase-js, unchanged: the feedback code of the apps that exist, against /rest/v1.
//   CLIENT_SUPABASE_URL  what createClient gets
//   CLIENT_ANON_KEY      the public key
//   CLIENT_API_KEY       a user's token
//   CLIENT_OTHER_KEY     another user's token
import { createClient } from "@supabase/supabase-js";
import { apiKey, baseURL, uuid } from "./setting.mjs";
import { done, equal, group, matches, ok } from "./tap.mjs";

const url = process.env.CLIENT_SUPABASE_URL;
const anonKey = process.env.CLIENT_ANON_KEY;
const auth = { persistSession: false, autoRefreshToken: false };
const asUser = (token) => createClient(url, anonKey, { accessToken: async () => token });
const supabase = asUser(apiKey);
const other = asUser(process.env.CLIENT_OTHER_KEY);
const nobody = createClient(url, anonKey, { auth });
const rows = (client = supabase) => client.from("coach_response_feedback");

async function call(method, path, body) {
  const response = await fetch(`${baseURL}${path}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  return response.json();
}

const chat = (extra) => call("POST", "/chat", { message: "How do I start running?", ...extra });
const unknown = "01890000-0000-7000-8000-000000000000";

const first = await chat();
const feedbackId = first.feedbackId;
matches(feedbackId, uuid, "a chat gives a feedbackId");

// As it stands in the app, word for word.
const submitFeedback = async (id, helpful) => {
  return await supabase.from("coach_response_feedback").update({ helpful }).eq("id", id);
};

await group("update", async () => {
  const { data, error, status } = await submitFeedback(feedbackId, true);
  equal([data, error, status], [null, null, 204], "a thumb is taken the instant the answer has ended");
  equal((await call("GET", `/feedback/${feedbackId}`)).helpful, true, "and seen by our own route");
  await submitFeedback(feedbackId, null);
  equal((await call("GET", `/feedback/${feedbackId}`)).helpful, null, "null takes it back");
  await rows().update({ helpful: false, rating: 2, feedback_text: "too \u{1F525} loud" }).eq("id", feedbackId);
  const feedback = await call("GET", `/feedback/${feedbackId}`);
  equal([feedback.helpful, feedback.rating, feedback.feedback_text], [false, 2, "too \u{1F525} loud"], "all three at once");
  equal((await submitFeedback(unknown, true)).status, 204, "an id that is not there is 204, as with PostgREST");
});

await group("update and select", async () => {
  const { data, error, status } = await rows().update({ rating: 5 }).eq("id", feedbackId).select();
  equal([error, status, data?.length], [null, 200, 1], "update().select() gives the row");
  equal([data[0].id, data[0].rating], [feedbackId, 5], "as changed");
  const one = await rows().update({ rating: 4 }).eq("id", feedbackId).select("id,rating").single();
  equal([one.error, one.data], [null, { id: feedbackId, rating: 4 }], "single() gives an object with the columns asked for");
  const none = await rows().update({ rating: 4 }).eq("id", unknown).select();
  equal([none.error, none.status, none.data], [null, 200, []], "no row is an empty array");
});

await group("select", async () => {
  const one = await rows().select("id,user_message,ai_response,helpful").eq("id", feedbackId).single();
  equal([one.error, one.status], [null, 200], "select().single()");
  equal(Object.keys(one.data).sort(), ["ai_response", "helpful", "id", "user_message"], "has the columns asked for");
  equal([one.data.user_message, one.data.ai_response], ["How do I start running?", first.message], "and what was said");
  const missing = await rows().select("*").eq("id", unknown).single();
  equal([missing.status, missing.error?.code, missing.data], [406, "PGRST116", null], "single() of none is PGRST116");
  const maybe = await rows().select("*").eq("id", unknown).maybeSingle();
  equal([maybe.error, maybe.data], [null, null], "maybeSingle() of none is null");
  const there = await rows().select("id").eq("id", feedbackId).maybeSingle();
  equal([there.error, there.data], [null, { id: feedbackId }], "maybeSingle() of one is it");
  const second = await chat({ conversation_id: first.conversation_id });
  const both = await rows().select("id").eq("conversation_id", first.conversation_id).order("created_at", { ascending: false });
  equal(both.data?.map((r) => r.id), [second.feedbackId, feedbackId], "rows of a conversation in order");
  const last = await rows().select("id").order("created_at", { ascending: false }).limit(1);
  equal(last.data?.map((r) => r.id), [second.feedbackId], "limit()");
  const page = await rows().select("id").eq("conversation_id", first.conversation_id).order("created_at", { ascending: true }).range(1, 1);
  equal(page.data?.map((r) => r.id), [second.feedbackId], "range()");
});

await group("filters", async () => {
  const thread = "0193a000-0000-7abc-8def-" + Math.random().toString(16).slice(2, 14).padEnd(12, "0");
  const asked = ["Run, now!", 'Say "yes" (loudly)', "100% sure", "a.b,c"];
  const ids = [];
  for (const message of asked) ids.push((await chat({ conversation_id: thread, message })).feedbackId);
  await rows().update({ helpful: true, rating: 5 }).eq("id", ids[0]);
  await rows().update({ rating: 2 }).eq("id", ids[1]);
  await rows().update({ helpful: false }).eq("id", ids[2]);
  // Which of the answers a query finds, in the order it gives them.
  const found = async (change, order = ["created_at"]) => {
    const { data, error } = await change(rows().select("id").eq("conversation_id", thread)).order(...order);
    return error ?? data.map((row) => ids.indexOf(row.id));
  };
  const check = async (wanted, name, change, order) => equal(await found(change, order), wanted, name);
  await check([0, 1, 2, 3], "all of them", (q) => q);
  await check([1, 3], "in()", (q) => q.in("id", [ids[1], ids[3]]));
  await check([0, 1, 3], "in() with commas, quotes and brackets", (q) => q.in("user_message", [asked[0], asked[1].replaceAll('"', '\\"'), asked[3]]));
  await check([], "in() of nothing", (q) => q.in("id", []));
  await check([2, 3], "is(null)", (q) => q.is("rating", null));
  await check([0], "is(true)", (q) => q.is("helpful", true));
  await check([0, 1], "not(is null)", (q) => q.not("rating", "is", null));
  await check([0, 2, 3], "not(in)", (q) => q.not("id", "in", `(${ids[1]})`));
  await check([1], "neq()", (q) => q.neq("rating", 5));
  await check([0], "gt()", (q) => q.gt("rating", 2));
  await check([0, 1], "gte()", (q) => q.gte("rating", 2));
  await check([1], "lt()", (q) => q.lt("rating", 5));
  await check([0, 1], "lte()", (q) => q.lte("rating", 5));
  await check([2], "like()", (q) => q.like("user_message", "%sure"));
  await check([0], "ilike()", (q) => q.ilike("user_message", "RUN%"));
  await check([0, 2], "likeAnyOf()", (q) => q.likeAnyOf("user_message", ["Run%", "%sure"]));
  await check([1], "likeAllOf()", (q) => q.likeAllOf("user_message", ["Say%", "%(loudly)"]));
  await check([0, 2, 3], "or()", (q) => q.or("rating.eq.5,rating.is.null"));
  await check([0, 1], "or() with and()", (q) => q.or("helpful.is.true,and(rating.gt.1,rating.lt.3)"));
  await check([0], "match()", (q) => q.match({ helpful: true, rating: 5 }));
  await check([1], "filter()", (q) => q.filter("rating", "eq", 2));
  await check([0, 1], "eq() of what has all these characters", (q) => q.or('user_message.eq."Run, now!",user_message.eq."Say \\"yes\\" (loudly)"'));
  await check([0, 1, 2, 3], "order() with nulls last", (q) => q.order("rating", { ascending: false, nullsFirst: false }));
  await check([2, 3, 1, 0], "order() with nulls first", (q) => q.order("rating", { ascending: true, nullsFirst: true }));

  const mine = () => rows().select("id", { count: "exact" }).eq("conversation_id", thread).order("created_at");
  const page = await mine().range(1, 2);
  equal([page.status, page.count, page.data?.map((r) => ids.indexOf(r.id))], [206, 4, [1, 2]], "range() with the exact count");
  equal((await mine().gt("rating", 2)).count, 1, "a count of what is filtered");
  const beyond = await mine().range(9, 12);
  equal([beyond.status, beyond.error?.code], [416, "PGRST103"], "a range behind the end is PGRST103");
  const head = await rows().select("*", { count: "exact", head: true }).eq("conversation_id", thread);
  equal([head.error, head.status, head.count, head.data], [null, 200, 4, null], "head: a count and no rows");
  equal((await rows().select("id", { count: "estimated" }).eq("conversation_id", thread)).count, 4, "an estimated count");
  ok((await rows().select("id", { count: "planned" }).eq("conversation_id", thread)).count >= 0, "a planned count");
  equal((await rows().select("id").eq("conversation_id", thread)).count, null, "no count unless asked for");
  const many = await rows().select("id").eq("conversation_id", thread).single();
  equal([many.status, many.error?.code, many.error?.details], [406, "PGRST116", "The result contains 4 rows"], "single() of many is PGRST116");
  const perhaps = await rows().select("id").eq("conversation_id", thread).maybeSingle();
  equal(perhaps.error?.code, "PGRST116", "and so is maybeSingle()");
  const named = await rows().select("stars:rating, text:user_message").eq("id", ids[0]).single();
  equal(named.data, { stars: 5, text: asked[0] }, "columns under other names");

  const both = await rows().update({ rating: 4 }).in("id", [ids[2], ids[3]]).select("id,rating").order("created_at");
  equal(both.data, [ids[2], ids[3]].map((id) => ({ id, rating: 4 })), "update() of a list");
  const counted = await rows().update({ rating: 3 }, { count: "exact" }).eq("conversation_id", thread).eq("rating", 4);
  equal([counted.status, counted.count], [204, 2], "update() of what is filtered, counted");
  const two = await rows().update({ rating: 1 }).eq("conversation_id", thread).select().single();
  equal([two.status, two.error?.code], [406, "PGRST116"], "update().single() of many is PGRST116");
  await check([2, 3], "and changes none", (q) => q.eq("rating", 3));
});

await group("errors", async () => {
  const shape = (error) => Object.keys(error ?? {}).filter((k) => ["code", "details", "hint", "message"].includes(k)).sort();
  const forbidden = await rows().update({ ai_response: "forged" }).eq("id", feedbackId);
  equal([forbidden.status, forbidden.error?.code], [403, "42501"], "a column that is not theirs is 42501");
  equal(shape(forbidden.error), ["code", "details", "hint", "message"], "with PostgREST's four fields");
  const column = await rows().select("id").eq("no_such_column", 1);
  equal([column.status, column.error?.code], [400, "42703"], "an unknown column in a filter is 42703");
  const pattern = await rows().select("id").like("rating", "5%");
  equal([pattern.status, pattern.error?.code], [404, "42883"], "a pattern of a number is 42883");
  const parsed = await rows().select("id").or("rating.eq");
  equal([parsed.status, parsed.error?.code], [400, "PGRST100"], "what cannot be parsed is PGRST100");
  const embedded = await rows().select("id,other(*)");
  equal([embedded.status, embedded.error?.code], [400, "PGRST200"], "another table is PGRST200");
  const all = await rows().update({ helpful: true });
  equal([all.status, all.error?.code], [400, "21000"], "an update of all rows is 21000");
  const strange = await rows().update({ no_such_column: 1 }).eq("id", feedbackId);
  equal([strange.status, strange.error?.code], [400, "PGRST204"], "an unknown column is PGRST204");
  const high = await rows().update({ rating: 9 }).eq("id", feedbackId);
  equal(high.status, 400, "a rating of 9 is a 400");
  ok(shape(high.error).length === 4, "of the same shape", JSON.stringify(high.error));
  const malformed = await rows().update({ helpful: true }).eq("id", "not-a-uuid");
  equal([malformed.status, malformed.error?.code], [400, "22P02"], "a malformed id is 22P02");
  const table = await supabase.from("no_such_table").select("*");
  equal([table.status, table.error?.code], [404, "PGRST205"], "another table is PGRST205");
  const gone = await rows().delete().eq("id", feedbackId);
  ok(gone.error && gone.status >= 400, "a row cannot be deleted", JSON.stringify(gone));
  const row = await rows().select("ai_response,rating").eq("id", feedbackId).single();
  equal(row.data, { ai_response: first.message, rating: 4 }, "and none of it changed a thing");
});

await group("memories", async () => {
  const memories = (client = supabase) => client.from("ai_episodic_memory");
  const added = await memories().insert({ memory_type: "goal", memory_text: "I want to  row across the lake" }).select().single();
  equal([added.error, added.status, added.data?.memory_text, added.data?.source], [null, 201, "I want to row across the lake", "user"], "insert().select()");
  const bare = await memories().insert([{ memory_text: "I love rye bread" }, { memory_text: "I hate olives", is_pinned: true }]);
  equal([bare.error, bare.status, bare.data], [null, 201, null], "insert() of several");
  equal((await call("GET", "/memories?q=lake")).data.map((m) => m.id), [added.data?.id], "seen by our own route");
  const read = await memories().select("memory_text,is_pinned").eq("is_active", true).in("memory_text", ["I love rye bread", "I hate olives"]).order("memory_text");
  equal(read.data, [{ memory_text: "I hate olives", is_pinned: true }, { memory_text: "I love rye bread", is_pinned: false }], "select()");
  const changed = await memories().update({ memory_text: "I want to row across the sea" }).eq("id", added.data?.id).select("memory_text");
  equal([changed.error, changed.status, changed.data], [null, 200, [{ memory_text: "I want to row across the sea" }]], "update().select()");
  equal((await memories().update({ is_pinned: true }).eq("id", added.data?.id)).status, 204, "update()");
  equal((await memories(other).update({ is_pinned: false }).eq("id", added.data?.id).select()).data, [], "another user changes nothing");
  equal((await memories(other).select("id").eq("id", added.data?.id)).data, [], "and sees nothing");
  equal((await memories(nobody).select("id")).status, 401, "with the public key alone it is a 401");
  const long = await memories().insert({ memory_text: "x".repeat(501) });
  equal([long.status, long.error?.code], [400, "23514"], "one of 501 characters is 23514");
  const secret = await memories().insert({ memory_text: "My password is hunter2Secret!9" });
  equal([secret.status, secret.error?.code], [400, "23514"], "and so is what policies refuse");
  const forged = await memories().update({ importance_score: 10 }).eq("id", added.data?.id);
  equal([forged.status, forged.error?.code], [403, "42501"], "a column that is not theirs is 42501");
  const all = await memories().delete();
  equal([all.status, all.error?.code], [400, "21000"], "a delete of all rows is 21000");
  const counted = await memories().delete({ count: "exact" }).in("memory_text", ["I love rye bread", "I hate olives"]);
  equal([counted.error, counted.status, counted.count], [null, 204, 2], "delete(), counted");
  const gone = await memories().delete().eq("id", added.data?.id).select("id");
  equal([gone.status, gone.data], [200, [{ id: added.data?.id }]], "delete().select()");
  equal((await call("GET", "/memories?q=sea")).data, [], "and it is forgotten");
});

await group("predictions", async () => {
  const predictions = (client = supabase) => client.from("ai_predictions");
  const plates = { prediction_type: "calorie_estimate", model_name: "plates", model_version: "3" };
  const made = await predictions().insert({ ...plates, predicted_output: 500, confidence_score: 0.8 }).select().single();
  equal([made.error, made.status, made.data?.confidence_score], [null, 201, 0.8], "insert().select()");
  const came = await predictions().update({ actual_user_choice: 400 }).eq("id", made.data?.id).select("prediction_accuracy,feedback_delay_seconds");
  equal([came.error, came.data?.[0]?.prediction_accuracy, came.data?.[0]?.feedback_delay_seconds >= 0], [null, 0.75, true], "update() of the outcome");
  equal((await predictions().select("id").eq("model_name", "plates")).data, [{ id: made.data?.id }], "select()");
  equal((await predictions(other).update({ user_accepted: true }).eq("id", made.data?.id).select()).data, [], "another user changes nothing");
  equal((await predictions(other).select("id")).data, [], "and sees nothing");
  equal((await predictions(nobody).select("id")).status, 401, "with the public key alone it is a 401");
  for (const [row, status, code] of [[{ confidence_score: 2 }, 400, "23514"], [{ prediction_type: "weather" }, 400, "23514"],
    [{ model_name: "uplift-thumbs" }, 400, "23514"], [{ user_accepted: true }, 403, "42501"], [{ nonsense: 1 }, 400, "PGRST204"]]) {
    const refused = await predictions().insert({ ...plates, ...row });
    equal([refused.status, refused.error?.code], [status, code], `${JSON.stringify(row)} is ${code}`);
  }
  const forged = await predictions().update({ confidence_score: 1 }).eq("id", made.data?.id);
  equal([forged.status, forged.error?.code], [403, "42501"], "what was foretold stays");
});

await group("other people", async () => {
  const theirs = await other.from("coach_response_feedback").update({ helpful: true, rating: 1 }).eq("id", feedbackId).select();
  equal([theirs.status, theirs.data], [200, []], "another user changes nothing");
  const seen = await rows(other).select("*").eq("id", feedbackId);
  equal([seen.error, seen.data], [null, []], "and sees nothing");
  const nothing = await rows(nobody).update({ helpful: true }).eq("id", feedbackId);
  equal(nothing.status, 401, "with the public key alone it is a 401");
  equal((await call("GET", `/feedback/${feedbackId}`)).rating, 4, "the rating is as it was");
});
done();
