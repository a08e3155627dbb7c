// The page off its network, refused, overloaded and without a token. Run by page.py, which reads the database afterwards.
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import {
  answerEnded, checkAccessible, closeBrowser, closePage, lastAnswer, message, nextAnswerId, noteText, openPage, say, until,
} from "./chromium.mjs";

const facts = {};

await group("off the network", async () => {
  const page = await openPage();
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

await group("a question that was left before it was refused", async () => {
  const page = await openPage();
  page.expected.push(/status of 502/);
  await page.waitForSelector(".coach-card");
  await say(page, "Asked elsewhere");
  await answerEnded(page);
  const elsewhere = new URL(page.url()).hash;
  const startNew = () => page.getByRole("button", { name: "New conversation" }).first().click();
  const kept = (key) => page.evaluate((name) => sessionStorage.getItem(`uplift.draft.${name}`), key);
  // Asks in a new conversation; what is given back refuses it.
  const ask = async (act) => {
    const refusals = [];
    await page.route("**/v1/chat", (route) => (route.request().method() === "POST" ? refusals.push(() => route.fulfill({ status: 502, json: { error: { message: "it broke", type: "server_error", param: null, code: "provider_error" } } })) : route.fallback()));
    await startNew();
    await act();
    await until(() => refusals.length > 0);
    await page.evaluate((hash) => { location.hash = hash; }, elsewhere);
    ok(await until(async () => (await page.locator(".question-text").allInnerTexts()).join() === "Asked elsewhere"), "another conversation is opened meanwhile");
    return async () => {
      await refusals[0]();
      await page.unroute("**/v1/chat");
    };
  };
  const refuse = await ask(() => say(page, "Left behind"));
  await message(page).fill("For this one");
  await refuse();
  ok(await until(async () => (await kept("new")) === "Left behind"), "it waits in a new conversation", String(await kept("new")));
  equal([await message(page).inputValue(), await kept(elsewhere.slice(3))], ["For this one", "For this one"], "and not in the one that is open");

  const refuseAgain = await ask(() => message(page).press("Enter"));
  await startNew();
  await message(page).fill("And this");
  await refuseAgain();
  ok(await until(async () => (await message(page).inputValue()) === "Left behind\n\nAnd this"), "in one that is open it is put before what is written there", await message(page).inputValue());
  await message(page).press("ControlOrMeta+End");
  await message(page).pressSequentially("!");
  equal([await message(page).inputValue(), await kept("new")], Array(2).fill("Left behind\n\nAnd this!"), "and stays while more is written");
  await closePage(page, "a question that was left before it was refused");
});

await group("a tab that was somebody else's", async () => {
  const page = await openPage({ before: (fresh) => fresh.addInitScript(() => {
    if (localStorage.getItem("begun") !== null) return;
    localStorage.setItem("begun", "1");
    sessionStorage.setItem("uplift.whose", "https://id.test somebody");
    sessionStorage.setItem("uplift.draft.new", "Half a secret");
  }) });
  await page.waitForSelector(".coach-card");
  equal([await message(page).inputValue(), await page.evaluate(() => sessionStorage.getItem("uplift.draft.new"))], ["", null], "what they wrote is neither shown nor kept");
  await message(page).fill("My own");
  await page.reload();
  await page.waitForSelector(".coach-card");
  equal(await message(page).inputValue(), "My own", "what is written from then on is");
  await closePage(page, "a tab that was somebody else's");
});

/** Somebody else signs in while a page shows what is the first one's. */
async function anotherPerson(page) {
  await say(page, "Mine alone");
  equal(await answerEnded(page), "complete", "somebody has a conversation");
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route("**/v1/chat", (route) => held.then(() => route.continue()));
  await page.route("**/v1/conversations?*", (route) => route.fulfill({ status: 401, json: { error: { message: "the token has expired", type: "error", param: null, code: "token_expired" } } }));
  await say(page, "And this");
  await message(page).fill("Half a secret");
  await page.locator("#coach-chip").click();
  await page.locator("#see-memories").click();
  release();
  ok(await until(() => page.locator("#sign-in").isVisible()), "whose sign-in ends");
  await page.unroute("**/v1/chat");
  await page.unroute("**/v1/conversations?*");
  await page.locator("#token").fill(process.env.PAGE_OTHER_TOKEN);
  await page.keyboard.press("Enter");
  ok(await until(() => page.locator("#sign-in").isHidden()), "and another person signs in");
  ok(await until(() => page.locator("#welcome").isVisible()), "to a page of their own");
  equal([await page.locator("dialog[open]").count(), await page.locator(".turn").count(), await message(page).inputValue(), await page.title(), new URL(page.url()).hash],
    [0, 0, "", "uplift", ""], "on which nothing of the first one is left");
  ok(await until(() => page.locator(".coach-card").first().isVisible()), "with the coaches");
  ok(!/Mine alone|And this|Half a secret/.test(await page.locator("body").innerText()), "nor said");
  equal(await page.evaluate(() => Object.keys(sessionStorage).filter((key) => key.startsWith("uplift.draft"))), [], "nor kept");
}

await group("refusals", async () => {
  const page = await openPage();
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
  await page.evaluate(() => {
    globalThis.spoken = 0;
    new MutationObserver(() => globalThis.spoken++).observe(document.getElementById("spoken"), { childList: true, subtree: true, characterData: true });
  });
  const seconds = async () => Number(/(\d+) seconds/.exec(await noteText(page))?.[1]);
  const now = await seconds();
  ok(await until(async () => (await seconds()) <= now - 2), "the seconds are counted for the eye");
  equal([await page.evaluate(() => globalThis.spoken), await lastAnswer(page).locator("[aria-live], [role=status], [role=alert]").count()], [0, 0], "and not for the ear");
  const here = page.url();
  await page.getByRole("button", { name: "New conversation" }).first().click();
  let read;
  const reading = new Promise((resolve) => (read = resolve));
  await page.route("**/v1/conversations/*", async (route) => {
    await reading;
    await route.fallback();
  });
  await page.goto(here);
  ok(await until(async () => (await message(page).inputValue()) === "Very busy"), "a message that was left before it could be sent waits in its conversation");
  await message(page).press("Enter");
  ok(await until(async () => /very busy/.test(await noteText(page))), "and can be sent from there");
  read();
  ok(await until(async () => (await page.locator(".question-text").allInnerTexts()).join() === "Too fast,Very busy"), "also while the conversation is still being read");
  await lastAnswer(page).getByRole("button", { name: "Cancel" }).click();
  matches(await noteText(page), /Not sent/, "which can be cancelled");
  await page.unroute("**/v1/chat");
  await lastAnswer(page).getByRole("button", { name: "Try again" }).click();
  equal(await answerEnded(page), "complete", "and tried again");

  await page.route("**/v1/feedback/*", (route) => route.fulfill({ status: 500, json: error("internal_error", "it broke") }));
  const up = lastAnswer(page).getByRole("button", { name: "Helpful", exact: true });
  await up.click();
  ok(await until(async () => (await up.getAttribute("aria-pressed")) === "false"), "a thumb that is not stored does not stay");
  matches(await noteText(page), /not stored: the server has a defect/, "and says why");
  await page.unroute("**/v1/feedback/*");

  await page.route("**/v1/chat", (route) => route.fulfill({ status: 401, json: error("token_expired", "the token has expired") }));
  await say(page, "After my time");
  ok(await until(() => page.locator("#sign-in").isVisible()), "an expired token asks for a new one");
  await checkAccessible(page, "signing in");
  await page.locator("#token").fill("rubbish");
  await page.getByRole("button", { name: "Sign in", exact: true }).last().click();
  ok(await until(async () => /refused/.test(await page.locator("#sign-in-error").innerText())), "a bad one is refused");
  await page.unroute("**/v1/chat");
  await page.locator("#token").fill(process.env.PAGE_TOKEN);
  await page.keyboard.press("Enter");
  ok(await until(async () => (await lastAnswer(page).getAttribute("data-state")) === "complete"), "with a good one the message goes out");
  matches(await page.locator(".question-text").last().innerText(), /After my time/, "the very message");

  await page.route("**/v1/chat", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), "x-uplift-degraded": "database" } });
  });
  await page.route("**/readyz", (route) => route.fulfill({ json: { status: "degraded", reason: "database" } }));
  await say(page, "Without memory");
  ok(await until(() => page.getByText("answers without remembering you").isVisible()), "a degraded answer is said to be one");
  await answerEnded(page);
  await page.unroute("**/v1/chat");
  await page.unroute("**/readyz");
  ok(await until(async () => (await page.locator("#notices [data-key=database]").count()) === 0), "until the database is back");

  let release;
  const held = new Promise((resolve) => (release = resolve));
  const asked = [];
  await page.route("**/v1/chat", async (route) => {
    asked.push(route.request().postDataJSON());
    if (asked.length === 1) return route.fulfill({ status: 404, json: error("answer_not_found", "no such answer") });
    await held;
    return route.fallback();
  });
  await lastAnswer(page).getByRole("button", { name: "Answer again" }).click();
  await until(() => asked.length === 2);
  equal([asked[1]?.message, "regenerate_of" in asked[1]], ["Without memory", false], "an answer that is not stored yet is asked for as a question");
  equal(await page.locator("#stop").isVisible(), true, "and can be stopped");
  release();
  equal(await answerEnded(page), "complete", "and comes");
  await closePage(page, "refusals");

  const stranger = await openPage({ token: null });
  stranger.expected.push(/status of 401/);
  ok(await until(() => stranger.locator("#sign-in").isVisible()), "without a token the page asks for one");
  await stranger.getByRole("button", { name: "Not now" }).click();
  ok(await until(() => stranger.getByText("You are not signed in").isVisible()), "and says who is not signed in");
  await stranger.locator("#notices").getByRole("button", { name: "Sign in" }).click();
  await stranger.locator("#token").fill(process.env.PAGE_TOKEN);
  await stranger.getByRole("button", { name: "Sign in", exact: true }).last().click();
  ok(await until(() => stranger.locator(".coach-card").first().isVisible()), "and goes on with it");
  await stranger.reload();
  ok(await until(() => stranger.locator(".coach-card").first().isVisible()), "a reload keeps it");
  await anotherPerson(stranger);
  await stranger.getByRole("button", { name: "Sign out" }).click();
  ok(await until(() => stranger.locator("#sign-in").isVisible()), "signing out forgets it");
  equal(await stranger.evaluate(() => sessionStorage.length), 0, "all of it");
  await closePage(stranger, "signing in");
});

await group("words of refusals", async () => {
  const page = await openPage();
  page.expected.push(/Failed to load resource/);
  await page.waitForSelector(".coach-card");
  const refuse = (status, code, message, retryAfter) => page.route("**/v1/chat", (route) => route.fulfill({
    status, headers: retryAfter ? { "Retry-After": String(retryAfter) } : {}, json: { error: { message, type: "error", param: null, code } } }));
  const words = async (...refusal) => {
    await refuse(...refusal);
    await say(page, refusal[1]);
    await answerEnded(page);
    const text = await until(() => noteText(page));
    await page.unroute("**/v1/chat");
    return text;
  };
  const budget = await words(429, "budget_exceeded", "the budget of this month for all chats is used up", 10 * 86400);
  matches(budget, /What can be spent on answers is used up for now\. Please try again on .*\d+.* at \d\d:\d\d/, "a budget that is used up is called that, with the day it begins anew");
  ok(!/too (fast|many)/i.test(budget) && !/minutes/.test(budget), "and not taken for haste", budget);
  const credit = await words(429, "insufficient_quota", "You exceeded your current quota, please check your plan and billing details.", 60);
  matches(credit, /service has run out of credit.*operator/, "the operator's empty account is not the person's");
  ok(!/your current quota|Trying again/.test(credit), "nor told to try again", credit);
  matches(await words(429, "rate_limit_exceeded", "slow down", 600), /Too many requests at the moment\. Please try again in 10 minutes/, "a long wait is told, not counted down");
  matches(await words(400, "context_length_exceeded", "the conversation is too long"), /The conversation is too long\./, "what the server says is a sentence");
  await closePage(page, "words of refusals");
});

await group("a service that comes back", async () => {
  const page = await openPage();
  page.expected.push(/Failed to load resource/);
  await page.waitForSelector(".coach-card");
  const away = (route) => route.fulfill({ status: 503, headers: { "Retry-After": "1" }, json: { error: { message: "not running", type: "server_error", param: null, code: "service_unavailable" } } });
  for (const path of ["**/v1/**", "**/healthz"]) await page.route(path, away);
  await say(page, "Sent once it runs");
  ok(await until(async () => /does not answer\. This is sent as soon as it does/.test(await noteText(page))), "a message that did not reach the service waits for it");
  ok(await until(() => page.getByText("Looking for it").isVisible()), "which is looked for");
  ok(!/busy/.test(await page.locator("body").innerText()), "and not called busy");
  for (const path of ["**/v1/**", "**/healthz"]) await page.unroute(path);
  ok(await until(async () => (await lastAnswer(page).getAttribute("data-state")) === "complete"), "and goes out by itself");
  equal(await page.locator("#notices .notice").count(), 0, "with nothing left to say");
  const here = page.url();
  await closePage(page, "a service that comes back");

  const missing = (route) => route.fulfill({ status: 503, headers: { "Retry-After": "1" }, json: { error: { message: "the database does not answer at the moment", type: "server_error", param: null, code: "database_unavailable" } } });
  const empty = await openPage({ hash: `#${here.split("#")[1]}`, before: async (fresh) => {
    await fresh.route("**/v1/conversations**", missing);
    await fresh.route("**/readyz", (route) => route.fulfill({ json: { status: "degraded", reason: "database" } }));
  } });
  empty.expected.push(/Failed to load resource/);
  ok(await until(() => empty.getByText("cannot be read at the moment").isVisible()), "a database that is away is said");
  equal(await empty.locator("#notices .notice").count(), 1, "once");
  await empty.unroute("**/v1/conversations**");
  await empty.unroute("**/readyz");
  ok(await until(async () => (await empty.locator(".turn").count()) === 1), "and the conversation comes by itself once it is back");
  ok(await until(() => empty.locator(".conversation-link[aria-current]").count()), "with the list");
  equal(await empty.locator("#notices .notice").count(), 0, "and nothing is said to be wrong any more");
  await closePage(empty, "a database that comes back");
});

await group("a service that is not running", async () => {
  const away = (route) => route.fulfill({ status: 502, json: { error: { message: "not running", type: "server_error", param: null, code: "bad_gateway" } } });
  const page = await openPage({ before: async (fresh) => {
    for (const path of ["**/v1/**", "**/healthz"]) await fresh.route(path, away);
  } });
  page.expected.push(/status of 502/);
  ok(await until(() => page.getByText("Looking for it").isVisible()), "is said not to answer");
  await checkAccessible(page, "nothing answers");
  for (const path of ["**/v1/**", "**/healthz"]) await page.unroute(path);
  ok(await until(() => page.locator(".coach-card").first().isVisible()), "and once it does, the page begins by itself");
  equal(await page.locator("#notices .notice").count(), 0, "with nothing left to say");
  await closePage(page, "a service that is not running");
});

console.log(`# facts ${JSON.stringify(facts)}`);
await closeBrowser();
done();
