// Conversations searched, renamed, shared; keys; the page as an app. Run by conversations.py; SHOTS names a directory for pictures.
import { readFile } from "node:fs/promises";
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import { answerEnded, checkAccessible, checkWidth, closeBrowser, closePage, message, openPage, say, until, url } from "./chromium.mjs";

const shot = (page, name) => process.env.SHOTS && page.screenshot({ path: `${process.env.SHOTS}/${name.replace(", ", "-")}.png` });
const titles = (page) => page.locator(".conversation-title").allTextContents();

async function talk(page, text) {
  await page.locator("#new-chat, #new-chat-narrow").locator("visible=true").first().click();
  await message(page).fill(text);
  await page.getByRole("button", { name: "Send", exact: true }).click();
  equal(await answerEnded(page), "complete", `"${text}" is answered`);
}

const PHONE = ["phone, dark", { width: 375, height: 812, scheme: "dark", touch: true }];

for (const [name, options] of [["desktop", {}], PHONE]) {
  await group(`finding, ${name}`, async () => {
    const page = await openPage(options);
    await page.waitForSelector(".coach-card");
    await talk(page, `I bought a violet bicycle (${name})`);
    await talk(page, "How do I sleep?");
    if (options.touch) await page.locator("#open-sidebar").click();
    await page.getByRole("searchbox", { name: "Search conversations" }).fill("violet");
    ok(await until(async () => (await page.locator("#search-state").innerText()).startsWith(options.touch ? "2 " : "1 ")), "conversations are found by a word, and counted");
    matches(await page.locator(".conversation-excerpt").first().innerText(), /violet bicycle/, "with what was found");
    await checkAccessible(page, `search, ${name}`);
    await checkWidth(page, `search, ${name}`);
    await shot(page, `search-${name}`);
    await page.locator(".conversation-link").first().click();
    await page.waitForSelector(".turn");
    matches(await page.locator(".question-text").innerText(), /violet bicycle/, "and opened");
    if (options.touch) await page.locator("#open-sidebar").click();
    await page.getByRole("searchbox").fill("xyzzy");
    ok(await until(async () => (await page.locator("#search-state").innerText()) === "Nothing was found."), "nothing is said to be nothing");
    await page.getByRole("searchbox").press("Escape");
    ok(await until(async () => (await titles(page)).includes("How do I sleep?")), "without a word all are there again");

    const row = page.locator(".conversation").filter({ hasText: "How do I sleep?" }).first();
    if (!options.touch) await row.hover();
    await row.getByRole("button", { name: "Rename “How do I sleep?”" }).click();
    await checkAccessible(page, `renaming, ${name}`);
    await page.getByLabel("Name of the conversation").fill(`Nights <b>${name}</b>`);
    await page.keyboard.press("Enter");
    ok(await until(async () => (await titles(page)).includes(`Nights <b>${name}</b>`)), "a conversation is renamed");
    await page.reload();
    ok(await until(async () => (await titles(page)).includes(`Nights <b>${name}</b>`)), "for good");
    await closePage(page, `finding, ${name}`);
  });

}

await group("a search while more is read", async () => {
  const listed = (from, count) => Array.from({ length: count }, (_, i) => ({ id: `00000000-0000-4000-8000-${String(from + i).padStart(12, "0")}`, title: `Number ${from + i}`,
    coach_id: null, updated_at: new Date(Date.UTC(2026, 0, 1) - (from + i) * 1000).toISOString() }));
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const page = await openPage({ before: (fresh) => fresh.route("**/v1/conversations?*", async (route) => {
    const query = new URL(route.request().url()).searchParams;
    if (query.has("q")) return route.fulfill({ json: { object: "list", data: listed(500, 1), has_more: false } });
    if (query.has("before")) await held;
    return route.fulfill({ json: { object: "list", data: query.has("before") ? listed(30, 5) : listed(0, 30), has_more: !query.has("before") } });
  }) });
  await page.getByRole("button", { name: "Show earlier ones" }).click();
  await page.getByRole("searchbox", { name: "Search conversations" }).fill("five hundred");
  ok(await until(async () => (await titles(page)).join() === "Number 500"), "a search has its own list");
  const came = page.waitForResponse((response) => response.url().includes("before="));
  release();
  await came;
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
  equal(await titles(page), ["Number 500"], "to which nothing of another one is added");
  await page.getByRole("searchbox").press("Escape");
  ok(await until(async () => (await titles(page)).length === 30), "which is there again without a search");
  await page.getByRole("button", { name: "Show earlier ones" }).click();
  ok(await until(async () => (await titles(page)).length === 35), "and goes on");
  await closePage(page, "a search while more is read");
});

for (const [name, options] of [PHONE]) {
  await group(`sharing, ${name}`, async () => {
    const shares = async (page) => {
      await page.addInitScript(() => {
        globalThis.shared = [];
        navigator.share = async (what) => void globalThis.shared.push(what);
      });
    };
    const page = await openPage({ ...options, before: shares });
    await page.waitForSelector(".coach-card");
    ok(await page.locator("#share").isHidden(), "there is nothing to share at first");
    await say(page, "Share **me**");
    if (options.touch) await page.getByRole("button", { name: "Send", exact: true }).click();
    equal(await answerEnded(page), "complete", "something is said");
    await page.getByRole("button", { name: "Share this conversation" }).click();
    await checkAccessible(page, `sharing, ${name}`);
    await checkWidth(page, `sharing, ${name}`);
    await shot(page, `share-${name}`);
    await page.getByRole("button", { name: "Share …" }).click();
    const [shared] = await page.evaluate(() => globalThis.shared);
    matches(shared.text, /^Share me\n.*\d{4}\n\nYou:\nShare \*\*me\*\*\n\n\w+:\nYou asked: Share \*\*me\*\*\n$/, "what the device shares is what was said, by whom");
    await page.getByRole("button", { name: "Share this conversation" }).click();
    await page.getByRole("button", { name: "Copy as text" }).click();
    equal(await page.evaluate(() => navigator.clipboard.readText()), shared.text, "it is copied");
    await page.getByRole("button", { name: "Share this conversation" }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as a file" }).click()]);
    equal([download.suggestedFilename(), await readFile(await download.path(), "utf8")], ["Share me.txt", shared.text], "or saved");
    await closePage(page, `sharing, ${name}`);
  });
}

await group("keys", async () => {
  const page = await openPage();
  await page.waitForSelector(".coach-card");
  await page.locator("#main").focus();
  await page.keyboard.press("?");
  ok(await page.getByRole("heading", { name: "Keyboard shortcuts" }).isVisible(), "? shows what keys do");
  equal(await message(page).inputValue(), "", "and writes nothing");
  matches(await page.locator("#shortcut-list").innerText(), /Search conversations\s+Ctrl\s*K/, "one by one");
  await checkAccessible(page, "keys");
  await shot(page, "keys");
  await page.getByLabel("Single keys").uncheck();
  await page.keyboard.press("Escape");
  await page.locator("#main").focus();
  await page.keyboard.press("?");
  ok(await page.getByRole("heading", { name: "Keyboard shortcuts" }).isHidden(), "single keys can be turned off");
  equal(await message(page).inputValue(), "?", "and are written then");
  await message(page).fill("");
  await page.keyboard.press("Control+/");
  ok(await page.getByRole("heading", { name: "Keyboard shortcuts" }).isVisible(), "Ctrl+/ shows them, too");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  equal(await page.evaluate(() => document.activeElement.id), "search", "Ctrl+K looks for conversations");
  await message(page).fill("What is ? good for");
  await message(page).press("Enter");
  equal(await answerEnded(page), "complete", "a message with such a key is a message");
  await message(page).press("ArrowUp");
  equal(await page.getByRole("textbox", { name: "Your message" }).inputValue(), "What is ? good for", "up edits the last message");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+Shift+o");
  ok(await until(() => page.locator("#welcome").isVisible()), "Ctrl+Shift+O begins a new conversation");
  await closePage(page, "keys");
});

await group("an app of its own", async () => {
  const page = await openPage();
  await page.waitForSelector(".coach-card");
  const manifest = await page.evaluate(async () => {
    const link = document.querySelector("link[rel=manifest]");
    const response = await fetch(link.href);
    return { type: response.headers.get("content-type"), ...(await response.json()) };
  });
  equal([manifest.type, manifest.display, manifest.name], ["application/manifest+json", "standalone", "uplift"], "there is a manifest");
  for (const { src, sizes, type } of manifest.icons) {
    const size = await page.evaluate(async (address) => {
      const image = new Image();
      image.src = address;
      await image.decode();
      return `${image.naturalWidth}x${image.naturalHeight}`;
    }, src);
    ok(sizes === "any" || size === sizes, `${src} is ${type} of ${sizes}`, size);
  }
  const session = await page.context().newCDPSession(page);
  const { errors } = await session.send("Page.getAppManifest");
  equal(errors, [], "Chromium understands it");
  equal((await session.send("Page.getInstallabilityErrors")).installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito"), [], "and would install it");
  equal(await page.evaluate(async () => [(await navigator.serviceWorker.getRegistrations()).length, (await caches.keys()).length]), [0, 0], "nothing of it is kept for when there is no network");
  await page.evaluate(() => {
    const offer = new Event("beforeinstallprompt", { cancelable: true });
    offer.prompt = async () => (globalThis.prompted = true);
    dispatchEvent(offer);
  });
  await page.getByRole("button", { name: "Install as an app" }).click();
  ok(await page.evaluate(() => globalThis.prompted), "where the browser offers it, a button asks for it");
  await closePage(page, "an app of its own");
});
await closeBrowser();
done();
