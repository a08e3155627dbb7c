// What coaches remember, as a person sees it on the page. Run by memories.py.
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import { answerEnded, checkAccessible, checkWidth, closeBrowser, closePage, message, openPage, until } from "./chromium.mjs";

const texts = (page) => page.locator("#memories .memory-text").allInnerTexts();

const preferencesStored = (page) =>
  page.waitForResponse((response) => response.url().endsWith("/v1/preferences") && response.request().method() === "PUT");

/** Opens the dialog until it shows a memory: they come soon after an answer. */
async function openUntil(page, text) {
  return until(async () => {
    if (await page.locator("#memories-dialog").isVisible()) await page.locator("#close-memories-dialog").click();
    if (!(await page.locator("#see-memories").isVisible())) await page.locator("#coach-chip").click();
    await page.locator("#see-memories").click();
    await page.waitForFunction(() => document.querySelector(".memories-state").textContent !== "Loading…");
    return (await texts(page)).includes(text);
  });
}

await group("memories from feedback", async () => {
  const page = await openPage({});
  const kept = (text, source, answer) => ({ object: "memory", id: text, type: "preference", text, source, answer_id: answer, last_said_at: "2026-03-12T12:00:00Z", created_at: "2026-05-01T12:00:00Z" });
  await page.route("**/v1/memories?*", (route) => route.fulfill({ json: { object: "list", has_more: false, memory_enabled: true,
    data: [kept("Keep answers short.", "feedback", "a1"), kept("I'm vegetarian", "rules", "a1"), kept("I love tea", "rules", null), kept("I love jazz", "model", null), kept("I love rye", "user", "a1")] } }));
  await page.waitForSelector(".coach-card");
  await page.locator("#see-memories").click();
  await page.waitForSelector(".memory");
  const day = await page.evaluate(() => new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long" }).format(new Date("2026-03-12T12:00:00Z")));
  equal(await page.locator(".memory .hint").allInnerTexts(), [`from your feedback on ${day}`, `from your feedback on ${day}`, `you said so on ${day}`, `you said so on ${day}`, `added by you on ${day}`],
    "say so, wishes and what was had wrong, with the day");
  await closePage(page);
});

for (const [name, goal, options] of [["desktop", "run a half marathon", {}], ["phone, dark", "swim across the lake", { width: 375, height: 812, scheme: "dark", touch: true }]]) {
  await group(`memories, ${name}`, async () => {
    const page = await openPage(options);
    await page.waitForSelector(".coach-card");
    await page.locator("#see-memories").click();
    ok(await until(() => page.getByText("Nothing yet.").isVisible()), "at first there are none, which it says");
    await checkAccessible(page, `no memories, ${name}`);
    await page.locator("#close-memories-dialog").click();

    await message(page).fill(`I want to ${goal} in May. <b>My sister</b> hates it.`);
    await page.getByRole("button", { name: "Send" }).click();
    equal(await answerEnded(page), "complete", "something is said");
    ok(await openUntil(page, `I want to ${goal} in May`), "and remembered");
    matches(await page.locator(".memory").filter({ hasText: goal }).innerText(), /^Goal\n[^]*you said so on /, "as what it is, and from when");
    await page.locator("#memory-text").fill("<i>I</i> like tea");
    await page.getByRole("button", { name: "Remember", exact: true }).click();
    ok(await until(async () => (await texts(page))[0] === "<i>I</i> like tea"), "more is added, as the text that it is");
    equal(await page.locator("#memory-text").inputValue(), "", "and the field is free again");
    await checkAccessible(page, `memories, ${name}`);
    await checkWidth(page, `memories, ${name}`);
    page.expected.push(/status of 400/);
    await page.locator("#memory-text").fill("My password is hunter2Secret!9");
    await page.keyboard.press("Enter");
    ok(await until(() => page.locator("#memories .form-error").innerText().then((text) => text.includes("keeps no such things"))), "what is refused is said to be");

    await page.locator("#close-memories-dialog").click();
    await message(page).fill(`How do I ${goal}?`);
    await page.getByRole("button", { name: "Send" }).click();
    equal(await answerEnded(page), "complete", "what is remembered is used");
    const uses = page.locator(".turn").last().locator(".uses-button");
    equal(await uses.innerText(), "uses 2 memories", "which the answer says");
    await uses.click();
    ok(await until(() => page.locator(".turn").last().locator(".uses").innerText().then((text) => text.includes(`I want to ${goal} in May`))), "and shows when asked");
    await checkAccessible(page, `what an answer used, ${name}`);
    await checkWidth(page, `what an answer used, ${name}`);
    await page.locator(".turn").last().getByRole("button", { name: "Forget: <i>I</i> like tea" }).click();
    ok(await until(async () => (await page.locator(".turn").last().locator(".uses .memory").count()) === 1), "one is let go there");
    await page.reload();
    await page.locator(".turn").last().locator(".uses-button").click();
    ok(await until(() => page.locator(".turn").last().locator(".uses").innerText().then((text) => text.includes(goal) && !text.includes("like tea"))), "which is so after a reload");
    await page.locator(".turn").last().locator(".uses-button").click();
    ok(await page.locator(".turn").last().locator(".uses").isHidden(), "and is put away again");
    ok(await openUntil(page, `I want to ${goal} in May`), "the list shows it, too");
    await page.locator("#memory-text").fill("<i>I</i> like tea");
    await page.keyboard.press("Enter");
    ok(await until(async () => (await texts(page))[0] === "<i>I</i> like tea"), "what was let go can be added again");

    await page.getByRole("button", { name: `Forget: I want to ${goal} in May` }).click();
    ok(await until(async () => !(await texts(page)).some((text) => text.includes(goal))), "one is forgotten");
    ok(await openUntil(page, "<i>I</i> like tea"), "the others stay");
    ok(!(await texts(page)).some((text) => text.includes(goal)), "and it stays forgotten");
    await page.getByRole("button", { name: "Forget all" }).click();
    await page.locator("#confirm-yes").click();
    ok(await until(() => page.getByText("Nothing is remembered.").isVisible()), "all are forgotten, when one is sure");
    await page.locator("#close-memories-dialog").click();

    await page.locator("#coach-chip").click();
    let stored = preferencesStored(page);
    await page.locator("#memory").uncheck();
    await stored;
    await page.reload();
    await page.waitForSelector(".turn");
    await page.locator("#coach-chip").click();
    ok(await until(async () => !(await page.locator("#memory").isChecked())), "it is turned off, and stays so");
    await page.locator("#see-memories").click();
    ok(await until(() => page.getByText("Memory is off").isVisible()), "which the list says as well");
    await page.locator("#close-memories-dialog").click();
    await page.locator("#coach-chip").click();
    stored = preferencesStored(page);
    await page.locator("#memory").check();
    equal((await (await stored).json()).memory_enabled, true, "and on again");
    await closePage(page, `memories, ${name}`);
  });
}
await closeBrowser();
done();
