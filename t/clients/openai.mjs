// openai-node, unchanged but for its base URL.
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { apiKey, baseURL, isUplift, question, uuid, weatherTool } from "./setting.mjs";
import { done, equal, group, matches, ok, thrown } from "./tap.mjs";

// Node 18 has File, but not as a global, where the SDK looks for it; so its users are told, too.
globalThis.File ??= (await import("node:buffer")).File;
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const model = "sim-pace-0";
const ask = (extra) => client.chat.completions.create({ model, messages: question, ...extra });

await group("models", async () => {
  const models = await client.models.list();
  ok(models.data.length > 0, "models.list() has models");
  ok(models.data.every((m) => m.object === "model" && m.owned_by && m.created > 0), "of their shape");
  const first = await client.models.retrieve(models.data[0].id);
  equal(first.id, models.data[0].id, "models.retrieve() gives one of them");
  const error = await thrown(() => client.models.retrieve("no-such-model"));
  ok(error instanceof OpenAI.NotFoundError, "an unknown model is a NotFoundError", error);
  equal(error?.code, "model_not_found", "with its code");
});

await group("create", async () => {
  const { data, response } = await ask().withResponse();
  const [choice] = data.choices;
  equal(data.object, "chat.completion", "create() gives a completion");
  equal([choice.index, choice.message.role, choice.finish_reason], [0, "assistant", "stop"], "with one choice");
  matches(choice.message.content, /simulated/i, "and an answer");
  equal(choice.message.refusal, null, "refusal is null");
  equal(choice.logprobs, null, "logprobs is null");
  const { usage } = data;
  ok(usage.prompt_tokens > 0 && usage.completion_tokens > 0, "usage is counted");
  equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens, "and adds up");
  matches(response.headers.get("content-type"), /^application\/json/, "withResponse() gives the response");
  ok(data._request_id, "_request_id is known");
  if (isUplift) {
    matches(data.feedback_id, uuid, "feedback_id is a UUIDv7");
    equal(response.headers.get("x-feedback-id"), data.feedback_id, "X-Feedback-Id is the same");
    equal(data.id, `chatcmpl-${data.feedback_id}`, "and the tail of the completion's id");
    matches(data.conversation_id, uuid, "conversation_id is there");
  }
});

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks) => chunks.map((c) => c.choices[0]?.delta?.content ?? "").join("");

await group("stream", async () => {
  const chunks = await collect(await ask({ stream: true }));
  ok(chunks.length > 10, "a stream has many chunks");
  equal(new Set(chunks.map((c) => c.id)).size, 1, "all with one id");
  ok(chunks.every((c) => c.object === "chat.completion.chunk"), "all are chunks");
  ok(chunks.every((c) => c.choices.length === 1), "no chunk without a choice where usage was not asked for");
  equal(chunks[0].choices[0].delta.role, "assistant", "the first names the role");
  equal(chunks.at(-1).choices[0].finish_reason, "stop", "the last says why it ends");
  equal(chunks.filter((c) => c.choices[0].finish_reason).length, 1, "and only the last");
  const whole = await ask();
  equal(textOf(chunks).replace(/\s+/g, " ").slice(0, 20), whole.choices[0].message.content.replace(/\s+/g, " ").slice(0, 20),
    "the text is that of create()");
  if (isUplift) {
    matches(chunks[0].feedback_id, uuid, "feedback_id is in the first chunk");
    equal(new Set(chunks.map((c) => c.feedback_id)).size, 1, "and the same in all");
  }
});

await group("stream with usage", async () => {
  const chunks = await collect(await ask({ stream: true, stream_options: { include_usage: true } }));
  equal(chunks.at(-1).choices, [], "the last chunk has no choices");
  ok(chunks.at(-1).usage.total_tokens > 0, "but the usage");
  ok(chunks.slice(0, -1).every((c) => c.usage === null), "which is null before");
});

await group(".stream()", async () => {
  const runner = client.chat.completions.stream({ model, messages: question, stream_options: { include_usage: true } });
  let text = "";
  runner.on("content", (delta) => (text += delta));
  const final = await runner.finalChatCompletion();
  equal(final.choices[0].message.content, text, "finalChatCompletion() has what the content events had");
  equal(final.choices[0].finish_reason, "stop", "and its finish reason");
  ok((await runner.totalUsage()).total_tokens > 0, "totalUsage() is known");
  if (isUplift) matches(final.feedback_id, uuid, "the final object has the feedback_id");
});

await group("max_tokens and stop", async () => {
  const short = await ask({ max_tokens: 5 });
  equal([short.choices[0].finish_reason, short.usage.completion_tokens], ["length", 5], "max_tokens ends an answer");
  const stopped = await ask({ stop: ["."] });
  ok(!stopped.choices[0].message.content.includes("."), "a stop sequence ends an answer");
});

await group("tools", async () => {
  const messages = [{ role: "user", content: "What is the weather in New York?" }];
  const first = await client.chat.completions.create({ model, messages, tools: [weatherTool], tool_choice: "required" });
  const [call] = first.choices[0].message.tool_calls;
  equal(first.choices[0].finish_reason, "tool_calls", "a required tool is called");
  equal([call.type, call.function.name], ["function", "get_weather"], "by its name");
  equal(JSON.parse(call.function.arguments).location, "New York", "with arguments");
  const second = await client.chat.completions.create({
    model,
    tools: [weatherTool],
    messages: [...messages, first.choices[0].message, { role: "tool", tool_call_id: call.id, content: "12 degrees, rain" }],
  });
  matches(second.choices[0].message.content, /12 degrees, rain/, "and its result is answered");

  const chunks = await collect(await client.chat.completions.create({
    model, messages, tools: [weatherTool], tool_choice: { type: "function", function: { name: "get_weather" } }, stream: true,
  }));
  const parts = chunks.flatMap((c) => c.choices[0]?.delta?.tool_calls ?? []);
  ok(parts[0].id && parts[0].function.name === "get_weather", "a streamed call begins with id and name");
  equal(JSON.parse(parts.map((p) => p.function.arguments).join("")).location, "New York", "its arguments come in pieces");

  const runner = client.chat.completions.runTools({
    model,
    messages,
    tools: [{ ...weatherTool, function: { ...weatherTool.function, parse: JSON.parse, function: ({ location }) => `sunny in ${location}` } }],
  });
  matches(await runner.finalContent(), /sunny in New York/, "runTools() goes all the way");
});

await group("response_format", async () => {
  const json = await ask({ response_format: { type: "json_object" } });
  ok(typeof JSON.parse(json.choices[0].message.content) === "object", "json_object gives JSON");
  const Plan = z.object({ title: z.string(), steps: z.array(z.object({ text: z.string(), minutes: z.number().int() })) });
  const parsed = await client.chat.completions.parse({
    model, messages: question, response_format: zodResponseFormat(Plan, "plan"),
  });
  ok(parsed.choices[0].message.parsed.steps.length > 0, "parse() gives an object of the schema");
});

await group("messages of many kinds", async () => {
  const answer = await ask({
    messages: [
      { role: "developer", content: "You are terse." },
      { role: "user", name: "sam", content: [
        { type: "text", text: "What is in this picture?" },
        { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=", detail: "low" } },
      ] },
    ],
    temperature: 0.2, top_p: 0.9, seed: 7, user: "someone", store: false, metadata: { a: "b" }, x_unknown: { y: 1 },
  });
  matches(answer.choices[0].message.content, /picture/, "image parts and unknown fields are taken");
});

await group("errors", async () => {
  let error = await thrown(() => client.chat.completions.create({ model }));
  ok(error instanceof OpenAI.BadRequestError, "no messages is a BadRequestError", error);
  equal([error?.status, error?.param, error?.type], [400, "messages", "invalid_request_error"], "that says what is missing");
  error = await thrown(() => ask({ model: "sim-fault-context-length" }));
  equal([error?.status, error?.code], [400, "context_length_exceeded"], "the provider's 400 keeps its code");
  error = await thrown(() => ask({ model: "sim-fault-status-429;retry-after=3600", stream: true }));
  ok(error instanceof OpenAI.RateLimitError, "429 is a RateLimitError, also for a stream", error);
  equal(error?.headers?.get("retry-after"), "3600", "with its Retry-After");
  const bad = new OpenAI({ baseURL, apiKey: "sim-invalid-key", maxRetries: 0 });
  error = await thrown(() => bad.chat.completions.create({ model, messages: question }));
  ok(error instanceof OpenAI.AuthenticationError, "a wrong key is an AuthenticationError", error);
  error = await thrown(() => client.post("/no/such/path", { body: {} }));
  ok(error instanceof OpenAI.NotFoundError, "an unknown path is a NotFoundError", error);
});

await group("errors in a stream", async () => {
  let text = "";
  let error = await thrown(async () => {
    for await (const chunk of await ask({ model: "sim-fault-error;after=5;pace=0", stream: true })) text += chunk.choices[0]?.delta?.content ?? "";
  });
  ok(error instanceof OpenAI.APIError && error.status === undefined, "an error event is thrown as APIError", error);
  ok(text.length > 0, "after the text before it");
  error = await thrown(async () => collect(await ask({ model: "sim-fault-cut;after=5;pace=0", stream: true })));
  ok(error, "an answer that is cut is an error");
  error = await thrown(() => client.chat.completions.stream({ model: "sim-fault-cut;after=5;pace=0", messages: question }).finalContent());
  ok(error instanceof OpenAI.OpenAIError, "also for .stream()", error);
});

await group("abort", async () => {
  const stream = await ask({ model: "sim-pace-20", stream: true });
  let chunks = 0;
  for await (const _ of stream) if (++chunks === 5) stream.controller.abort();
  ok(chunks >= 5 && chunks < 20, "abort() ends the stream", chunks);
  matches((await ask()).choices[0].message.content, /./, "and the next request is answered");
});

if (isUplift) {
  await group("coaches", async () => {
    const answer = await ask({ coach_id: "coach_maple_avatar", severity: 6 });
    const other = await ask({ metadata: { coach_id: "coach_ledger_avatar", severity: "1.0" } });
    ok(answer.choices[0].message.content !== other.choices[0].message.content, "coach and severity shape the answer");
    let error = await thrown(() => ask({ coach_id: "coach_nobody" }));
    equal([error?.status, error?.param], [404, "coach_id"], "an unknown coach is a 404");
    error = await thrown(() => ask({ n: 2 }));
    equal([error?.status, error?.param], [400, "n"], "n above 1 is a clear 400");
  });
} else {
  await group("what only the provider has", async () => {
    const two = await ask({ n: 2 });
    equal(two.choices.map((c) => c.index), [0, 1], "n gives choices");
    const again = await ask({ n: 2 });
    equal(two.choices, again.choices, "the same request gives the same answers");
    const seeded = await ask({ seed: 2 });
    ok(seeded.choices[0].message.content !== two.choices[0].message.content, "another seed another one");
    const flaky = new OpenAI({ baseURL, apiKey, maxRetries: 2, defaultHeaders: { "X-Sim-Flap-Key": `${Date.now()}` } });
    const kept = await flaky.chat.completions.create({ model: "sim-fault-flap;times=1;pace=0", messages: question });
    ok(kept.choices.length === 1, "the SDK's own retry gets past a flap");
    const vectors = await client.embeddings.create({ model: "sim-embedding-1", input: ["I sleep badly", "how to sleep", "taxes"] });
    const dot = (a, b) => vectors.data[a].embedding.reduce((sum, x, i) => sum + x * vectors.data[b].embedding[i], 0);
    ok(Math.abs(dot(0, 0) - 1) < 1e-3, "embeddings are of length 1");
    ok(dot(0, 1) > dot(0, 2) + 0.1, "and near where texts are");
  });

  await group("fine-tuning", async () => {
    const lines = Array.from({ length: 12 }, (_, i) =>
      JSON.stringify({ messages: [{ role: "user", content: `question ${i}` }, { role: "assistant", content: "answer" }] })).join("\n");
    const file = await client.files.create({ purpose: "fine-tune", file: new File([lines], "train.jsonl") });
    equal([file.object, file.filename, file.bytes], ["file", "train.jsonl", lines.length], "a file is taken");
    equal(await (await client.files.content(file.id)).text(), lines, "and given back");
    let job = await client.fineTuning.jobs.create({ model: "sim-1", training_file: file.id, suffix: "test" });
    equal(job.status, "validating_files", "a job begins by validating");
    while (!["succeeded", "failed"].includes(job.status)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      job = await client.fineTuning.jobs.retrieve(job.id);
    }
    matches(job.fine_tuned_model, /^ft:sim-1:simulated:test:/, "and ends with a model");
    equal((await client.models.retrieve(job.fine_tuned_model)).id, job.fine_tuned_model, "that is listed");
    const events = [];
    for await (const event of client.fineTuning.jobs.listEvents(job.id, { limit: 7 })) events.push(event.message);
    equal(new Set(events).size, events.length, "events come page by page, each once");
    matches(events[0], /successfully completed/, "the newest first");
    ok((await client.fineTuning.jobs.checkpoints.list(job.id)).data.length > 0, "checkpoints are there");
    const metrics = await (await client.files.content(job.result_files[0])).text();
    matches(metrics, /^step,train_loss/, "and the metrics file");
    const few = await client.files.create({ purpose: "fine-tune", file: new File(["{}"], "few.jsonl") });
    let failed = await client.fineTuning.jobs.create({ model: "sim-1", training_file: few.id });
    while (failed.status !== "failed" && failed.status !== "succeeded") {
      await new Promise((resolve) => setTimeout(resolve, 50));
      failed = await client.fineTuning.jobs.retrieve(failed.id);
    }
    equal([failed.status, failed.error.code], ["failed", "invalid_file_format"], "a bad file fails the job");
    const error = await thrown(() => client.fineTuning.jobs.create({ model: "sim-fault-training-not-available", training_file: file.id }));
    equal([error?.status, error?.code], [403, "training_not_available"], "the end of fine-tuning can be had");
    equal((await client.files.delete(file.id)).deleted, true, "a file is deleted");
    ok((await thrown(() => client.files.retrieve(file.id))) instanceof OpenAI.NotFoundError, "and gone");
  });
}
if (isUplift) {
  await group("citations", async () => {
    const coach = { messages: question, coach_id: "coach_maple_avatar" };
    const whole = await ask(coach);
    const { annotations, content } = whole.choices[0].message;
    equal(whole.citations?.map(({ number, title, url }) => [number, title, url]), [[1, "Sleep", "https://example.org/sleep"]], "a completion has its citations");
    const [{ type, url_citation: cited }] = annotations;
    equal([type, cited.url, cited.title], ["url_citation", "https://example.org/sleep", "Sleep"], "and OpenAI's annotations");
    equal([...content].slice(cited.start_index, cited.end_index).join(""), "[1]", "at their place in the text");
    const chunks = await collect(await ask({ ...coach, stream: true }));
    equal(chunks.filter((c) => c.citations).map((c) => c.choices[0].delta.annotations?.length), [1], "one chunk of a stream has both");
    equal(chunks.at(-1).choices[0].finish_reason, "stop", "and another one comes last");
    const runner = client.chat.completions.stream({ model, ...coach });
    const final = await runner.finalChatCompletion();
    equal(final.citations?.length, 1, ".stream() gives them with its final completion");
    ok(final.choices[0].message.content.includes("[1]"), "whose text names the number");
  });
}

done();
