// What an answer cites, as a person sees it on the page. Run by citations.py; SHOTS names a directory for pictures.
import { done, equal, group, ok } from "../clients/tap.mjs";
import { answerEnded, checkAccessible, checkWidth, closeBrowser, closePage, lastAnswer, message, openPage, until } from "./chromium.mjs";

const GUIDE = "https://sleep.example.org/guide?a=1";

/** [number, address or null] of each mark in the text. */
const marks = (page) => lastAnswer(page).locator(".prose .cite").evaluateAll((nodes) => nodes.map((node) => [node.textContent, node.getAttribute("href")]));

const listed = (page) => lastAnswer(page).locator(".sources li").evaluateAll((nodes) =>
  nodes.map((node) => [node.value, (node.querySelector("a") ?? node.querySelector(".source-title")).textContent.slice(0, 30), node.querySelector("a")?.getAttribute("href").slice(0, 27) ?? null]));

async function checkShown(page, when) {
  const found = (await marks(page)).map(([number, href]) => [number, href?.slice(0, 27) ?? null]);
  equal(found, [["1", GUIDE.slice(0, 27)], ["1", GUIDE.slice(0, 27)], ["2", null], ["3", "https://a-rather-long-name-"], ["2", null]], `${when}: numbers in the text lead to their sources`);
  equal(await listed(page), [[1, "How to sleep well", GUIDE.slice(0, 27)], [2, "<img src=x onerror=alert(1)><b", null], [3, "A title that goes on and on: D", "https://a-rather-long-name-"]],
    `${when}: which are listed below, those that are cited and no others`);
  equal(await lastAnswer(page).locator("code").allInnerTexts(), ["list[1]", "print(hours[1])"], `${when}: code stays as it is`);
  ok((await lastAnswer(page).locator(".prose").innerText()).includes("everything [9] is"), `${when}: so does a number that stands for nothing`);
}

for (const [name, options] of [["desktop", {}], ["phone, dark", { width: 375, height: 812, scheme: "dark", touch: true }]]) {
  await group(`citations, ${name}`, async () => {
    const page = await openPage(options);
    await page.waitForSelector(".coach-card");
    await message(page).fill("How do I sleep better?");
    await page.getByRole("button", { name: "Send" }).click();
    equal(await answerEnded(page), "complete", "an answer comes");
    await checkShown(page, name);
    const links = await lastAnswer(page).locator(".cite[href], .sources a").evaluateAll((nodes) => nodes.map((node) => `${node.target} ${node.rel}`));
    equal([...new Set(links)], ["_blank noopener noreferrer nofollow"], "links open elsewhere, and tell nothing of here");
    equal(await lastAnswer(page).locator("img, script, b").count(), 0, "a title is text, whatever is in it");
    equal(await lastAnswer(page).locator(".cite").first().getAttribute("aria-label"), "Source 1: How to sleep well", "a number says aloud what it is");
    await lastAnswer(page).locator("button.cite").first().click();
    ok(await until(() => lastAnswer(page).locator(".sources li[value='2']").evaluate((node) => node === document.activeElement)), "one without an address leads to the list");
    await checkAccessible(page, `citations, ${name}`);
    await checkWidth(page, `citations, ${name}`);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/citations-${name.split(",")[0]}.png` });

    await page.reload();
    await page.waitForSelector(".turn .sources li");
    await checkShown(page, `${name}, after a reload`);
    await closePage(page, `citations, ${name}`);
  });
}
await closeBrowser();
done();
