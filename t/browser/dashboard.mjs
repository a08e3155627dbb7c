// Each page of the dashboard, and the two that begin it, on made-up answers. Run by dashboard.py.
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import { GROUPS } from "../../nginx/html/admin/ui/pages.js";
import { checkAccessible, checkWidth, closeBrowser, closePage, openPage, until } from "./chromium.mjs";
import { settled } from "./dashboard_page.mjs";

const OWN = ["overview", "worth"];
const heading = (page) => page.locator("#page-title").innerText();

await group("each page", async () => {
  const page = await openPage({ hash: "admin/" });
  await settled(page);
  for (const { name } of GROUPS.flatMap((some) => some.pages)) {
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.emulateMedia({ colorScheme: "light" });
    await page.locator(`.page-link[data-page="${name}"]`).click();
    ok(await until(async () => (await page.locator(`.page-link[data-page="${name}"]`).getAttribute("aria-current")) === "page") && (await settled(page)), `${name}: comes`);
    equal(await page.locator(".state-error, .state-refused").count(), 0, `${name}: without an error`);
    ok(/^\S.* · uplift$/.test(await page.title()), `${name}: has a title`);
    // Other pages' own tests look at them on a desktop in light.
    if (OWN.includes(name)) await checkAccessible(page, `${name}, desktop, light`);
    await page.setViewportSize({ width: 375, height: 812 });
    await page.emulateMedia({ colorScheme: "dark" });
    await settled(page);
    await checkAccessible(page, `${name}, phone, dark`);
    await checkWidth(page, `${name}, phone`);
  }
  await closePage(page, "each page");
});

await group("finding the way", async () => {
  const page = await openPage({ hash: "admin/#overview" });
  await settled(page);
  await page.keyboard.press("Tab");
  equal(await page.evaluate(() => document.activeElement.id), "skip", "the first stop is the skip link");
  await page.keyboard.press("Enter");
  equal(await page.evaluate(() => [document.activeElement.id, location.hash]), ["main", "#overview"], "which leads to the page, and nowhere else");
  await page.locator("#filter-coach_id").focus();
  await page.locator("#filter-coach_id").selectOption("coach_maple_avatar");
  await until(() => /coach_id=coach_maple_avatar/.test(page.url()));
  await settled(page);
  equal(await page.evaluate(() => document.activeElement.id), "filter-coach_id", "a filter keeps the focus");
  await page.locator("#filter-days").selectOption("7");
  await until(() => /days=7/.test(page.url()));
  await settled(page);
  await page.goBack();
  ok(await until(async () => (await page.locator("#filter-days").inputValue()) === "28" && (await page.locator("#filter-coach_id").inputValue()) === "coach_maple_avatar"), "back takes one filter back");
  await settled(page);
  await page.locator('.page-link[data-page="worth"]').click();
  await settled(page);
  equal(await page.evaluate(() => document.activeElement.id), "page-title", "on another page its heading has the focus");
  await page.goBack();
  ok(await until(async () => (await heading(page)) === "Overview"), "and back leads to where one was");
  await page.reload();
  await settled(page);
  equal(await page.locator("#filter-coach_id").inputValue(), "coach_maple_avatar", "the URL has all of it");

  await page.setViewportSize({ width: 375, height: 812 });
  await page.locator("#open-menu").click();
  ok(await page.locator("#close-menu").evaluate((node) => node === document.activeElement), "on a phone the pages are in a drawer");
  equal(await page.locator("#main").evaluate((node) => node.inert), true, "and what is behind it cannot be reached");
  await checkAccessible(page, "the drawer");
  await page.keyboard.press("Escape");
  equal(await page.evaluate(() => document.activeElement.id), "open-menu", "Escape goes back to its button");
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await page.evaluate(() => { document.getElementById("theme").click(); document.getElementById("theme").click(); });
  ok((await paper()) !== light, "dark can be chosen");
  await closePage(page, "finding the way");
});

await group("the overview", async () => {
  const page = await openPage({ hash: "admin/#overview?days=28" });
  const told = await page.waitForResponse((response) => /\/admin\/overview/.test(response.url())).then((response) => response.json());
  await settled(page);
  const tile = (label) => page.locator(".tile", { has: page.getByText(label, { exact: true }) }).locator(".tile-value");
  equal(await tile("Answers").innerText(), String(told.total.requests), "has the answers");
  equal(await tile("Users").innerText(), "10", "and whom they were for");
  equal(await tile("Thumbs up").innerText(), `${(told.total.thumbs_up_rate * 100).toFixed(1)} %`, "the share that was liked");
  const link = await page.locator(".tile-link").first().getAttribute("href");
  matches(link, /^#answers\?from=\d{4}-\d\d-\d\dT00%3A00%3A00Z&to=/, "each leads to the rows behind it");
  const words = await page.locator(".panel", { hasText: "What changed since last week" }).innerText();
  matches(words, /Better\. Thumbs up rose from 7\d\.\d % to 9\d\.\d % \(the difference is between \+\d/, "what changed is said in words, with how sure that is");
  matches(words, /Worse\. Cost per answer rose from \$0\.002 to \$0\.003, 50 % more\./, "also what costs more");
  matches(words, /Answers: about as before, 105 \(105\)\./, "and what has not");
  equal(await page.locator(".chart svg[role=img]").count(), 9, "nine charts");
  await page.locator("#filter-by").selectOption("severity");
  await until(() => /by=severity/.test(page.url()));
  await settled(page);
  equal(await page.locator("tbody tr").count(), 5, "by severity there are five parts");
  await page.getByRole("button", { name: "Answers", exact: true }).click();
  equal(await page.locator("th[aria-sort=ascending]").innerText(), "Answers", "a table can be sorted the other way round");
  await page.getByRole("link", { name: "Only this" }).first().click();
  ok(await until(() => /severity=\d/.test(page.url()) && settled(page)), "and one part looked at alone");
  ok(await until(async () => (await page.locator("#filter-severity").inputValue()) !== ""), "by the filter");
  await closePage(page, "the overview");
});

await group("what the loop is worth", async () => {
  const page = await openPage({ hash: "admin/#worth" });
  await settled(page);
  matches(await page.locator(".chart-events").first().innerText(), /coach v1 promoted[\s\S]*coach v1 rolled back: it was curt/, "promotions and rollbacks are marked");
  equal(await page.locator(".chart-event").count(), 4, "on both lines");
  matches(await page.locator("tbody tr").innerText(), /Autumn run[\s\S]*base-1[\s\S]*\$0\.50[\s\S]*300[\s\S]*it costs more than what it is compared with/, "a run that saves nothing against its base model");
  await page.locator("#filter-against").selectOption("big-1");
  await until(() => /against=big-1/.test(page.url()));
  await settled(page);
  matches(await page.locator("tbody tr").innerText(), /\$2\.10[\s\S]*big-1[\s\S]*paid back on/, "has paid against a larger one");
  await closePage(page, "what the loop is worth");
});

await closeBrowser();
done();
