// What a reader feels while an answer comes: the message box, the view's end, what moves, what is spoken. Run by page.py.
import { done, equal, group, ok } from "../clients/tap.mjs";
import { answerEnded, closeBrowser, closePage, lastAnswer, message, openPage, say, until } from "./chromium.mjs";

await group("reading while it streams", async () => {
  const page = await openPage({ width: 900, height: 420, calm: false });
  await page.waitForSelector(".coach-card");
  await page.keyboard.type("Hi");
  equal(await message(page).inputValue(), "Hi", "writing begins without a click");
  const low = await message(page).evaluate((node) => node.clientHeight);
  await message(page).fill("one\ntwo\nthree");
  const high = await message(page).evaluate((node) => node.clientHeight);
  await message(page).fill("line\n".repeat(200));
  const most = await message(page).evaluate((node) => node.clientHeight);
  ok(low < high && high < most && most <= 420 * 0.4, "the message box grows with the message, up to a limit", [low, high, most].join(" "));
  await say(page, "How do I eat well, and what is to be bought for it?");
  equal(await message(page).evaluate((node) => node.clientHeight), low, "and is small again once it is sent");
  await answerEnded(page);

  await page.evaluate(() => {
    const main = document.getElementById("main");
    const watch = (globalThis.watch = { behind: 0, moved: [], spoken: 0, begun: performance.now() });
    new PerformanceObserver((list) => {
      for (const { sources } of list.getEntries()) {
        const moved = sources.map(({ node }) => (node?.nodeType === Node.TEXT_NODE ? node.parentElement : node)).filter((node) => node && !node.closest(".tools"));
        watch.moved.push(...moved.map((node) => node.outerHTML.slice(0, 80)));
      }
    }).observe({ type: "layout-shift" });
    new MutationObserver((records) => (watch.spoken += records.reduce((sum, { addedNodes }) => sum + addedNodes.length, 0)))
      .observe(document.getElementById("spoken"), { childList: true, subtree: true, characterData: true });
    // After the page's own observer of the same, before anything is painted.
    new ResizeObserver(() => (watch.behind = Math.max(watch.behind, main.scrollHeight - main.scrollTop - main.clientHeight)))
      .observe(document.getElementById("thread"));
  });
  await say(page, "And on bad days?");
  await answerEnded(page);
  const watch = await page.evaluate(() => ({ ...globalThis.watch, took: performance.now() - globalThis.watch.begun }));
  ok(watch.behind < 4, "the view keeps to the end of the answer", `${watch.behind} pixels behind`);
  equal(watch.moved, [], "and nothing moves but what stands below the answer");
  ok(watch.spoken >= 2 && watch.spoken <= 4 + watch.took / 1500, "a screen reader hears it in sentences, and not too often", JSON.stringify(watch));

  await say(page, "And on good ones?");
  await until(async () => (await lastAnswer(page).locator(".prose").innerText().catch(() => "")).length > 60);
  await page.mouse.move(450, 200);
  await page.mouse.wheel(0, -15);
  await page.locator("#to-end").waitFor();
  const top = () => page.locator("#main").evaluate((node) => node.scrollTop);
  const length = () => lastAnswer(page).locator(".prose").innerText().then((text) => text.length);
  const [here, sofar] = [await until(top), await length()];
  await until(async () => (await length()) > sofar + 40);
  equal(await top(), here, "who scrolled up by a line is left there while the answer grows");
  await page.locator("#to-end").click();
  equal(await answerEnded(page), "complete", "the answer ends");
  const behind = () => page.locator("#main").evaluate((node) => node.scrollHeight - node.scrollTop - node.clientHeight);
  ok(await until(async () => (await behind()) < 4), "and with a click the view is at its end again", await behind());
  equal(await page.locator("#to-end").isVisible(), false, "where nothing is further down");
  await closePage(page, "reading");
});

await closeBrowser();
done();
