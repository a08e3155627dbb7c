// The page by keyboard, on phones, with little room, in both themes, and as a screen reader finds it; and roast mode.
// Run by page.py, which reads the database afterwards.
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import {
  answerEnded, checkAccessible, checkWidth, closeBrowser, closePage, feedbackStored, lastAnswer, message, nextAnswerId, openPage, say, until,
} from "./chromium.mjs";

const facts = {};

/** The lines of the accessibility tree that are wanted, in this order, among others. */
async function checkTree(page, name, wanted) {
  const lines = (await page.locator("body").ariaSnapshot()).split("\n").map((line) => line.trim().replace(/^- '?/, ""));
  let at = 0;
  for (const line of lines) if (wanted[at]?.test(line)) at++;
  ok(at === wanted.length, `${name}: roles, names and their order`, `${wanted[at]} is not in its place in\n${lines.join("\n")}`);
}

await group("what a screen reader finds", async () => {
  const page = await openPage();
  await page.waitForSelector(".coach-card");
  await until(() => page.locator("#simulated").isVisible());
  await checkTree(page, "welcome", [
    /^link "Skip to the message box"/, /^complementary "Your conversations"/, /^button "New conversation"/, /^navigation "Conversations"/,
    /^banner/, /^button "simulated answers"/, /^status/, /^main/, /^heading "Who’s in your corner today\?" \[level=1\]/,
    /^group "Coach"/, /^radio "Decibel" \[checked\]/, /^radio "Ledger"/, /^radio "Maple"/, /^slider "How hard to push": "3"/, /^switch "Roast mode"/,
    /^group "Ways to begin"/, /^button "I skipped my run/, /^form "Write to your coach"/, /^textbox "Message"/, /^button "Tone: balanced, 3.0. Change"/, /^button "Send" \[disabled\]/]);
  await say(page, "What do you say?");
  await until(async () => (await lastAnswer(page).getAttribute("data-state")) !== "waiting");
  equal(await page.evaluate(() => [...document.querySelectorAll("[aria-live], [role=status], [role=alert], [role=log]")].filter((node) => node.closest(".thread")).length), 0,
    "no text that grows is a live region of its own");
  equal(await page.evaluate(() => document.getAnimations().length), 0, "and nothing is animated for who asked for less motion");
  await answerEnded(page);
  await checkTree(page, "conversation", [
    /^banner/, /^button "Coach: Decibel. Change"/, /^main/, /^heading "Conversation" \[level=1\]/, /^list "Messages"/, /^listitem/, /^text: "You said:"/, /^paragraph: What do you say/,
    /^article "Answer of Decibel"/, /^heading "Decibel balanced" \[level=2\]/, /^paragraph/, /^group "This answer"/, /^button "Helpful"/, /^button "Not helpful"/,
    /^button "Copy the answer"/, /^button "Answer again"/, /^button "Comment on this answer"/, /^group "Rating"/, /^button "1 star"/, /^button "5 stars"/,
    /^form "Write to your coach"/, /^textbox "Message"/]);
  await lastAnswer(page).getByRole("button", { name: "Helpful", exact: true }).click();
  await checkTree(page, "a thumb", [/^button "Helpful" \[pressed\]/]);
  await closePage(page, "a screen reader");
  const lively = await openPage({ calm: false });
  await lively.waitForSelector(".coach-card");
  await say(lively, "And with motion?");
  ok(await until(() => lively.evaluate(() => document.getAnimations().length > 0)), "others see that an answer is coming");
  await answerEnded(lively);
  await closePage(lively, "motion");
});

/** WCAG's contrast of pairs of our colours, for every hue that a coach may have: the lowest of each pair. */
function contrasts(pairs) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const probe = Object.assign(document.createElement("span"), { className: "answer" });
  document.body.append(probe);
  const luminance = (name) => {
    probe.style.color = `var(--${name})`;
    canvas.fillStyle = getComputedStyle(probe).color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const lowest = {};
  for (let hue = 0; hue < 360; hue += 2) {
    probe.style.setProperty("--hue", hue);
    for (const pair of pairs) {
      const [dark, light] = pair.split(" on ").map(luminance).sort((a, b) => a - b);
      lowest[pair] = Math.min(lowest[pair] ?? 21, (light + 0.05) / (dark + 0.05));
    }
  }
  probe.remove();
  return lowest;
}

/** How far the hue of the coaches' own colours is from that of errors, at the least, in degrees. */
async function checkHues(page) {
  const near = await page.evaluate(async () => {
    const { lookOf } = await import("/chat/coach.js");
    const ids = ["coach_decibel_avatar", "coach_maple_avatar", "coach_ledger_avatar", ...Array.from({ length: 500 }, (_, i) => `coach_${i}`)];
    const danger = Number(/oklch\([\d.]+ [\d.]+ ([\d.]+)/.exec(getComputedStyle(document.documentElement).getPropertyValue("--danger"))[1]);
    return [...new Set(ids.map((id) => lookOf(id).hue))].filter((hue) => Math.min(Math.abs(hue - danger), 360 - Math.abs(hue - danger)) < 45);
  });
  equal(near, [], "no coach has the colour of errors");
}

const TEXT = ["ink on paper", "ink on raised", "ink on sunken", "ink on tint", "ink on danger-tint", "ink on warn-tint", "soft on paper", "soft on raised", "soft on sunken",
  "soft on tint", "soft on line", "soft on danger-tint", "accent on paper", "accent on raised", "accent on sunken", "on-accent on accent", "on-accent on danger",
  "danger on paper", "danger on raised", "warn on warn-tint", "on-bubble on bubble"];
const SHAPES = ["line-strong on paper", "line-strong on raised", "line-strong on sunken", "accent on tint", "accent on warn-tint", "accent on danger-tint"];

async function checkContrast(page, name) {
  const found = await page.evaluate(contrasts, [...TEXT, ...SHAPES]);
  const low = Object.entries(found).filter(([pair, value]) => value < (TEXT.includes(pair) ? 4.5 : 3));
  equal(low, [], `${name}: text has a contrast of 4.5 to 1, shapes of 3 to 1, in every coach's colours`);
}

await group("by keyboard alone", async () => {
  const page = await openPage();
  await page.waitForSelector(".coach-card");
  const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
  const focused = () => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.id ?? "");
  const tabTo = async (wanted, key = "Tab") => {
    for (let i = 0; i < 60; i++) {
      await press(key);
      const visible = await page.evaluate(() => {
        const node = document.activeElement;
        const seen = node.matches("input.visually-hidden") ? node.closest("label") : node;
        return node === document.body || getComputedStyle(seen).outlineStyle !== "none" || node.closest(".composer") !== null;
      });
      if (!visible) ok(false, `the focus can be seen on ${await focused()}`);
      if (wanted.test(await focused())) return true;
    }
    return false;
  };
  await press("Tab");
  equal(await focused(), "skip", "the first stop is the skip link");
  await press("Enter");
  equal(await focused(), "message", "which leads to the message box");
  ok(await tabTo(/^severity$/, "Shift+Tab"), "severity can be reached");
  await press("Home", "ArrowRight", "ArrowRight");
  equal(await page.locator("#severity").getAttribute("aria-valuetext"), "1.2, ultra gentle", "and moved by arrows");
  await press("Shift+Tab");
  await press("ArrowDown");
  const chosen = await page.locator(".coach-card:has(:checked) .coach-card-name").innerText();
  ok(await tabTo(/^message$/), "the message box is further on");
  matches(await message(page).getAttribute("placeholder"), new RegExp(chosen), "arrows choose a coach");
  await page.keyboard.type("By keyboard");
  const id = nextAnswerId(page);
  await press("Enter");
  facts.byKeyboard = await id;
  equal(await answerEnded(page), "complete", "Enter sends");
  equal(await focused(), "message", "and the focus stays");
  ok(await tabTo(/^Helpful$/, "Shift+Tab"), "the thumb can be reached");
  const reply = feedbackStored(page);
  await press("Space");
  equal((await reply).status(), 200, "and pressed");
  ok(await tabTo(/^Coach: /, "Shift+Tab"), "the coach can be reached");
  await press("Enter");
  ok(await until(() => page.locator("#coach-dialog").isVisible()), "and opens the panel");
  await checkAccessible(page, "coach panel");
  await press("Escape");
  ok(await until(async () => !(await page.locator("#coach-dialog").isVisible())), "Escape closes it");
  matches(await focused(), /^Coach: /, "and the focus is back");
  await closePage(page, "by keyboard");
});

await group("on a phone", async () => {
  for (const [width, height, scheme] of [[375, 812, "dark"], [320, 568, "light"]]) {
    const name = `${width} pixels, ${scheme}`;
    const page = await openPage({ width, height, scheme, touch: true, calm: false });
    await page.waitForSelector(".coach-card");
    await page.waitForTimeout(300); // for the last of the animations: colours are measured
    await checkWidth(page, `${name}, welcome`);
    await checkAccessible(page, `${name}, welcome`);
    await message(page).fill("Hello from");
    await message(page).press("Enter");
    await message(page).pressSequentially("a phone");
    equal(await message(page).inputValue(), "Hello from\na phone", `${name}: a keyboard on glass begins lines with Enter`);
    await page.locator("#send").tap();
    equal(await answerEnded(page), "complete", `${name}: a message is sent by touch`);
    ok(await page.evaluate(() => !document.activeElement.matches("textarea, input")), `${name}: and no keyboard comes up over the answer`);
    await page.waitForTimeout(300);
    await checkWidth(page, `${name}, conversation`);
    await checkAccessible(page, `${name}, conversation`);
    await page.locator("#open-sidebar").tap();
    await page.locator("#close-sidebar").waitFor();
    await page.waitForTimeout(300);
    ok(await page.locator(".conversation-delete").first().isVisible(), `${name}: conversations are in a drawer`);
    await checkAccessible(page, `${name}, drawer`);
    equal(await page.locator("#sidebar").getAttribute("aria-modal"), "true", `${name}: which is a dialog while it is open`);
    await page.keyboard.press("Escape");
    equal(await page.evaluate(() => document.activeElement.id), "open-sidebar", `${name}: Escape closes the drawer and goes back to its button`);
    await page.locator("#tone-chip").tap();
    await page.waitForTimeout(300);
    await checkWidth(page, `${name}, coach panel`);
    await page.locator("#close-coach-dialog").tap();
    await closePage(page, name);
  }
});

await group("with little room", async () => {
  // 1440 x 900 at 200 %, 1280 x 1024 at 400 % (WCAG's reflow), a phone on its side.
  for (const [width, height] of [[720, 450], [320, 256], [740, 360]]) {
    const name = `${width} x ${height}`;
    const page = await openPage({ width, height });
    await page.waitForSelector(".coach-card");
    await checkWidth(page, `${name}, welcome`);
    await say(page, "Is there room?");
    await answerEnded(page);
    await checkWidth(page, `${name}, conversation`);
    const room = await page.evaluate(() => [document.getElementById("main").clientHeight / innerHeight, document.getElementById("send").getBoundingClientRect().bottom <= innerHeight]);
    ok(room[0] > 0.5 && room[1], `${name}: more than half of the window is for reading, and the message box is in it`, room);
    await closePage(page, name);
  }
});

await group("themes", async () => {
  const page = await openPage();
  await page.waitForSelector(".coach-card");
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await page.locator("#theme").click();
  equal(await paper(), light, "light is light");
  await checkContrast(page, "light");
  await checkHues(page);
  await page.locator("#theme").click();
  const dark = await paper();
  ok(dark !== light, "dark is dark");
  await page.reload();
  equal(await paper(), dark, "and stays, from before the first drawing");
  await page.waitForSelector(".coach-card");
  await checkAccessible(page, "dark");
  await checkContrast(page, "dark");
  await closePage(page, "themes");
});

await group("roast mode", async () => {
  const page = await openPage();
  await page.waitForSelector(".coach-card");
  const roast = page.locator("#roast");
  await page.getByText("Roast mode", { exact: true }).click();
  await page.getByRole("button", { name: "Not today" }).click();
  equal(await roast.isChecked(), false, "roast mode is not turned on without consent");
  await roast.click();
  await checkAccessible(page, "asking for consent");
  const stored = page.waitForResponse((response) => response.request().method() === "PUT" && response.request().postData().includes('"mode"'));
  await page.getByRole("button", { name: "Roast me" }).click();
  equal((await stored).status(), 200, "the choice is stored"); // a click alone checks the box, before there is consent
  ok(await until(() => roast.isChecked()), "with consent it is");
  const id = nextAnswerId(page);
  await say(page, "I skipped my run again.");
  equal(await answerEnded(page), "complete", "and a coach roasts");
  facts.roasted = await id;
  equal(await lastAnswer(page).locator(".tone").innerText(), "roast", "which the answer says");
  await closePage(page, "roast mode");

  // As the demo user: a request that leaves with its page is lost where the test looks into requests.
  const hasty = await openPage({ token: "" });
  await hasty.waitForSelector(".coach-card");
  await hasty.locator("#severity").fill("5.3");
  await hasty.reload();
  await hasty.waitForSelector(".coach-card");
  await closePage(hasty, "a choice made in haste");
});

console.log(`# facts ${JSON.stringify(facts)}`);
await closeBrowser();
done();
