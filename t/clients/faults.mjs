// openai-node against an uplift whose first provider fails: what an SDK makes of each fault.
//   CLIENT_FAULTS  JSON: [{model, stream, end: "answer", "refused" or "cut"}]
import OpenAI from "openai";
import { apiKey, baseURL, question } from "./setting.mjs";
import { done, equal, group, ok } from "./tap.mjs";

const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });

async function ask(model, stream) {
  const seen = { text: "", finish: null, model: null, error: null };
  try {
    const answer = await client.chat.completions.create({ model, stream, messages: question });
    if (stream) {
      for await (const chunk of answer) {
        seen.text += chunk.choices[0]?.delta?.content ?? "";
        seen.finish ??= chunk.choices[0]?.finish_reason;
        seen.model = chunk.model;
      }
    } else {
      seen.text = answer.choices[0].message.content;
      seen.finish = answer.choices[0].finish_reason;
      seen.model = answer.model;
    }
  } catch (error) {
    seen.error = error;
  }
  return seen;
}

for (const { model, stream, end, by } of JSON.parse(process.env.CLIENT_FAULTS)) {
  await group(`${model}, ${stream ? "streamed" : "whole"}`, async () => {
    const seen = await ask(model, stream);
    if (end === "answer") {
      equal(seen.error?.message, undefined, "no error");
      ok(seen.text.length > 0, "an answer");
      equal(seen.finish, "stop", "which is whole");
      if (by) equal(seen.model, by, "and names the model that gave it");
      return;
    }
    ok(seen.error instanceof OpenAI.APIError, "an APIError", seen.error);
    equal(seen.finish, null, "never an answer that looks complete");
    if (end === "cut") {
      ok(seen.text.length > 0, "after some text");
      ok(seen.error.code, "with its code", seen.error.message);
    } else {
      ok(seen.error.status >= 400 && seen.error.status < 500, "refused", seen.error.status);
    }
  });
}

done();
