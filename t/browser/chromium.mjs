// A Chromium, pages in it that note everything which should not happen, and checks that many tests make.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { chromium } from "playwright-core";

import { equal, ok } from "../clients/tap.mjs";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const url = process.env.PAGE_URL;
export const PATIENCE = 20000;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

export function closeBrowser() {
  return browser.close();
}

/**
 * A page of its own session. page.wrong gathers console errors, exceptions, dialogs and breaches of
 * the Content-Security-Policy; page.expected, patterns of console errors that a test provokes.
 * `before` is given the page while it is still empty. With a `beside`, another page, it is a tab of that one's session.
 */
export async function openPage({ token = process.env.PAGE_TOKEN, hash = "", width = 1280, height = 800, scheme = "light", touch = false, calm = true, locale = "en-US", zone = "UTC", before, beside } = {}) {
  const context = beside?.context() ?? await browser.newContext({
    ignoreHTTPSErrors: true, viewport: { width, height }, colorScheme: scheme, hasTouch: touch, isMobile: touch, locale, timezoneId: zone,
    reducedMotion: calm ? "reduce" : "no-preference", permissions: ["clipboard-read", "clipboard-write"],
  });
  const page = await context.newPage();
  page.wrong = [];
  page.expected = [];
  page.setDefaultTimeout(PATIENCE);
  page.on("console", (message) => message.type() === "error" && page.wrong.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => page.wrong.push(`exception: ${error.stack}`));
  page.on("dialog", (dialog) => {
    page.wrong.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.exposeBinding("noteBreach", (_, text) => page.wrong.push(`policy: ${text}`));
  await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (event) =>
    globalThis.noteBreach(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`)));
  // Whose page it is: null is nobody's, "" that of the server's own configuration.
  if (token !== "") {
    await page.route("**/config.json", (route) => (token === null ? route.fulfill({ json: {} }) : route.fulfill({ json: { token, apikey: process.env.PAGE_ANON_KEY } })));
  }
  await before?.(page);
  await page.goto(`${url}/${hash}`);
  return page;
}

/** Checks that nothing went wrong which the test did not provoke, and closes the page. */
export async function closePage(page, name) {
  const left = page.wrong.filter((text) => !page.expected.some((pattern) => pattern.test(text)));
  equal(left, [], `${name}: no console errors, exceptions or breaches of the policy`);
  await (page.context().pages().length > 1 ? page.close() : page.context().close());
}

/** Tries until the check gives something true; returns that, or what it gave last. */
export async function until(check, patience = PATIENCE) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await check();
    if (found || Date.now() > end) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** axe's findings against WCAG 2.2 A and AA and its best practices, but for rules that are named. */
export async function checkAccessible(page, name, { but = [] } = {}) {
  await page.evaluate(axeSource);
  const found = await page.evaluate((rules) => globalThis.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], rules: Object.fromEntries(rules.map((rule) => [rule, { enabled: false }])),
  }), but);
  ok(found.violations.length === 0 && found.passes.length > 15, `${name}: axe finds nothing`,
    found.violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((node) => `  ${node.target}: ${node.failureSummary}`).join("\n")}`).join("\n"));
}

export async function checkWidth(page, name) {
  const wide = await page.evaluate(() => ({ wanted: innerWidth, page: document.documentElement.scrollWidth,
    beyond: [...document.querySelectorAll("body *")].filter((node) => !node.closest("pre, .table-scroll, .lineage-scroll, .visually-hidden, .skip-link, .sidebar") && node.getBoundingClientRect().right > innerWidth + 1).map((node) => node.outerHTML.slice(0, 90)).slice(0, 5) }));
  ok(wide.page <= wide.wanted && wide.beyond.length === 0, `${name}: nothing is wider than the window`, JSON.stringify(wide));
}

export const message = (page) => page.locator("#message");
export const lastAnswer = (page) => page.locator(".turn").last().locator(".answer");
export const noteText = (page) => lastAnswer(page).locator(".notes").innerText();

export async function say(page, text) {
  await message(page).fill(text);
  await message(page).press("Enter");
}

/** Waits until the last answer has come to its end; returns its state. */
export async function answerEnded(page) {
  const answer = lastAnswer(page);
  await page.waitForFunction(() => {
    const answers = document.querySelectorAll(".answer");
    return !document.body.classList.contains("busy") && ["complete", "stopped", "incomplete", "failed"].includes(answers[answers.length - 1]?.dataset.state);
  });
  return answer.getAttribute("data-state");
}

/** The id that the next answer goes by. */
export function nextAnswerId(page) {
  return page.waitForResponse((response) => response.url().endsWith("/v1/chat") && response.request().method() === "POST")
    .then((response) => response.headers()["x-feedback-id"]);
}

/** Waits for a feedback call to come back. */
export function feedbackStored(page) {
  return page.waitForResponse((response) => /\/v1\/feedback\//.test(response.url()));
}
