// Answers on the dashboard, clicked through; and what is loading, fails, or may not be seen. Run by dashboard_answers.py.
import { readFile } from "node:fs/promises";
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import { checkAccessible, closeBrowser, closePage, until, url } from "./chromium.mjs";
import { ADMIN, goTo, look, openDashboard, settled } from "./dashboard_page.mjs";

await group("one answer", async () => {
  const page = await openDashboard("answers");
  // The lists are looked at by dashboard.mjs, as all pages are.
  await look(page, { "an answer": `answers/${process.env.PAGE_ANSWER}` });
  await closePage(page, "one answer");
});

await group("answers", async () => {
  const page = await openDashboard("answers");
  equal(await page.locator("tbody tr").count(), 2, "there are two");
  await page.getByLabel("Words in it").fill("violet");
  await page.getByLabel("Words in it").press("Enter");
  ok(await until(() => /text=violet/.test(page.url())), "what is looked for is in the URL");
  await settled(page);
  ok(await until(async () => (await page.locator("tbody tr").count()) === 1), "one has it");
  equal(await page.evaluate(() => document.activeElement.id), "filter-text", "the focus stays in the field");
  await page.goBack();
  ok(await until(async () => (await page.locator("tbody tr").count()) === 2), "back is back");
  await page.getByLabel("Thumb").selectOption("true");
  await settled(page);
  ok(await until(() => page.getByText("No answer is like that.").isVisible()), "none has a thumb up, and that is said");
  await checkAccessible(page, "no answers");
  await page.getByRole("button", { name: "Clear filters" }).first().click();
  await settled(page);

  await page.getByRole("button", { name: "Export…" }).click();
  await page.getByLabel("Format").selectOption("csv");
  await checkAccessible(page, "exporting");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download", exact: true }).click()]);
  matches(await readFile(await download.path(), "utf8"), /^id,created_at,[\s\S]*violet otter/, "what is found is saved");
  ok(await until(() => page.locator("dialog[open]").getByText(/bytes saved|KB saved/).isVisible()), "and how much it was is told");
  await page.keyboard.press("Escape");

  await page.locator("tbody tr", { hasText: "violet" }).locator("a").click();
  await page.getByRole("heading", { name: "The prompt as it was sent" }).waitFor();
  ok(await page.getByText("You are Decibel").first().isVisible(), "one is shown with its prompt");
  ok(await page.getByText("too long").first().isVisible(), "and its feedback");
  await page.getByRole("button", { name: "Mark for training" }).click();
  await page.getByLabel("Why").fill("a good one");
  await page.locator("dialog").getByRole("button", { name: "Mark for training" }).click();
  ok(await until(() => page.getByText("Marked for training").isVisible()), "it is marked");
  ok(await page.getByText("generate-training-data").first().isVisible(), "and when that counts is said");
  await page.getByRole("button", { name: "Reject" }).click();
  await page.locator("dialog").getByRole("button", { name: "Reject for training" }).click();
  ok(await until(() => page.getByText("Rejected").first().isVisible()), "or rejected");
  await page.getByRole("button", { name: "Take that back" }).click();
  ok(await until(() => page.getByText("Its feedback decides.").isVisible()), "or neither");
  page.expected.push(/status of 404/);
  await page.goto(`${url}/admin/#answers/01890000-0000-7000-8000-000000000000`);
  ok(await until(() => page.getByText("There is nothing here").isVisible()), "one that is not there is not there");
  await checkAccessible(page, "no such answer");
  await closePage(page, "answers");
});

await group("what is loading, what fails, and who may not", async () => {
  const page = await openDashboard("settings");
  let go;
  const held = new Promise((resolve) => { go = resolve; });
  await page.route("**/admin/answers?*", async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(`${url}/admin/#answers`);
  ok(await until(() => page.locator("#main .skeleton").first().isVisible()), "while answers are on their way, grey bars are");
  await checkAccessible(page, "loading");
  go();
  await settled(page);
  await page.unroute("**/admin/answers?*");
  page.expected.push(/status of 503/);
  await page.route("**/admin/privacy", (route) => route.fulfill({ status: 503, json: { error: { message: "the database does not answer at the moment", type: "api_error", param: null, code: "database_unavailable" } } }));
  await page.goto(`${url}/admin/#privacy`);
  ok(await until(() => page.getByText("The database does not answer at the moment").isVisible()), "what fails says why");
  await checkAccessible(page, "failing");
  await page.unroute("**/admin/privacy");
  await page.getByRole("button", { name: "Try again" }).click();
  ok(await until(() => page.getByText("Stored of users").isVisible()), "and is tried again");
  await closePage(page, "trouble");
});

await group("an admin whose rights are taken while the page is open", async () => {
  const other = await openDashboard("people");
  const asAdmin = async (method, path, data) => (await other.context().request.fetch(url + path, { method, headers: { Authorization: `Bearer ${ADMIN}` }, data })).json();
  const key = await asAdmin("POST", "/admin/api-keys", { name: "for a while", scopes: ["admin"] });
  await goTo(other, "keys");
  await other.getByRole("button", { name: "Models of for a while" }).click();
  await other.getByRole("button", { name: "Make a rule…" }).click();
  await other.getByRole("textbox", { name: "May be named" }).fill("sim-1");
  await other.getByRole("button", { name: "Save" }).click();
  ok(await until(() => other.getByText("(a rule of its own)").isVisible()), "a key has a rule of its own, of which models it may name");
  await checkAccessible(other, "models of a key");
  const page = await openDashboard("people", { token: key.key });
  page.expected.push(/status of 403/);
  ok(await page.locator("#main table").count() > 0, "people are shown");
  await asAdmin("PATCH", `/admin/api-keys/${key.id}`, { scopes: ["chat"] });
  // It is known for some seconds yet.
  for (let i = 0; i < 40 && !(await page.locator(".state-refused").isVisible()); i++) {
    await goTo(page, i % 2 ? "people" : "coaches");
    await page.waitForTimeout(250);
  }
  ok(await page.getByText("This needs an admin").isVisible(), "who is no admin any more is told so, and what to do");
  equal(await page.locator("#main table").count(), 0, "and sees nothing more");
  await checkAccessible(page, "refused");
  await closePage(page, "rights taken");
  await closePage(other, "who took them");
});

await closeBrowser();
done();
