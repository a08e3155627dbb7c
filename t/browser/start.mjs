// A question and its answer. Run by start.py.
import { done, equal, group, ok } from "../clients/tap.mjs";
import { answerEnded, closeBrowser, closePage, lastAnswer, openPage, say } from "./chromium.mjs";

await group("one question", async () => {
  const page = await openPage();
  await page.waitForSelector(".coach-card");
  await say(page, "How do I start running?");
  equal(await answerEnded(page), "complete", "a question is answered");
  ok((await lastAnswer(page).locator(".prose").innerText()).length > 20, "with words");
  await closePage(page, "one question");
});
await closeBrowser();
done();
