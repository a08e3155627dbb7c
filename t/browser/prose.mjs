// How answers and questions are drawn, in real layout: directions, formulas, thoughts, headings, the person's own
// Markdown; and the question whether rated answers may train models. Run by page.py, which reads the database afterwards.
import { done, equal, group, ok } from "../clients/tap.mjs";
import {
  answerEnded, checkAccessible, checkWidth, closeBrowser, closePage, feedbackStored, lastAnswer, openPage, say, until,
} from "./chromium.mjs";

/** Whether every list and its marks lie inside the column, and on the side where its text begins. */
function lists() {
  const column = document.querySelector(".answer .prose").getBoundingClientRect();
  return [...document.querySelectorAll(".answer .prose ul, .answer .prose ol")].map((list) => {
    const { direction, paddingInlineStart } = getComputedStyle(list);
    const [box, first] = [list.getBoundingClientRect(), list.firstElementChild.getBoundingClientRect()];
    const room = direction === "rtl" ? box.right - first.right : first.left - box.left;
    return { direction, inside: box.left >= column.left - 1 && box.right <= column.right + 1, room: room >= parseFloat(paddingInlineStart) - 1 && room > 12 };
  });
}

await group("answers as they are drawn", async () => {
  for (const [width, touch] of [[1280, false], [375, true]]) {
    const name = `${width} pixels`;
    const page = await openPage({ hash: `#c/${process.env.PAGE_PROSE}`, width, touch });
    await page.waitForSelector(".answer[data-state=complete]");
    const found = await page.evaluate(lists);
    equal(found.map(({ direction }) => direction), ["rtl", "rtl", "ltr"], `${name}: a list has the direction of its text`);
    equal(found.filter(({ inside, room }) => !inside || !room), [], `${name}: and its bullets stay in the column`);
    equal(await page.locator(".answer .prose blockquote").evaluate((node) => getComputedStyle(node).borderRightWidth), "3px", `${name}: so has a quotation's line`);
    ok(await until(() => page.locator(".math-display math mfrac").count()), `${name}: a formula is drawn`);
    equal(await page.locator(".math:not(:has(math))").allInnerTexts(), ["\\(\\frobnicate{x}\\)"], `${name}: one that is none is shown as it is`);
    equal(await page.locator(".answer .prose :is(h3, h4, h5)").evaluateAll((all) => all.map((node) => node.localName)), ["h3", "h4", "h3"], `${name}: headings go down a level at a time`);
    equal(await page.locator(".prose > .thought").evaluate((node) => node.open), false, `${name}: thoughts are folded away`);
    await page.locator(".prose > .thought summary").click();
    equal(await page.locator(".prose > .thought .prose").innerText(), "The user wants a plan.", `${name}: and can be read`);
    const question = page.locator(".question-text");
    equal([await question.locator("strong").innerText(), await question.locator("li").allInnerTexts()], ["run", ["slowly", "often"]], `${name}: the person's own Markdown is drawn`);
    await checkAccessible(page, `${name}, an answer with everything`);
    await checkWidth(page, `${name}, an answer with everything`);
    await closePage(page, `answers as they are drawn, ${name}`);
  }
});

await group("consent to training", async () => {
  const page = await openPage();
  await page.waitForSelector(".coach-card");
  equal(await page.locator("#training").isChecked(), true, "without an answer it is as the operator chose");
  await say(page, "May I be asked?");
  await answerEnded(page);
  equal(await page.locator("#notices .notice").count(), 0, "nothing is asked without a reason");
  let reply = feedbackStored(page);
  await lastAnswer(page).getByRole("button", { name: "Helpful", exact: true }).click();
  await reply;
  ok(await until(() => page.getByText("May answers you rate help your coach improve?").isVisible()), "with the first feedback the page asks");
  await checkAccessible(page, "asking for consent to training");
  const stored = page.waitForResponse((response) => response.request().method() === "PUT" && response.url().endsWith("/v1/preferences"));
  await page.getByRole("button", { name: "Yes, they may" }).click();
  equal((await (await stored).json()).training_consent, true, "the answer is stored");
  await page.reload();
  await page.waitForSelector(".answer[data-state=complete]");
  reply = feedbackStored(page);
  await lastAnswer(page).getByRole("button", { name: "5 stars" }).click();
  await reply;
  equal(await page.getByText("May answers you rate help").count(), 0, "it is asked once");
  await page.locator("#coach-chip").click();
  equal(await page.locator("#training").isChecked(), true, "the setting is with the coach's");
  const changed = page.waitForResponse((response) => response.request().method() === "PUT" && response.url().endsWith("/v1/preferences"));
  await page.getByText("Help your coach improve", { exact: true }).click();
  equal((await (await changed).json()).training_consent, false, "and can be changed");
  equal(await page.locator("#tests").isChecked(), true, "new things are tried");
  const refused = page.waitForResponse((response) => response.request().method() === "PUT" && response.url().endsWith("/v1/preferences"));
  await page.getByText("Try new things", { exact: true }).click();
  equal((await (await refused).json()).experiments_enabled, false, "unless the person says no");
  await page.reload();
  await page.waitForSelector(".coach-card", { state: "attached" });
  ok(await until(async () => !(await page.locator("#tests").isChecked())), "which stays");
  await closePage(page, "consent to training");
});

await closeBrowser();
done();
