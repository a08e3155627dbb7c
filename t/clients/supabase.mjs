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

await group("errors", async () => {
  const shape = (error) => Object.keys(error ?? {}).filter((k) => ["code", "details", "hint", "message"].includes(k)).sort();
  const forbidden = await rows().update({ ai_response: "forged" }).eq("id", feedbackId);
  equal([forbidden.status, forbidden.error?.code], [403, "42501"], "a column that is not theirs is 42501");
  equal(shape(forbidden.error), ["code", "details", "hint", "message"], "with PostgREST's four fields");
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
