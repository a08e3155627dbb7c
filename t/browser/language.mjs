// The page in the person's language, as the browser asks for it and as they choose it. Run by words.py; SHOTS names a directory for
// pictures.
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import { answerEnded, checkAccessible, checkWidth, closeBrowser, closePage, message, openPage, until } from "./chromium.mjs";

const shot = (page, name) => process.env.SHOTS && page.screenshot({ path: `${process.env.SHOTS}/${name.replace(", ", "-")}.png` });
const languageOf = (page) => page.evaluate(() => document.documentElement.lang);

for (const [name, options] of [["desktop", {}], ["phone, dark", { width: 375, height: 812, scheme: "dark", touch: true }]]) {
  await group(`German, ${name}`, async () => {
    const page = await openPage({ ...options, locale: "de-AT" });
    await page.waitForSelector(".coach-card");
    equal(await languageOf(page), "de", "a browser that asks for German gets it, and its readers are told");
    equal(await page.locator("#welcome-title").innerText(), "Wer steht dir heute bei?", "the page is in German");
    equal(await page.locator(".band-number").innerText(), "3,0", "so are numbers");
    matches(await page.getByLabel("Wie viel Druck").getAttribute("aria-valuetext"), /^3,0, ausgewogen$/, "also as they are read aloud");
    await checkAccessible(page, `welcome, German, ${name}`);
    await checkWidth(page, `welcome, German, ${name}`);
    await shot(page, `german-welcome-${name}`);
    await message(page).fill("Wann trainiere ich? I train on Tuesdays.");
    await page.getByRole("button", { name: "Senden", exact: true }).click();
    equal(await answerEnded(page), "complete", "an answer comes");
    matches(await page.locator(".answer .tools").innerText(), /^nutzt 1 Erinnerung\b/, "what it used is said in German");
    await page.getByRole("button", { name: "Hilfreich", exact: true }).click();
    // Once for each person.
    if (name === "desktop") ok(await until(() => page.getByText("Dürfen Antworten, die du bewertest,").isVisible()), "and what is asked");
    await page.locator("#coach-chip").click();
    await page.locator("#see-memories").click();
    ok(await until(() => page.getByText("Deine Coachs nutzen das").isVisible()), "and what is remembered");
    await checkAccessible(page, `memories, German, ${name}`);
    await page.getByRole("button", { name: "Schließen", exact: true }).click();
    await checkWidth(page, `a conversation, German, ${name}`);
    await shot(page, `german-talk-${name}`);
    page.expected.push(/status of 503/);
    await page.route("**/v1/memories?*", (route) => route.fulfill({ status: 503, json: { error: { message: "the database does not answer", type: "server_error", param: null, code: "database_unavailable" } } }));
    await page.locator("#coach-chip").click();
    await page.locator("#see-memories").click();
    ok(await until(() => page.getByText("ließ sich nicht lesen: die Datenbank antwortet gerade nicht.").isVisible()), "errors are said in German by their code");
    await closePage(page, `German, ${name}`);
  });
}

await group("choosing a language", async () => {
  const page = await openPage({ locale: "fr-FR" });
  await page.waitForSelector(".coach-card");
  equal(await languageOf(page), "en", "who speaks a language that the page does not gets English");
  equal(await page.locator("#language option").allInnerTexts(), ["English", "Deutsch"], "languages are called what they call themselves");
  await page.getByLabel("Language").selectOption("de");
  await page.locator("html[lang=de] .coach-card").first().waitFor();
  ok(true, "another one is chosen");
  equal(await page.getByLabel("Sprache").inputValue(), "de", "which the switch then shows");
  await page.reload();
  ok(await until(() => page.getByText("Wer steht dir heute bei?").isVisible()), "and stays");
  await page.getByLabel("Sprache").selectOption("en");
  ok(await until(() => page.getByText("Who’s in your corner today?").isVisible()), "until it is changed again");
  await closePage(page, "choosing a language");
});
await closeBrowser();
done();
