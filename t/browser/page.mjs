// A person's way through the page, with mouse and keyboard, and a hostile one's. Run by page.py, which reads the
// database afterwards: what it should find is printed as one line "# facts {...}".
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import {
  answerEnded, checkAccessible, checkWidth, closeBrowser, closePage, feedbackStored, lastAnswer, message, nextAnswerId, noteText, openPage, say, until, url,
} from "./chromium.mjs";

const facts = {};
const conversationOf = (page) => page.url().split("#c/")[1] ?? null;

await group("a conversation", async () => {
  const page = await openPage();
  await page.waitForSelector(".coach-card");
  equal(await page.locator(".coach-card-name").allInnerTexts(), ["Decibel", "Ledger", "Maple"], "the coaches are offered by name");
  ok((await page.locator(".coach-card-about").first().innerText()).length > 20, "and with a description");
  ok(await until(() => page.locator("#simulated").isVisible()), "simulated answers are marked as such");
  await page.locator("#simulated").click();
  matches(await page.locator("#notices").innerText(), /answers are simulated: .+ without a language model/, "and explained");
  await page.getByRole("button", { name: "Close this notice" }).click();
  await checkAccessible(page, "welcome");
  await checkWidth(page, "welcome");

  await page.getByText("Maple", { exact: true }).click();
  equal(await message(page).getAttribute("placeholder"), "Write to Maple", "picking a coach changes who is written to");
  const stored = page.waitForResponse((response) => response.request().method() === "PUT" && response.url().endsWith("/v1/preferences"));
  for (const [severity, band] of [[1, "ultra gentle"], [1.5, "ultra gentle"], [1.6, "supportive"], [2.6, "balanced"], [3.6, "direct"], [4.6, "intense"], [5.6, "savage"], [4.2, "direct"]]) {
    await page.locator("#severity").fill(String(severity));
    const shown = await page.locator(".band-name").innerText();
    if (shown !== band) ok(false, `severity ${severity} is called ${band}`, shown);
  }
  equal(await page.locator("#severity").getAttribute("aria-valuetext"), "4.2, direct", "severity says its number and its band");
  equal((await stored).status(), 200, "the choice is stored as a preference");

  const answerId = nextAnswerId(page);
  await say(page, "How do I start running?");
  const lengths = new Set();
  const busy = await until(() => lastAnswer(page).getAttribute("aria-busy").then((value) => value === "true"));
  await until(async () => {
    lengths.add((await lastAnswer(page).locator(".prose").innerText().catch(() => "")).length);
    return (await lastAnswer(page).getAttribute("data-state")) === "complete";
  });
  ok(busy && lengths.size > 4, "the answer streams in", [...lengths].join(" "));
  equal(await answerEnded(page), "complete", "and ends as complete");
  facts.first = await answerId;
  facts.conversation = conversationOf(page);
  matches(facts.conversation, /^[0-9a-f-]{36}$/, "the address names the conversation");
  matches(facts.first, /^[0-9a-f-]{36}$/, "the answer has an id from its start");
  facts.firstText = await lastAnswer(page).locator(".prose").innerText();
  ok((await page.locator("#spoken").innerText()).length > 60, "a screen reader is told the answer");
  ok(await until(() => page.locator(".conversation-link[aria-current]").count()), "the list shows the conversation as the open one");
  ok(await message(page).evaluate((node) => node === document.activeElement), "the focus is where the next message goes");

  let reply = feedbackStored(page);
  const up = lastAnswer(page).getByRole("button", { name: "Helpful", exact: true });
  await up.click();
  equal(await up.getAttribute("aria-pressed"), "true", "a thumb is pressed");
  equal((await reply).status(), 200, "and stored");
  // What comes with the first feedback moves the page, maybe just under the next click.
  await page.locator('#notices [data-key="training"]').waitFor();
  reply = feedbackStored(page);
  await lastAnswer(page).getByRole("button", { name: "4 stars" }).click();
  equal((await reply).status(), 200, "four stars are stored");
  await lastAnswer(page).getByRole("button", { name: "Comment on this answer" }).click();
  await checkAccessible(page, "conversation");
  reply = feedbackStored(page);
  await page.keyboard.type("Clear and short ü");
  await page.keyboard.press("Enter");
  equal((await reply).status(), 200, "a comment is stored");
  await lastAnswer(page).getByRole("button", { name: "Copy the answer" }).click();
  ok((await until(() => page.evaluate(() => navigator.clipboard.readText()))).length > 50, "copy puts the answer on the clipboard");

  await message(page).fill("A draft");
  await page.reload();
  await page.waitForSelector(".answer[data-state=complete]");
  equal(await lastAnswer(page).locator(".prose").innerText(), facts.firstText, "a reload brings the conversation back");
  equal(await message(page).inputValue(), "A draft", "and the draft");
  equal(await up.getAttribute("aria-pressed"), "true", "and the thumb");
  equal(await lastAnswer(page).locator(".star.lit").count(), 4, "and the stars");
  ok(await lastAnswer(page).getByRole("button", { name: "Change your comment" }).isVisible(), "and the comment");
  matches(await page.locator("#coach-chip").innerText(), /Maple/, "and the coach");
  matches(await page.locator("#tone-chip").innerText(), /direct/, "and the severity");

  reply = feedbackStored(page);
  await up.click();
  await reply;
  equal(await up.getAttribute("aria-pressed"), "false", "a second press takes the thumb back");
  equal(reply && (await (await reply).json()).helpful, null, "with null");
  reply = feedbackStored(page);
  await lastAnswer(page).getByRole("button", { name: "Not helpful" }).click();
  await reply;
  reply = feedbackStored(page);
  await lastAnswer(page).getByRole("button", { name: "4 stars" }).click();
  await reply;
  equal(await lastAnswer(page).locator(".star.lit").count(), 0, "so with the stars");

  const second = nextAnswerId(page);
  await lastAnswer(page).getByRole("button", { name: "Answer again" }).click();
  facts.second = await second;
  equal(await answerEnded(page), "complete", "an answer is given again");
  equal(await page.locator(".turn").count(), 1, "in the place of the first");
  equal(await lastAnswer(page).getByRole("button", { name: "Not helpful" }).getAttribute("aria-pressed"), "false", "without the first one's feedback");

  const stopped = nextAnswerId(page);
  await say(page, "Tell me more about sleep, food, stress and work, please.");
  await until(async () => (await lastAnswer(page).locator(".prose").innerText().catch(() => "")).length > 10);
  const early = feedbackStored(page);
  await lastAnswer(page).getByRole("button", { name: "Helpful", exact: true }).click();
  equal((await early).status(), 200, "a thumb is taken while the answer streams");
  await page.locator("#stop").click();
  facts.stopped = await stopped;
  equal(await answerEnded(page), "stopped", "an answer can be stopped");
  matches(await noteText(page), /Stopped here/, "and says so");
  equal(await page.locator(".turn").count(), 2, "both turns are there");

  await say(page, "And with Escape?");
  await until(async () => (await lastAnswer(page).getAttribute("data-state")) === "streaming");
  await page.keyboard.press("Escape");
  equal(await answerEnded(page), "stopped", "Escape stops, too");

  const left = nextAnswerId(page);
  await say(page, "Take your time with work and sleep and food.");
  facts.left = await left;
  await until(async () => (await lastAnswer(page).getAttribute("data-state")) === "streaming");
  await page.getByRole("button", { name: "New conversation" }).first().click();
  equal(await page.locator("#send").isVisible(), true, "while an answer comes, another conversation can begin");
  await page.goBack();
  equal([await page.locator(".turn").count(), await page.locator("#stop").isVisible()], [4, true], "and the first be gone back to");
  const before = (await lastAnswer(page).locator(".prose").innerText()).length;
  ok(await until(async () => (await lastAnswer(page).locator(".prose").innerText()).length > before), "where the answer goes on");
  equal(await answerEnded(page), "complete", "to its end");

  await page.getByRole("button", { name: "New conversation" }).first().click();
  equal(conversationOf(page), null, "a new conversation has no address yet");
  await message(page).press("Shift+Enter");
  await message(page).pressSequentially("first line");
  await message(page).press("Shift+Enter");
  await message(page).pressSequentially("second line");
  const kept = nextAnswerId(page);
  await message(page).press("Enter");
  facts.kept = await kept;
  await answerEnded(page);
  equal(await page.locator(".question-text").innerText(), "first line\nsecond line", "Shift+Enter begins a new line");
  facts.keptConversation = conversationOf(page);
  ok(facts.keptConversation !== facts.conversation, "and is a conversation of its own");
  ok(await until(async () => (await page.locator(".conversation").count()) === 3), "the list has all three", await page.locator(".conversation").allInnerTexts());

  await page.goBack();
  await page.waitForSelector(".welcome:visible, .answer");
  await page.locator(`.conversation-link[data-id="${facts.conversation}"]`).click();
  await until(async () => (await page.locator(".turn").count()) === 4);
  equal(await page.locator(".turn").count(), 4, "a conversation is opened from the list");
  ok(await until(async () => (await page.locator(".answer[data-state=stopped]").count()) === 2), "with its stopped answers marked");
  const row = page.locator(`.conversation[data-id="${facts.conversation}"]`);
  await row.hover();
  await row.getByRole("button", { name: /^Delete/ }).click();
  await checkAccessible(page, "asking before a deletion");
  await page.getByRole("button", { name: "Cancel" }).click();
  equal(await row.count(), 1, "a deletion can be thought over");
  await row.hover();
  await row.getByRole("button", { name: /^Delete/ }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  ok(await until(async () => (await row.count()) === 0), "a conversation is deleted");
  ok(await until(() => page.locator("#welcome").isVisible()), "and closed");
  await page.goto(`${url}/?again#c/${facts.conversation}`);
  page.expected.push(/status of 404/);
  ok(await until(() => page.getByText("does not exist any more").isVisible()), "its address leads nowhere any more");
  await closePage(page, "a conversation");
});

await group("as the server configures it", async () => {
  const page = await openPage({ token: "" });
  ok(await until(() => page.locator(".coach-card").first().isVisible()), "the token of /config.json is used");
  equal(await page.locator("#sign-out").isVisible(), false, "and there is nothing to sign out of");
  await closePage(page, "as the server configures it");
});

await group("another's and hostile text", async () => {
  const page = await openPage({ hash: `#c/${process.env.PAGE_HOSTILE}` });
  await page.waitForSelector(".answer[data-state=complete]");
  await page.waitForTimeout(200); // for what a handler would do
  const found = await page.evaluate(() => ({
    elements: document.querySelectorAll(".thread script, .thread img, .thread iframe, .thread style, .thread object, .thread svg[onload], .thread [onerror], .thread [onclick], .thread [style*=url]").length,
    links: [...document.querySelectorAll(".thread a")].map((link) => link.protocol + link.rel),
    hit: globalThis.hit ?? null,
    text: document.querySelector(".thread").innerText,
  }));
  equal([found.elements, found.hit], [0, null], "hostile text makes no elements and runs nothing");
  equal(found.links, ["https:noopener noreferrer nofollow"], "only a safe address is a link");
  ok(found.text.includes("<script>") && found.text.includes("<img src=x onerror="), "it is shown as the text that it is", found.text);
  ok((await page.locator(".conversation").allInnerTexts()).some((text) => text.includes("<b>")), "so are titles");
  await checkWidth(page, "hostile text");
  await closePage(page, "hostile text");

  const words = `<img src=x onerror=hit=1><script>hit=1</script> [x](javascript:hit=1) "'>`;
  const named = await openPage({ before: async (fresh) => {
    const coach = { id: `coach_"><img src=x onerror=hit=1>`, name: words, description: words, default: true };
    await fresh.route("**/v1/coaches", (route) => route.fulfill({ json: { object: "list", data: [coach] } }));
    await fresh.route("**/v1/preferences", (route) => route.fulfill({ json: { active_coach_id: coach.id, severity: 3, mode: words } }));
    await fresh.route("**/v1/conversations?*", (route) => route.fulfill({ json: { object: "list", has_more: false, data: [{ id: `"><img src=x onerror=hit=1>`, title: words, coach_id: coach.id, updated_at: words }] } }));
    await fresh.route("**/v1/chat", (route) => route.fulfill({ status: 502, headers: { "X-Request-Id": words }, json: { error: { message: words, type: words, param: words, code: words } } }));
  } });
  named.expected.push(/status of 502/);
  equal(await named.locator(".coach-card-name").innerText(), words, "a hostile coach's name is text");
  await say(named, words);
  await answerEnded(named);
  ok((await noteText(named)).includes(words), "so is an error's message");
  await named.waitForTimeout(200);
  equal(await named.evaluate(() => [document.querySelectorAll("img, body script, [onerror], a[href^=javascript]").length, globalThis.hit ?? null]), [0, null], "and none of it runs");
  await named.locator(".conversation-delete").click();
  ok((await named.locator("#confirm-text").innerText()).includes("<img"), "so is a title in a question");
  await closePage(named, "hostile names and errors");

  const other = await openPage({ token: process.env.PAGE_OTHER_TOKEN, hash: `#c/${process.env.PAGE_HOSTILE}` });
  other.expected.push(/status of 404/);
  ok(await until(() => other.getByText("does not exist any more, or it is not yours").isVisible()), "another's conversation is not shown");
  await closePage(other, "another's conversation");
});

console.log(`# facts ${JSON.stringify(facts)}`);
await closeBrowser();
done();
