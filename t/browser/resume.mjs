// Answers that go on without their page: reloaded, opened on another device, off the network for a moment, stopped from
// elsewhere. Run by page.py, which reads the database afterwards.
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import { answerEnded, closeBrowser, closePage, lastAnswer, nextAnswerId, noteText, openPage, say, until } from "./chromium.mjs";

const facts = {};
const shown = (page) => lastAnswer(page).locator(".prose").innerText().catch(() => "");
const streaming = (page) => until(async () => (await shown(page)).length > 20);

await group("a reload in the middle of an answer", async () => {
  const page = await openPage();
  await page.waitForSelector(".coach-card");
  const id = nextAnswerId(page);
  await say(page, "How do I start running, and what do I eat, and when do I sleep?");
  facts.reloaded = await id;
  await streaming(page);
  page.expected.push(/status of 404/); // a conversation is stored with its first answer
  await page.reload();
  ok(await until(async () => (await lastAnswer(page).getAttribute("data-state").catch(() => "")) === "streaming"), "the answer goes on after it");
  equal(await page.locator("#stop").isVisible(), true, "and can be stopped");
  equal(await answerEnded(page), "complete", "and comes to its end");
  equal(await page.locator(".turn").count(), 1, "once");
  facts.reloadedText = await shown(page);
  equal(await noteText(page), "", "and nothing is said to have been stopped");
  await page.reload();
  await page.waitForSelector(".answer[data-state=complete]");
  equal(await shown(page), facts.reloadedText, "as it is read later");
  await closePage(page, "a reload in the middle of an answer");
});

await group("another device", async () => {
  const first = await openPage();
  await first.waitForSelector(".coach-card");
  const id = nextAnswerId(first);
  await say(first, "Plan my week: work, sleep, food, sport and friends.");
  facts.elsewhere = await id;
  await streaming(first);
  const second = await openPage({ before: async (fresh) => fresh.expected.push(/status of 404/), hash: `#c/${first.url().split("#c/")[1]}` });
  ok(await streaming(second), "an answer that is coming is seen there, too");
  matches(await second.locator(".question-text").innerText(), /Plan my week/, "with its question");
  ok((await shown(second)).startsWith((await shown(first)).slice(0, 20)), "from its beginning");
  await second.locator("#stop").click();
  equal(await answerEnded(second), "stopped", "it can be stopped there");
  equal(await answerEnded(first), "stopped", "which stops it here");
  matches(await noteText(first), /Stopped here/, "and is said");
  await closePage(second, "another device");
  await closePage(first, "the device that asked");
});

await group("off the network in the middle of an answer", async () => {
  const page = await openPage();
  page.expected.push(/ERR_|Failed to load resource/);
  await page.waitForSelector(".coach-card");
  const id = nextAnswerId(page);
  await say(page, "Tell me more about sleep, food, stress and work, please.");
  facts.interrupted = await id;
  await streaming(page);
  await page.context().setOffline(true);
  ok(await until(() => page.getByText("You are offline").isVisible()), "being offline is said");
  await page.context().setOffline(false);
  equal(await answerEnded(page), "complete", "the answer is picked up and comes to its end");
  facts.interruptedText = await shown(page);
  equal(await page.locator(".turn").count(), 1, "in its place");
  await closePage(page, "off the network in the middle of an answer");
});

console.log(`# facts ${JSON.stringify(facts)}`);
await closeBrowser();
done();
