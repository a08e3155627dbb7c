// People, coaches, privacy and settings on the dashboard, clicked through. Run by dashboard_people.py, which
// reads the database afterwards.
import { readFile } from "node:fs/promises";
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import { checkAccessible, closeBrowser, closePage, until } from "./chromium.mjs";
import { goTo, look, openDashboard, settled } from "./dashboard_page.mjs";

const ANN = process.env.PAGE_ANN;

await group("one of each", async () => {
  const page = await openDashboard("people");
  // The lists are looked at by dashboard.mjs, as all pages are.
  await look(page, { "a person": `people/${ANN}`, "a coach": "coaches/coach_decibel_avatar", "a coach to be": "coaches/new" });
  await closePage(page, "one of each");
});

await group("people", async () => {
  const page = await openDashboard("people");
  await page.getByLabel("Id, e-mail address or name").fill("ANN@example");
  await page.getByLabel("Id, e-mail address or name").press("Enter");
  await settled(page);
  await page.getByRole("link", { name: "Ann Archer" }).click();
  await page.getByRole("heading", { name: "Ann Archer", level: 1 }).waitFor();
  await settled(page);
  ok(await page.getByText("violet otter").first().isVisible(), "with what she said");
  await page.getByRole("button", { name: "Withdraw: Answers may train models" }).click();
  await checkAccessible(page, "withdrawing");
  await page.locator("dialog").getByRole("button", { name: "Withdraw" }).click();
  ok(await until(() => page.locator(".toast", { hasText: "It is withdrawn." }).isVisible()), "consent is withdrawn");
  equal(await page.getByRole("button", { name: "Withdraw: Answers may train models" }).count(), 0, "once");
  await page.getByRole("button", { name: "Make a rule…" }).click();
  await page.getByRole("textbox", { name: "May be named" }).fill("sim-1\nsmall*");
  await checkAccessible(page, "a rule of models");
  await page.locator("dialog").getByRole("button", { name: "Save" }).click();
  ok(await until(() => page.getByText("sim-1, small*").isVisible()), "which models she may name is set");
  await page.getByRole("button", { name: "Take the rule away" }).click();
  ok(await until(() => page.getByText("(the rule for all)").isVisible()), "and the one for all holds again");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export", exact: true }).click()]);
  equal(JSON.parse(await readFile(await download.path(), "utf8")).complete, true, "all of it is saved");
  await page.getByRole("button", { name: "Erase…" }).click();
  const yes = page.getByRole("button", { name: "Erase for good" });
  await checkAccessible(page, "erasing");
  ok(await yes.isDisabled(), "nobody is erased by a slip");
  await page.getByLabel(/^Type /).fill(ANN.slice(0, 8));
  await yes.click();
  await page.getByRole("heading", { name: "Privacy", level: 1 }).waitFor();
  await settled(page);
  ok(await until(() => page.getByText("Files to be deleted").isVisible()), "and the proof is there");
  await closePage(page, "people");
});

await group("coaches", async () => {
  const page = await openDashboard("settings");
  await page.route("**/admin/coaches?*", (route) => route.fulfill({ json: { object: "list", data: [], has_more: false } }));
  await goTo(page, "coaches");
  ok(await until(() => page.getByRole("link", { name: "Make the first coach" }).isVisible()), "where there are none, the first is a click away");
  await checkAccessible(page, "no coaches");
  await page.unroute("**/admin/coaches?*");
  await page.reload();
  await settled(page);
  await page.getByRole("link", { name: "Make a coach" }).click();
  await page.getByRole("heading", { name: "Make a coach", level: 1 }).waitFor();
  await page.getByLabel("Name (required)").fill("Fern");
  equal(await page.getByLabel("Id (required)").inputValue(), "coach_fern", "an id is suggested");
  await page.getByRole("button", { name: "Make it" }).click();
  ok(await until(() => page.getByText("This is needed.").isVisible()), "what is missing is said");
  await checkAccessible(page, "a coach without a personality");
  await page.getByLabel("Personality (required)").fill("You are Fern, who speaks of moss.");
  await page.getByLabel("Your message").fill("What of stones?");
  await page.getByLabel("Your message").press("Enter");
  ok(await until(async () => (await page.locator(".try-coach .speech-text").last().innerText()).length > 20), "a draft is tried beside the form");
  await page.getByRole("button", { name: "See its prompt" }).click();
  ok(await until(() => page.locator("dialog").getByText("who speaks of moss").isVisible()), "and its prompt seen");
  await checkAccessible(page, "a prompt");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByRole("heading", { name: "Fern", level: 1 }).waitFor();
  await settled(page);
  await page.getByLabel("Personality (required)").fill("You are Fern, who speaks of ferns.");
  await page.getByRole("button", { name: "Save" }).click();
  ok(await until(async () => (await page.getByRole("button", { name: "Bring it back" }).count()) === 1), "a change keeps what was there");
  await page.getByRole("button", { name: "Bring it back" }).click();
  await page.locator("dialog").getByRole("button", { name: "Bring it back" }).click();
  ok(await until(async () => (await page.getByLabel("Personality (required)").inputValue()).includes("moss")), "which is brought back");
  await page.getByRole("button", { name: "Retire…" }).click();
  await page.locator("dialog").getByRole("button", { name: "Retire" }).click();
  ok(await until(() => page.getByRole("button", { name: "Offer it again" }).isVisible()), "and retired");
  await closePage(page, "coaches");
});

await group("settings and privacy, by keyboard", async () => {
  const page = await openDashboard("settings");
  await page.getByLabel("Find a setting").focus();
  await page.keyboard.type("health");
  await page.keyboard.press("Enter");
  await settled(page);
  ok(await until(async () => (await page.locator(".panel .field").count()) === 1), "a setting is found");
  await page.getByLabel("memory.health").focus();
  await page.keyboard.press("r");
  await page.getByRole("button", { name: "Save" }).focus();
  await page.keyboard.press("Enter");
  ok(await until(() => page.getByText("1 changed").isVisible()), "set");
  await page.getByRole("button", { name: "Back to what it was at first" }).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  ok(await until(async () => (await page.getByText("1 changed").count()) === 0), "and set back to what it was at first");
  await goTo(page, "settings?q=whole_prompts");
  await page.getByLabel("answers.whole_prompts").selectOption("true");
  await page.getByRole("button", { name: "Save" }).click();
  ok(await until(() => page.locator("dialog[open]").getByText(/are stored with each answer/).isVisible()), "what is kept of everybody is asked about");
  await page.keyboard.press("Escape");
  equal(await page.locator("dialog[open]").count(), 0, "and no leaves it as it is");
  await goTo(page, "settings?q=retention.answers");
  await page.getByLabel("retention.answers_days").fill("0");
  await page.getByRole("button", { name: "Save" }).click();
  ok(await until(() => page.getByText("At least 1.").isVisible()), "what it cannot be is said");
  await page.getByLabel("retention.answers_days").fill("365");
  await page.getByRole("button", { name: "Save" }).click();
  equal(await page.evaluate(() => document.activeElement.textContent), "Cancel", "before anything is deleted it is asked, and no is what Enter means");
  await page.getByRole("button", { name: "Change it all the same" }).click();
  ok(await until(() => page.getByText("1 changed").isVisible()), "then set");
  await settled(page);
  await page.getByLabel("retention.answers_days").fill("400");
  const stored = page.waitForResponse((response) => response.request().method() === "PATCH");
  await page.getByRole("button", { name: "Save" }).click();
  equal((await stored).status(), 200, "what deletes nothing is set without a question");
  await goTo(page, "privacy");
  ok(await until(() => page.getByRole("link", { name: "400 days" }).first().isVisible()), "which the page Privacy tells");
  await page.getByLabel("Route begins with").fill("/admin/settings");
  await page.getByLabel("Route begins with").press("Enter");
  await settled(page);
  ok(await until(async () => (await page.locator("section[aria-labelledby=log] tbody tr").count()) === 4), "and who did it is found");
  await closePage(page, "settings");
});

await closeBrowser();
done();
