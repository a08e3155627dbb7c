// The Vercel AI SDK: @ai-sdk/openai's chat models and @ai-sdk/openai-compatible.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { apiKey, baseURL, isUplift, question, uuid } from "./setting.mjs";
import { done, equal, group, matches, ok, thrown } from "./tap.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;

const openai = createOpenAI({ baseURL, apiKey });
const compatible = createOpenAICompatible({
  name: "uplift", baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true,
  metadataExtractor: {
    extractMetadata: async ({ parsedBody }) => ({ uplift: { feedbackId: parsedBody.feedback_id ?? null } }),
    createStreamExtractor: () => {
      let feedbackId = null;
      return { processChunk: (chunk) => (feedbackId = chunk.feedback_id ?? feedbackId), buildMetadata: () => ({ uplift: { feedbackId } }) };
    },
  },
});

const weather = tool({
  description: "The weather at a place",
  inputSchema: z.object({ location: z.string() }),
  execute: async ({ location }) => `sunny in ${location}`,
});

async function parts(result) {
  const all = [];
  for await (const part of result.fullStream) all.push(part);
  return all;
}

for (const [name, chat] of [["openai.chat", (m) => openai.chat(m)], ["openai-compatible", (m) => compatible(m)]]) {
  const model = chat("sim-pace-0");
  const options = { model, messages: question, maxRetries: 0, onError() {} };

  await group(name, async () => {
    const result = await generateText(options);
    matches(result.text, /simulated/i, `${name}: generateText() gives text`);
    equal(result.finishReason, "stop", `${name}: and the finish reason`);
    ok(result.usage.inputTokens > 0 && result.usage.outputTokens > 0, `${name}: and usage`);
    if (isUplift) {
      matches(result.response.headers["x-feedback-id"], uuid, `${name}: and the feedback id in a header`);
      if (name === "openai-compatible")
        matches(result.providerMetadata?.uplift?.feedbackId, uuid, `${name}: and by a metadataExtractor`);
    }
  });

  await group(name, async () => {
    const result = streamText({ ...options, includeRawChunks: true });
    const all = await parts(result);
    const text = all.filter((p) => p.type === "text-delta").map((p) => p.text).join("");
    equal(all.filter((p) => p.type === "error"), [], `${name}: streamText() has no error part`);
    matches(text, /simulated/i, `${name}: but text`);
    equal(await result.text, text, `${name}: which is result.text`);
    equal(await result.finishReason, "stop", `${name}: it ends with stop`);
    ok((await result.usage).totalTokens > 0, `${name}: and usage`);
    if (isUplift) {
      const raw = all.filter((p) => p.type === "raw").map((p) => p.rawValue);
      ok(raw.length > 0 && raw.every((c) => uuid.test(c.feedback_id)), `${name}: raw chunks have the feedback_id`);
    }
  });

  await group(name, async () => {
    const tools = { get_weather: weather };
    const messages = [{ role: "user", content: "What is the weather in New York?" }];
    const result = await generateText({ ...options, messages, tools, stopWhen: stepCountIs(3) });
    equal(result.steps[0].toolCalls.map((c) => [c.toolName, c.input.location]), [["get_weather", "New York"]], `${name}: a tool is called`);
    matches(result.text, /sunny in New York/, `${name}: and its result is answered`);
    const streamed = streamText({ ...options, messages, tools, stopWhen: stepCountIs(3) });
    const all = await parts(streamed);
    ok(all.some((p) => p.type === "tool-result" && p.output === "sunny in New York"), `${name}: also when streamed`);
    equal(all.filter((p) => p.type === "error"), [], `${name}: without an error part`);
  });

  await group(name, async () => {
    const schema = z.object({ title: z.string(), minutes: z.number() });
    const { output } = await generateText({ ...options, output: Output.object({ schema }) });
    ok(typeof output.title === "string" && typeof output.minutes === "number", `${name}: structured output fits its schema`);
  });

  await group(name, async () => {
    const error = await thrown(() => generateText({ ...options, model: chat("sim-fault-status-429;retry-after=3600") }));
    equal([error?.statusCode, error?.isRetryable], [429, true], `${name}: 429 is an APICallError`);
    matches(error?.message, /rate_limit_exceeded|rate limit/i, `${name}: with its message`);
    const all = await parts(streamText({ ...options, model: chat("sim-fault-error;after=3;pace=0") }));
    ok(all.some((p) => p.type === "text-delta"), `${name}: text comes before an error in a stream`);
    ok(all.some((p) => p.type === "error"), `${name}: which is an error part`);
    equal(all.at(-1).finishReason, "error", `${name}: and finishes with error`);
  });

  await group(name, async () => {
    const controller = new AbortController();
    const result = streamText({ ...options, model: chat("sim-pace-20"), abortSignal: controller.signal });
    const all = [];
    for await (const part of result.fullStream) {
      all.push(part.type);
      if (all.filter((type) => type === "text-delta").length === 3) controller.abort();
    }
    equal(all.at(-1), "abort", `${name}: abort ends a stream`);
  });
}
if (isUplift) {
  await group("sources", async () => {
    const messages = question;
    const model = openai.chat("uplift/coach_maple_avatar");
    const result = await generateText({ model, messages, maxRetries: 0 });
    const expected = [["url", "https://example.org/sleep", "Sleep"]];
    equal(result.sources.map(({ sourceType, url, title }) => [sourceType, url, title]), expected, "openai.chat: generateText() gives citations as sources");
    const all = await parts(streamText({ model, messages, maxRetries: 0, onError() {} }));
    equal(all.filter(({ type }) => type === "error"), [], "openai.chat: streamText() has no error part");
    equal(all.filter(({ type }) => type === "source").map(({ sourceType, url, title }) => [sourceType, url, title]), expected, "openai.chat: but source parts");
  });
}

done();
