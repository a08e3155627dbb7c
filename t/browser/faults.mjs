// The page while the provider has the fault PAGE_FAULT. Run by page.py, which reads the database afterwards.
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import { answerEnded, checkAccessible, closeBrowser, closePage, feedbackStored, lastAnswer, nextAnswerId, noteText, openPage, say, until } from "./chromium.mjs";

const facts = {};
const fault = process.env.PAGE_FAULT;

async function start() {
  const page = await openPage();
  page.expected.push(/Failed to load resource/);
  await page.waitForSelector(".coach-card");
  return page;
}

const scenarios = {
  async cut() {
    const page = await start();
    const id = nextAnswerId(page);
    await say(page, "How do I start running?");
    facts.id = await id;
    equal(await answerEnded(page), "incomplete", "an answer that broke off is shown as incomplete");
    facts.shown = await lastAnswer(page).locator(".prose").innerText();
    ok(facts.shown.length > 0, "with what there is of it");
    matches(await noteText(page), /broke off here/, "and a word about it");
    await checkAccessible(page, "a broken answer");
    await page.reload();
    await page.waitForSelector(".answer");
    equal(await lastAnswer(page).getAttribute("data-state"), "incomplete", "so it is after a reload");
    const next = nextAnswerId(page);
    await lastAnswer(page).getByRole("button", { name: "Try again" }).click();
    facts.next = await next;
    equal(await answerEnded(page), "incomplete", "trying again asks again");
    equal(await page.locator(".turn").count(), 1, "in the place of the first");
    await closePage(page, "a broken answer");
  },

  async restart() {
    const page = await start();
    // The length of every text that is seen on the way, watched before there is any.
    await page.evaluate(() => {
      window.sizes = [];
      new MutationObserver(() => window.sizes.push(document.querySelector(".answer .prose")?.innerText.length ?? 0))
        .observe(document.querySelector("#thread"), { subtree: true, childList: true, characterData: true });
    });
    await say(page, "How do I start running?");
    equal(await answerEnded(page), "complete", "when another provider takes over, the answer is whole");
    facts.shown = await lastAnswer(page).locator(".prose").innerText();
    const sizes = await page.evaluate(() => window.sizes);
    ok(sizes.some((size, i) => i > 0 && size === 0 && sizes[i - 1] > 0), "the text that became void was taken away at once", sizes.join(" "));
    equal(await noteText(page), "", "and nobody has to be told");
    await checkAccessible(page, "an answer begun anew");
    await closePage(page, "an answer begun anew");
  },

  async flap() {
    const page = await start();
    await say(page, `Will you answer? ${Date.now()}`); // the simulator counts by the message
    equal(await answerEnded(page), "failed", "a provider's error is shown as such");
    matches(await noteText(page), /could not answer: .+Reference [0-9a-f]{8,}/s, "with words and a reference");
    await checkAccessible(page, "a failed answer");
    facts.conversation = page.url().split("#c/")[1];
    matches(facts.conversation, /^[0-9a-f-]{36}$/, "its conversation goes on");
    const again = lastAnswer(page).getByRole("button", { name: "Try again" });
    for (let i = 0; i < 5 && (await again.count()); i++) {
      await again.click();
      await answerEnded(page);
    }
    equal(await lastAnswer(page).getAttribute("data-state"), "complete", "trying again works once the provider does");
    equal(await page.locator(".turn").count(), 1, "in its place");
    equal(page.url().split("#c/")[1], facts.conversation, "and in its conversation");
    await page.reload();
    await page.waitForSelector(".answer[data-state=complete]");
    equal(await page.locator(".turn").count(), 1, "and after a reload, too");
    await closePage(page, "a failed answer");
  },

  async silence() {
    const page = await start();
    await say(page, "Hello?");
    ok(await until(() => lastAnswer(page).locator(".wait").isVisible()), "waiting is seen");
    await page.waitForTimeout(300);
    await page.locator("#stop").click();
    await answerEnded(page);
    matches(await noteText(page), /Stopped before the first word/, "and can be stopped");
    equal(await page.locator("#send").isVisible(), true, "and something else be sent");
    await closePage(page, "a silent provider");
  },

  async "slow-first-token"() {
    const page = await start();
    const asked = page.waitForRequest((request) => request.url().endsWith("/v1/chat") && request.method() === "POST");
    await say(page, "Take your time.");
    const name = (await asked).headers()["x-client-request-id"];
    await until(() => page.evaluate((id) => fetch("/config.json").then((r) => r.json()).then(({ token }) =>
      fetch("/v1/chat", { headers: { Authorization: `Bearer ${token}` } })).then((r) => r.json()).then(({ data }) => data.some((one) => one.client_request_id === id)), name));
    equal(page.url().split("#")[1] ?? "", "", "before its first word an answer has no address");
    await page.reload();
    equal(await answerEnded(page), "complete", "after a reload it is found all the same");
    matches(page.url(), /#c\/[0-9a-f-]{36}$/, "with its conversation");
    matches(await page.locator(".question-text").innerText(), /Take your time/, "and its question");
    facts.shown = await lastAnswer(page).locator(".prose").innerText();
    await closePage(page, "a slow first word");
  },

  async "content-filter"() {
    const page = await start();
    await say(page, "Something filtered");
    await answerEnded(page);
    matches(await noteText(page), /content filter/, "an answer that was filtered says so");
    await closePage(page, "a filtered answer");
  },

  async away() {
    const page = await start();
    ok(await until(() => page.getByText("cannot be read at the moment").isVisible()), "conversations that cannot be read are said to be so");
    const id = nextAnswerId(page);
    await say(page, "Is anybody there?");
    facts.id = await id;
    equal(await answerEnded(page), "complete", "a coach answers without a database");
    ok(await page.getByText("answers without remembering you").isVisible(), "and the page says what that means");
    const reply = feedbackStored(page);
    await lastAnswer(page).getByRole("button", { name: "Helpful", exact: true }).click();
    equal((await reply).status(), 202, "a thumb is taken all the same");
    await checkAccessible(page, "without a database");
    facts.conversation = page.url().split("#c/")[1];
    await closePage(page, "without a database");
  },

  async back() {
    const page = await openPage({ hash: `#c/${process.env.PAGE_CONVERSATION}` });
    await page.waitForSelector(".answer[data-state=complete]");
    equal(await page.locator("#notices .notice").count(), 0, "nothing is said to be wrong any more");
    equal(await lastAnswer(page).getByRole("button", { name: "Helpful", exact: true }).getAttribute("aria-pressed"), "true", "the conversation is there, with its thumb");
    await closePage(page, "with the database back");
  },

  async long() {
    const page = await start();
    await say(page, "Something long");
    await page.waitForFunction(() => document.querySelector(".answer .prose")?.innerText.length > 1000);
    await page.locator("#coach-chip").click();
    ok(await page.locator("#coach-dialog").isVisible(), "a long answer leaves the page usable");
    await page.keyboard.press("Escape");
    equal(await answerEnded(page), "complete", "and comes to its end");
    facts.length = await lastAnswer(page).locator(".prose").evaluate((node) => node.textContent.length);
    await closePage(page, "a long answer");
  },
};

await group(fault, scenarios[fault]);
console.log(`# facts ${JSON.stringify(facts)}`);
await closeBrowser();
done();
