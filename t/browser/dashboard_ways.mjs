// Where links of the dashboard lead, and what is left of a page when it was left. Run by dashboard.py.
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import { checkAccessible, closeBrowser, closePage, until } from "./chromium.mjs";
import { askedOf, goTo, openDashboard, settled } from "./dashboard_page.mjs";

const USER = "30000000-0000-4000-8000-000000000001";
const dialogs = (page) => page.locator("dialog[open]:not(#sign-in)");
const heading = (page) => page.locator("#page-title").innerText();

await group("a link to another thing than its page is for", async () => {
  const page = await openDashboard("limits");
  const asked = askedOf(page);
  // Each page that has something of its own at NAME/ID.
  const pages = ["answers", "people", "coaches", "datasets", "datasets/version", "training", "versions", "experiments", "rollouts", "playbooks", "knowledge", "jobs", "errors"];
  for (const [i, name] of pages.entries()) {
    for (const part of [`..%2Fusers%2F${USER}`, `%2e%2e%2fusers%2f${USER}`, "..", `${USER}%2F..%2F..%2Fusers%2F${USER}`].slice(0, i === 0 ? 4 : 2)) {
      const before = asked.length;
      await goTo(page, `${name}/${part}`);
      ok(await until(() => page.getByText("There is nothing here").first().isVisible()), `${name}/${part}: is nothing`);
      equal(asked.slice(before), [], `${name}/${part}: and nothing else is asked`);
    }
  }
  await checkAccessible(page, "nothing of that name");
  await goTo(page, `people/${USER}`);
  ok(asked.includes(`GET /admin/users/${USER}`), "a link to a person asks for that one");
  await closePage(page, "a link to another thing");
});

await group("a page that is left before it has come", async () => {
  const page = await openDashboard("limits");
  let go;
  const held = new Promise((resolve) => { go = resolve; });
  await page.route("**/admin/ui/pages/jobs.js", async (route) => {
    await held;
    await route.continue();
  });
  await page.clock.install();
  await page.evaluate(() => { location.hash = "#jobs"; });
  await page.evaluate(() => { location.hash = "#keys"; });
  ok(await until(async () => (await heading(page)) === "API keys"), "another page is there at once");
  await page.clock.fastForward(2000);
  equal(await heading(page), "API keys", "grey bars of the first do not take its place");
  const asked = askedOf(page);
  const loaded = page.waitForResponse((response) => response.url().endsWith("/pages/jobs.js"));
  go();
  await (await loaded).finished();
  await page.evaluate(() => import("/admin/ui/pages/jobs.js"));
  await settled(page);
  equal([await heading(page), await page.title(), asked], ["API keys", "API keys · uplift", []], "nor does it itself, and it asks for nothing");
  await closePage(page, "a page that is left");
});

await group("a dialog whose page is left", async () => {
  const page = await openDashboard("keys");
  await goTo(page, "limits");
  await page.locator("#new-limit").click();
  await dialogs(page).waitFor();
  await page.goBack();
  ok(await until(async () => (await heading(page)) === "API keys"), "Back leads back");
  equal(await dialogs(page).count(), 0, "and the dialog is gone");
  await page.locator("#new-key").click();
  equal(await page.evaluate(() => document.activeElement.name), "name", "another page's opens, at its first field");
  await page.keyboard.press("Escape");

  // A rollout that another page sent here: asked about once.
  await goTo(page, "rollouts?model_version_id=40000000-0000-4000-8000-000000000002");
  ok(await until(() => dialogs(page).getByText("It rolls out the model version").isVisible()), "what was sent to be rolled out is asked about");
  equal(await page.evaluate(() => location.hash), "#rollouts", "and stands in the URL no more");
  await page.goBack();
  ok(await until(async () => (await dialogs(page).count()) === 0 && (await heading(page)) === "API keys"), "Back leaves nothing of it");

  page.expected.push(/status of 403/);
  await goTo(page, "limits");
  await page.locator("#new-limit").click();
  await page.route("**/admin/rate-limits", (route) => (route.request().method() === "PUT" ? route.fulfill({ status: 403, json: { error: { message: "this needs an admin's token", type: "permission_error", param: null, code: "admin_required" } } }) : route.continue()));
  await dialogs(page).getByLabel("Chats a minute").fill("60");
  await dialogs(page).getByRole("button", { name: "Save" }).click();
  ok(await until(() => page.locator("#main").getByText("This needs an admin", { exact: true }).isVisible()), "whose rights are taken while one is open is told so");
  equal(await dialogs(page).count(), 0, "and it does not stand before that");
  await closePage(page, "a dialog whose page is left");
});

await closeBrowser();
done();
