// Messages edited, versions paged through, answers gone on with, thoughts and code. Run by conversations.py; SHOTS names a directory
// for pictures.
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import { answerEnded, checkAccessible, checkWidth, closeBrowser, closePage, lastAnswer, message, noteText, openPage, say, until } from "./chromium.mjs";

const refusal = (code, text = "it broke") => ({ error: { message: text, type: "error", param: null, code } });
const questions = (page) => page.locator(".question-text").allInnerTexts();
const shot = (page, name) => process.env.SHOTS && page.screenshot({ path: `${process.env.SHOTS}/${name.replace(", ", "-")}.png` });

async function ask(page, text) {
  await message(page).fill(text);
  await page.getByRole("button", { name: "Send", exact: true }).click();
  equal(await answerEnded(page), "complete", `"${text}" is answered`);
}

for (const [name, options] of [["desktop", {}], ["phone, dark", { width: 375, height: 812, scheme: "dark", touch: true }]]) {
  const tag = `[${name.split(",")[0]}]`;
  await group(`edit, ${name}`, async () => {
    const page = await openPage(options);
    await page.waitForSelector(".coach-card");
    for (const text of ["First", "Second", "Third"]) await ask(page, `${text} ${tag}`);
    const second = page.locator(".turn").nth(1);
    if (!options.touch) await second.locator(".question").hover();
    await second.getByRole("button", { name: "Edit this message" }).click();
    const box = second.getByRole("textbox", { name: "Your message" });
    equal(await box.inputValue(), `Second ${tag}`, "a message is edited where it stands");
    await checkAccessible(page, `editing, ${name}`);
    await checkWidth(page, `editing, ${name}`);
    await box.press("Escape");
    equal(await questions(page), [`First ${tag}`, `Second ${tag}`, `Third ${tag}`], "or left as it was");
    await second.getByRole("button", { name: "Edit this message" }).click();
    await box.fill(`Second, edited ${tag}`);
    await second.getByRole("button", { name: "Send" }).click();
    equal(await answerEnded(page), "complete", "it is answered anew");
    equal(await questions(page), [`First ${tag}`, `Second, edited ${tag}`], "and what came after it has gone");
    equal(await second.locator(".pager-text").innerText(), "2 of 2", "it is the second version of two");
    await shot(page, `edited-${name}`);
    await second.getByRole("button", { name: "Earlier version" }).click();
    ok(await until(async () => (await questions(page)).join() === [`First ${tag}`, `Second ${tag}`, `Third ${tag}`].join()), "the first one is paged back to, with all that came after it");
    equal(await page.locator(".turn").nth(1).locator(".pager-text").innerText(), "1 of 2", "as the first of two");
    ok(await page.getByText("This is an earlier version of the conversation.").isVisible(), "which the page says");
    await checkAccessible(page, `an earlier version, ${name}`);
    await checkWidth(page, `an earlier version, ${name}`);
    await shot(page, `version-${name}`);
    await page.locator(".turn").nth(1).getByRole("button", { name: "Later version" }).click();
    ok(await until(async () => (await questions(page)).length === 2), "and forth");
    ok(await until(() => page.getByText("This is an earlier version").isHidden()), "which is the latest");
    await page.locator(".turn").nth(1).getByRole("button", { name: "Earlier version" }).click();
    ok(await until(async () => (await questions(page)).length === 3), "in the past");
    page.expected.push(/status of 502/);
    await page.route("**/v1/chat", (route) => route.fulfill({ status: 502, json: refusal("provider_error") }));
    await lastAnswer(page).getByRole("button", { name: "Answer again" }).click();
    ok(await until(async () => /it broke/.test(await noteText(page))), "where another answer may fail");
    ok(await page.getByText("This is an earlier version of the conversation.").isVisible(), "and it is the past all the same");
    await page.unroute("**/v1/chat");
    await say(page, `Fourth ${tag}`);
    if (options.touch) await page.getByRole("button", { name: "Send", exact: true }).click();
    ok(await until(async () => (await questions(page)).join() === [`First ${tag}`, `Second, edited ${tag}`, `Fourth ${tag}`].join()), "what is written goes on with the latest");
    equal(await answerEnded(page), "complete", "and is answered");
    await page.reload();
    await page.waitForSelector(".turn .pager:not([hidden])");
    equal(await page.locator(".pager-text").allInnerTexts(), ["", "2 of 2", ""], "versions are there after a reload");
    await closePage(page, `edit, ${name}`);
  });

  if (!options.touch) await group(`an edit that fails, ${name}`, async () => {
    const page = await openPage(options);
    await page.waitForSelector(".coach-card");
    await ask(page, "Stays");
    await ask(page, "Stays, too");
    page.expected.push(/status of 502/);
    await page.route("**/v1/chat", (route) => route.fulfill({ status: 502, json: refusal("provider_error") }));
    const first = page.locator(".turn").first();
    await first.getByRole("button", { name: "Edit this message" }).click();
    await first.getByRole("textbox", { name: "Your message" }).fill("Changes");
    await first.getByRole("button", { name: "Send" }).click();
    ok(await until(async () => /it broke/.test(await first.locator(".notes").innerText())), "a failure is said");
    equal(await questions(page), ["Stays", "Stays, too"], "and all is as it was");
    await page.unroute("**/v1/chat");
    await first.getByRole("button", { name: "Try again" }).click();
    ok(await until(async () => (await questions(page)).join() === "Changes"), "a second try asks the edited one");
    equal(await answerEnded(page), "complete", "which is answered");

    await ask(page, "And then");
    page.expected.push(/status of 400/);
    const failed = {};
    await page.route("**/v1/conversations/*", async (route) => {
      const read = await (await route.fetch()).json();
      Object.assign(failed, read.messages[1]);
      Object.assign(read.messages[1], { content: "", outcome: "failed" });
      return route.fulfill({ json: read });
    });
    await page.reload();
    await page.waitForSelector(".answer[data-state=failed]");
    const asked = [];
    await page.route("**/v1/chat", (route) => {
      asked.push(route.request().postDataJSON());
      return route.fulfill({ status: 400, json: refusal("invalid_message") });
    });
    await first.getByRole("button", { name: "Edit this message" }).click();
    await first.getByRole("textbox", { name: "Your message" }).fill("Better");
    await first.getByRole("button", { name: "Send" }).click();
    await until(() => asked.length > 0);
    ok(await until(async () => (await questions(page)).join() === "Changes,And then"), "so it is where there was no answer before");
    await first.getByRole("button", { name: "Edit the message" }).click();
    equal(await first.getByRole("textbox", { name: "Your message" }).inputValue(), "Better", "and the edited one can be edited");
    await first.getByRole("button", { name: "Send" }).click();
    await until(() => asked.length > 1);
    equal(asked.map((body) => [body.message, body.regenerate_of]), Array(2).fill(["Better", failed.id]), "in the place of the same one");
    await closePage(page, `an edit that fails, ${name}`);
  });

  if (!options.touch) await group("what an edit asks after a refusal", async () => {
    const page = await openPage(options);
    page.expected.push(/Failed to load resource/, /ERR_/);
    await page.waitForSelector(".coach-card");
    await ask(page, "Before");
    const turn = page.locator(".turn").first();
    const box = turn.getByRole("textbox", { name: "Your message" });
    const edit = async (text) => {
      await turn.getByRole("button", { name: "Edit this message" }).click();
      await box.fill(text);
      await turn.getByRole("button", { name: "Send" }).click();
    };
    const after = [
      [404, "answer_not_found", async () => {}],
      [401, "token_expired", async () => {
        await page.locator("#token").fill(process.env.PAGE_TOKEN);
        await page.keyboard.press("Enter");
      }],
      [403, "roast_consent_required", () => page.locator("#confirm-yes").click()],
      [400, "invalid_message", async () => {
        await turn.getByRole("button", { name: "Edit the message" }).click();
        await box.press("Enter");
      }],
      [404, "conversation_not_found", () => page.getByRole("button", { name: "Ask in a new one" }).click()],
    ];
    for (const [status, code, act] of after) {
      const asked = [];
      const refusals = code === "token_expired" ? 2 : 1; // a token is looked for anew before the person is asked
      await page.route("**/v1/chat", (route) => {
        asked.push(route.request().postDataJSON().message);
        return route.fulfill(asked.length <= refusals ? { status, json: refusal(code) } : { status: 502, json: refusal("provider_error") });
      });
      if (code === "token_expired") await page.route("**/config.json", (route) => route.fulfill({ json: {} }));
      await edit(`After ${code}`);
      await act();
      await until(() => asked.length > refusals);
      equal(asked, Array(refusals + 1).fill(`After ${code}`), `${code}: the edited question is asked once more`);
      await page.unroute("**/v1/chat");
    }
    await closePage(page, "what an edit asks after a refusal");
  });

  if (!options.touch) await group("an edit that cannot be sent", async () => {
    const page = await openPage(options);
    page.expected.push(/Failed to load resource/, /ERR_/);
    await page.waitForSelector(".coach-card");
    await ask(page, "Short");
    const first = page.locator(".turn").first();
    const box = first.getByRole("textbox", { name: "Your message" });
    await first.getByRole("button", { name: "Edit this message" }).click();
    await box.fill("x".repeat(262145));
    await box.press("Enter");
    ok(await until(async () => /too long/.test(await first.locator(".form-error").innerText())), "what is too long is said to be, where it is written");
    await checkAccessible(page, "an edit that is too long");
    await shot(page, "edit-too-long");
    await box.fill("Edited meanwhile");
    let release;
    const held = new Promise((resolve) => (release = resolve));
    await page.route("**/v1/chat", (route) => held.then(() => route.continue()));
    await say(page, "Slow");
    await box.press("Enter");
    ok(await until(async () => /still answering/.test(await first.locator(".form-error").innerText())), "so is that an answer is coming");
    equal(await box.inputValue(), "Edited meanwhile", "and nothing of it is lost");
    release();
    equal(await answerEnded(page), "complete", "until that is there");
    await page.unroute("**/v1/chat");
    await page.context().setOffline(true);
    await box.press("Enter");
    ok(await until(async () => /sent as soon as you are back/.test(await first.locator(".notes").innerText())), "an edit waits for the network");
    const here = page.url();
    await message(page).fill("And this");
    await page.getByRole("button", { name: "New conversation" }).first().click();
    await page.context().setOffline(false);
    await page.goto(here);
    ok(await until(async () => (await message(page).inputValue()) === "Edited meanwhile\n\nAnd this"), "and whoever goes elsewhere finds it with what was written below", await message(page).inputValue());
    await closePage(page, "an edit that cannot be sent");
  });

  if (!options.touch) await group("what is written below the past, and the latest cannot be read", async () => {
    const page = await openPage(options);
    page.expected.push(/status of 403/);
    await page.waitForSelector(".coach-card");
    await ask(page, "One");
    const here = page.url();
    await lastAnswer(page).getByRole("button", { name: "Answer again" }).click();
    await answerEnded(page);
    const asked = [];
    page.on("request", (request) => request.method() === "POST" && request.url().endsWith("/v1/chat") && asked.push(request.postDataJSON().message));
    const toThePast = async () => {
      await page.getByRole("button", { name: "Earlier version" }).click();
      await until(() => page.getByText("This is an earlier version").isVisible());
    };
    await toThePast();
    await page.route("**/v1/conversations/*", (route) => route.fulfill({ status: 403, json: refusal("forbidden") }));
    await say(page, "Two");
    ok(await until(() => page.locator("#notices").getByText("Something did not work").isVisible()), "that it cannot be read is said");
    equal([asked, await message(page).inputValue()], [[], "Two"], "and nothing is sent: it waits where it was written");
    await page.unroute("**/v1/conversations/*");
    await page.locator("#notices").getByRole("button", { name: "Try again" }).click();
    await page.waitForSelector(".turn");

    await toThePast();
    const reads = [];
    await page.route("**/v1/conversations/*", (route) => reads.push(() => route.fallback()));
    await message(page).press("Enter");
    await until(() => reads.length > 0);
    await page.getByRole("button", { name: "New conversation" }).first().click();
    await page.unroute("**/v1/conversations/*");
    await reads[0]().catch(() => {});
    await ask(page, "Elsewhere");
    equal([asked, await questions(page)], [["Elsewhere"], ["Elsewhere"]], "so it is where another one is opened meanwhile");
    await page.goto(here);
    await page.waitForSelector(".turn");
    await message(page).press("Enter");
    ok(await until(async () => (await questions(page)).join() === "One,Two"), "until it is sent");
    equal(await answerEnded(page), "complete", "and answered");
    await closePage(page, "what is written below the past");
  });

  if (!options.touch) await group("an edit whose connection breaks", async () => {
    const page = await openPage(options);
    page.expected.push(/Failed to load resource/, /ERR_/);
    await page.waitForSelector(".coach-card");
    await ask(page, "Before the break");
    await ask(page, "And after it");
    const first = page.locator(".turn").first();
    const edit = async (text) => {
      await first.getByRole("button", { name: "Edit this message" }).click();
      await first.getByRole("textbox", { name: "Your message" }).fill(text);
      await first.getByRole("button", { name: "Send" }).click();
      ok(await until(async () => /The connection broke/.test(await first.locator(".notes").innerText())), `"${text}" is sent, and its connection breaks`);
    };
    // It is answered, and none of that arrives.
    await page.route("**/healthz", (route) => route.abort("connectionrefused"));
    await page.route("**/v1/chat", async (route) => (route.request().method() === "POST" ? route.fulfill({ response: await route.fetch(), body: "data: rubbish\n\n" }) : route.fallback()));
    await edit("Sent all the same");
    equal(await questions(page), ["Sent all the same"], "it stands where the other question was");
    await first.getByRole("button", { name: "Cancel" }).click();
    equal([await first.locator(".notes p").innerText(), await questions(page)], ["The answer goes on, and is not waited for any more.", ["Sent all the same"]], "so it does when it is not waited for any more");
    await first.getByRole("button", { name: "Try again" }).click();
    equal([await answerEnded(page), await first.locator(".answer-main > .prose").innerText(), await first.locator(".pager-text").innerText()],
      ["complete", "You asked: Sent all the same", "2 of 2"], "its own answer can still be had");

    await edit("Sent and left");
    const here = page.url();
    await page.getByRole("button", { name: "New conversation" }).first().click();
    await page.goto(here);
    ok(await until(async () => (await questions(page)).join() === "Sent and left"), "whoever goes elsewhere finds it answered");
    equal(await message(page).inputValue(), "", "and nothing of it left to be sent");
    await closePage(page, "an edit whose connection breaks");
  });

  await group(`going on, thoughts, code, ${name}`, async () => {
    const page = await openPage(options);
    await page.waitForSelector(".coach-card");
    await ask(page, "A long one");
    matches(await noteText(page), /reached its length limit/, "an answer that was cut is said to be");
    await shot(page, `cut-${name}`);
    await page.reload();
    await page.waitForSelector(".turn .answer-note");
    await page.getByRole("button", { name: "Go on" }).click();
    equal(await answerEnded(page), "complete", "it goes on, also after a reload");
    equal(await lastAnswer(page).locator(".answer-main > .prose").innerText(), "The first half, and the second one.", "where it stopped");
    equal(await lastAnswer(page).locator(".pager-text").innerText(), "2 of 2", "as another version");
    equal(await noteText(page), "", "and is whole");

    const thought = lastAnswer(page).locator("details.thought");
    equal([await thought.locator("summary").innerText(), await thought.getAttribute("open")], ["What it thought first", null], "what the model thought is folded away");
    await thought.locator("summary").click();
    ok(await until(() => thought.innerText().then((text) => text.includes("She wants an answer. <script>hit=1</script>"))), "and there when opened, as text");
    await checkAccessible(page, `a thought, ${name}`);
    await page.reload();
    await page.waitForSelector(".turn details.thought:not([hidden])");
    page.expected.push(/status of 502/);
    await page.route("**/v1/chat", (route) => route.fulfill({ status: 502, json: refusal("provider_error") }));
    await lastAnswer(page).getByRole("button", { name: "Answer again" }).click();
    ok(await until(async () => /it broke/.test(await noteText(page))), "another answer fails");
    await page.unroute("**/v1/chat");
    await lastAnswer(page).locator("details.thought summary").click();
    ok(await until(() => lastAnswer(page).locator("details.thought").innerText().then((text) => text.includes("She wants an answer."))), "and the thought of the one that is read again is there");

    await ask(page, "Show me code");
    ok(await until(async () => (await lastAnswer(page).locator(".hljs-keyword").allInnerTexts()).join() === "def,return"), "code has its colours");
    equal(await lastAnswer(page).locator("pre code").innerText(), 'def greet(name):\n    return "<b>hi</b> " + name  # 1 < 2 && 3', "and stays what it is");
    equal(await lastAnswer(page).locator("pre b, pre script").count(), 0, "without a tag of its own");
    await checkAccessible(page, `code, ${name}`);
    await checkWidth(page, `code, ${name}`);
    await shot(page, `code-${name}`);
    await closePage(page, `going on, thoughts, code, ${name}`);
  });
}
await closeBrowser();
done();
