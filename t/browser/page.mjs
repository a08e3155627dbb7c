// A person's way through the page, with mouse, touch and keyboard. Run by page.py, which reads the
// database afterwards: what it should find is printed as one line "# facts {...}".
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import {
  answerEnded, checkAccessible, checkWidth, closeBrowser, closePage, feedbackStored, lastAnswer, message, nextAnswerId, openPage, say, until, url,
} from "./chromium.mjs";

const facts = {};
const conversationOf = (page) => page.url().split("#c/")[1] ?? null;
const noteText = (page) => lastAnswer(page).locator(".notes").innerText();

await group("a conversation", async () => {
  const page = await openPage();
  await page.waitForSelector(".coach-card");
  equal(await page.locator(".coach-card-name").allInnerTexts(), ["Decibel", "Ledger", "Maple"], "the coaches are offered by name");
  ok((await page.locator(".coach-card-about").first().innerText()).length > 20, "and with a description");
  ok(await until(() => page.locator("#simulated").isVisible()), "simulated answers are marked as such");
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
  await row.getByRole("button").click();
  await checkAccessible(page, "asking before a deletion");
  await page.getByRole("button", { name: "Cancel" }).click();
  equal(await row.count(), 1, "a deletion can be thought over");
  await row.hover();
  await row.getByRole("button").click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  ok(await until(async () => (await row.count()) === 0), "a conversation is deleted");
  ok(await until(() => page.locator("#welcome").isVisible()), "and closed");
  await page.goto(`${url}/#c/${facts.conversation}`);
  await page.reload();
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
  const other = await openPage({ token: process.env.PAGE_OTHER_TOKEN, hash: `#c/${process.env.PAGE_HOSTILE}` });
  other.expected.push(/status of 404/);
  ok(await until(() => other.getByText("does not exist any more, or it is not yours").isVisible()), "another's conversation is not shown");
  await closePage(other, "another's conversation");
});

await group("roast mode", async () => {
  const page = await openPage({ token: process.env.PAGE_OTHER_TOKEN });
  await page.waitForSelector(".coach-card");
  const roast = page.locator("#roast");
  await page.getByText("Roast mode", { exact: true }).click();
  await page.getByRole("button", { name: "Not today" }).click();
  equal(await roast.isChecked(), false, "roast mode is not turned on without consent");
  await roast.click();
  await checkAccessible(page, "asking for consent");
  await page.getByRole("button", { name: "Roast me" }).click();
  ok(await until(() => roast.isChecked()), "with consent it is");
  const id = nextAnswerId(page);
  await say(page, "I skipped my run again.");
  equal(await answerEnded(page), "complete", "and a coach roasts");
  facts.roasted = await id;
  equal(await lastAnswer(page).locator(".tone").innerText(), "roast", "which the answer says");
  await closePage(page, "roast mode");
});

await group("off the network", async () => {
  const page = await openPage({ token: process.env.PAGE_OTHER_TOKEN });
  await page.waitForSelector(".coach-card");
  await page.context().setOffline(true);
  ok(await until(() => page.getByText("You are offline. What you write").isVisible()), "being offline is said");
  await say(page, "Sent when back");
  matches(await noteText(page), /sent as soon as you are back/, "a message waits for the network");
  const id = nextAnswerId(page);
  await page.context().setOffline(false);
  facts.waited = await id;
  equal(await answerEnded(page), "complete", "and goes out by itself");
  equal(await page.locator("#notices [data-key=offline]").count(), 0, "the notice is gone");

  // Offline without knowing: the call fails.
  page.expected.push(/ERR_/, /Failed to load resource/);
  await page.route("**/v1/chat", (route) => route.abort("connectionrefused"));
  await page.route("**/healthz", (route) => route.abort("connectionrefused"));
  await say(page, "Into the void");
  await answerEnded(page);
  matches(await noteText(page), /could not be reached/, "a server that is away is said");
  ok(await until(() => page.getByText("Looking for it").isVisible()), "and looked for");
  await page.unroute("**/healthz");
  await page.unroute("**/v1/chat");
  ok(await until(async () => (await page.locator("#notices [data-key=lost]").count()) === 0), "until it is back");
  await lastAnswer(page).getByRole("button", { name: "Try again" }).click();
  equal(await answerEnded(page), "complete", "trying again works");
  equal(await page.locator(".turn").count(), 2, "in its place");
  await closePage(page, "off the network");
});

await group("refusals", async () => {
  const page = await openPage({ token: process.env.PAGE_OTHER_TOKEN });
  page.expected.push(/Failed to load resource/);
  await page.waitForSelector(".coach-card");
  const error = (code, message) => ({ error: { message, type: "error", param: null, code } });
  let left = 2;
  await page.route("**/v1/chat", (route) => (left-- > 0 ? route.fulfill({ status: 429, headers: { "Retry-After": "1" }, json: error("rate_limit_exceeded", "slow down") }) : route.fallback()));
  await say(page, "Too fast");
  ok(await until(async () => /Trying again in 1 second/.test(await noteText(page))), "a refusal with a time to wait counts down");
  equal(await answerEnded(page).then(() => until(async () => (await lastAnswer(page).getAttribute("data-state")) === "complete")), true, "and the message goes out by itself");
  await page.unroute("**/v1/chat");

  await page.route("**/v1/chat", (route) => route.fulfill({ status: 503, headers: { "Retry-After": "30" }, json: error("overloaded", "overloaded") }));
  await say(page, "Very busy");
  ok(await until(async () => /very busy\. Trying again in \d+ seconds/.test(await noteText(page))), "so with an overloaded server");
  await checkAccessible(page, "waiting to try again");
  await lastAnswer(page).getByRole("button", { name: "Cancel" }).click();
  matches(await noteText(page), /Not sent/, "which can be cancelled");
  await page.unroute("**/v1/chat");
  await lastAnswer(page).getByRole("button", { name: "Try again" }).click();
  equal(await answerEnded(page), "complete", "and tried again");

  await page.route("**/v1/feedback/*", (route) => route.fulfill({ status: 500, json: error("internal_error", "it broke") }));
  const up = lastAnswer(page).getByRole("button", { name: "Helpful", exact: true });
  await up.click();
  ok(await until(async () => (await up.getAttribute("aria-pressed")) === "false"), "a thumb that is not stored does not stay");
  matches(await noteText(page), /not stored: it broke/, "and says why");
  await page.unroute("**/v1/feedback/*");

  await page.route("**/v1/chat", (route) => route.fulfill({ status: 401, json: error("token_expired", "the token has expired") }));
  await say(page, "After my time");
  ok(await until(() => page.locator("#sign-in").isVisible()), "an expired token asks for a new one");
  await checkAccessible(page, "signing in");
  await page.locator("#token").fill("rubbish");
  await page.getByRole("button", { name: "Sign in", exact: true }).last().click();
  ok(await until(async () => /refused/.test(await page.locator("#sign-in-error").innerText())), "a bad one is refused");
  await page.unroute("**/v1/chat");
  await page.locator("#token").fill(process.env.PAGE_OTHER_TOKEN);
  await page.keyboard.press("Enter");
  ok(await until(async () => (await lastAnswer(page).getAttribute("data-state")) === "complete"), "with a good one the message goes out");
  matches(await page.locator(".question-text").last().innerText(), /After my time/, "the very message");

  await page.route("**/v1/chat", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), "x-uplift-degraded": "database" } });
  });
  await say(page, "Without memory");
  ok(await until(() => page.getByText("answers without remembering you").isVisible()), "a degraded answer is said to be one");
  await answerEnded(page);
  await closePage(page, "refusals");

  const stranger = await openPage({ token: null });
  stranger.expected.push(/status of 401/);
  ok(await until(() => stranger.locator("#sign-in").isVisible()), "without a token the page asks for one");
  await stranger.locator("#token").fill(process.env.PAGE_OTHER_TOKEN);
  await stranger.getByRole("button", { name: "Sign in", exact: true }).last().click();
  ok(await until(() => stranger.locator(".coach-card").first().isVisible()), "and goes on with it");
  await stranger.reload();
  ok(await until(() => stranger.locator(".coach-card").first().isVisible()), "a reload keeps it");
  await stranger.getByRole("button", { name: "Sign out" }).click();
  ok(await until(() => stranger.locator("#sign-in").isVisible()), "signing out forgets it");
  equal(await stranger.evaluate(() => sessionStorage.length), 0, "all of it");
  await closePage(stranger, "signing in");
});

await group("by keyboard alone", async () => {
  const page = await openPage({ token: process.env.PAGE_OTHER_TOKEN });
  await page.waitForSelector(".coach-card");
  const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
  const focused = () => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.id ?? "");
  const tabTo = async (wanted, key = "Tab") => {
    for (let i = 0; i < 60; i++) {
      await press(key);
      const visible = await page.evaluate(() => {
        const node = document.activeElement;
        const seen = node.matches("input.visually-hidden") ? node.closest("label") : node;
        return node === document.body || getComputedStyle(seen).outlineStyle !== "none" || node.closest(".composer") !== null;
      });
      if (!visible) ok(false, `the focus can be seen on ${await focused()}`);
      if (wanted.test(await focused())) return true;
    }
    return false;
  };
  await press("Tab");
  equal(await focused(), "skip", "the first stop is the skip link");
  await press("Enter");
  equal(await focused(), "message", "which leads to the message box");
  ok(await tabTo(/^severity$/, "Shift+Tab"), "severity can be reached");
  await press("Home", "ArrowRight", "ArrowRight");
  equal(await page.locator("#severity").getAttribute("aria-valuetext"), "1.2, ultra gentle", "and moved by arrows");
  await press("Shift+Tab");
  await press("ArrowDown");
  const chosen = await page.locator(".coach-card:has(:checked) .coach-card-name").innerText();
  ok(await tabTo(/^message$/), "the message box is further on");
  matches(await message(page).getAttribute("placeholder"), new RegExp(chosen), "arrows choose a coach");
  await page.keyboard.type("By keyboard");
  const id = nextAnswerId(page);
  await press("Enter");
  facts.byKeyboard = await id;
  equal(await answerEnded(page), "complete", "Enter sends");
  equal(await focused(), "message", "and the focus stays");
  ok(await tabTo(/^Helpful$/, "Shift+Tab"), "the thumb can be reached");
  const reply = feedbackStored(page);
  await press("Space");
  equal((await reply).status(), 200, "and pressed");
  ok(await tabTo(/^Coach: /, "Shift+Tab"), "the coach can be reached");
  await press("Enter");
  ok(await until(() => page.locator("#coach-dialog").isVisible()), "and opens the panel");
  await checkAccessible(page, "coach panel");
  await press("Escape");
  ok(await until(async () => !(await page.locator("#coach-dialog").isVisible())), "Escape closes it");
  matches(await focused(), /^Coach: /, "and the focus is back");
  await closePage(page, "by keyboard");
});

await group("on a phone", async () => {
  for (const [width, height, scheme] of [[375, 812, "dark"], [320, 568, "light"]]) {
    const name = `${width} pixels, ${scheme}`;
    const page = await openPage({ token: process.env.PAGE_OTHER_TOKEN, width, height, scheme, touch: true, calm: false });
    await page.waitForSelector(".coach-card");
    await page.waitForTimeout(300); // for the last of the animations: colours are measured
    await checkWidth(page, `${name}, welcome`);
    await checkAccessible(page, `${name}, welcome`);
    await message(page).fill("Hello from a phone");
    await page.locator("#send").tap();
    equal(await answerEnded(page), "complete", `${name}: a message is sent by touch`);
    await page.waitForTimeout(300);
    await checkWidth(page, `${name}, conversation`);
    await checkAccessible(page, `${name}, conversation`);
    await page.locator("#open-sidebar").tap();
    await page.locator("#close-sidebar").waitFor();
    await page.waitForTimeout(300);
    ok(await page.locator(".conversation-delete").first().isVisible(), `${name}: conversations are in a drawer`);
    // The open drawer takes the page out of reach, heading and all.
    await checkAccessible(page, `${name}, drawer`, { but: ["landmark-one-main", "page-has-heading-one"] });
    await page.locator("#close-sidebar").tap();
    await page.locator("#tone-chip").tap();
    await page.waitForTimeout(300);
    await checkWidth(page, `${name}, coach panel`);
    await page.locator("#close-coach-dialog").tap();
    await closePage(page, name);
  }
});

await group("themes", async () => {
  const page = await openPage({ token: process.env.PAGE_OTHER_TOKEN });
  await page.waitForSelector(".coach-card");
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await page.locator("#theme").click();
  equal(await paper(), light, "light is light");
  await page.locator("#theme").click();
  const dark = await paper();
  ok(dark !== light, "dark is dark");
  await page.reload();
  equal(await paper(), dark, "and stays, from before the first drawing");
  await page.waitForSelector(".coach-card");
  await checkAccessible(page, "dark");
  await closePage(page, "themes");
});

console.log(`# facts ${JSON.stringify(facts)}`);
await closeBrowser();
done();
