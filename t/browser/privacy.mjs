// All that is kept of a person, as they see it on the page. Run by privacy.py.
import { readFile } from "node:fs/promises";
import { done, equal, group, ok } from "../clients/tap.mjs";
import { answerEnded, checkAccessible, checkWidth, closeBrowser, closePage, message, openPage, until } from "./chromium.mjs";

for (const [name, options] of [["desktop", {}], ["phone, dark", { width: 375, height: 812, scheme: "dark", touch: true }]]) {
  await group(`privacy, ${name}`, async () => {
    const page = await openPage(options);
    await page.waitForSelector(".coach-card");
    await message(page).fill("I train on violet Tuesdays.");
    await page.getByRole("button", { name: "Send" }).click();
    equal(await answerEnded(page), "complete", "something is said");

    await page.locator("#coach-chip").click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#download-data").click()]);
    ok(/^uplift-export-\d{4}-\d\d-\d\d\.json$/.test(download.suggestedFilename()), "it is a file with the day in its name");
    const all = JSON.parse(await readFile(await download.path(), "utf8"));
    equal([all.object, all.complete, all.sections.answers.map((answer) => answer.user_message)], ["user_export", true, ["I train on violet Tuesdays."]],
      "with all that was said");
    await page.locator("#erase-data").scrollIntoViewIfNeeded();
    await checkAccessible(page, `own data, ${name}`);
    await checkWidth(page, `own data, ${name}`);

    await page.locator("#erase-data").click();
    ok(await page.getByRole("heading", { name: "Erase everything?" }).isVisible(), "erasing is asked about first");
    await checkAccessible(page, `before erasing, ${name}`);
    equal(await page.evaluate(() => document.activeElement.id), "confirm-no", "and no is what Enter means");
    await page.keyboard.press("Enter");
    equal(await page.locator(".turn").count(), 1, "nothing went by that");

    page.expected.push(/status of 503/);
    await page.route("**/v1/me", (route) => route.fulfill({ status: 503, json: { error: { message: "the database cannot be reached", type: "api_error", param: null, code: "database_unavailable" } } }));
    await page.locator("#erase-data").click();
    await page.locator("#confirm-yes").click();
    ok(await until(() => page.getByText("That did not work: the database does not answer at the moment").isVisible()), "what does not work is said");
    await page.unroute("**/v1/me");

    await page.locator("#erase-data").click();
    await page.locator("#confirm-yes").click();
    ok(await until(() => page.locator("#welcome").isVisible()), "and then the page begins anew");
    ok(await until(async () => (await page.getByText("violet Tuesdays").count()) === 0), "nothing of what was said is shown");
    await page.reload();
    await page.waitForSelector(".coach-card");
    equal(await page.getByText("violet Tuesdays").count(), 0, "also not later");
    await closePage(page);
  });
}
await closeBrowser();
done();
