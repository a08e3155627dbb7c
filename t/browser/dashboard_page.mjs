// The dashboard's pages as an admin has them, for the tests that open them and click through them.
import { matches, ok } from "../clients/tap.mjs";
import { checkAccessible, checkWidth, openPage, until, url } from "./chromium.mjs";

export const ADMIN = process.env.PAGE_ADMIN ?? process.env.PAGE_TOKEN;
const MODULES = /^\/admin\/ui\//;

/** A page of the dashboard, when all of it is there. */
export async function openDashboard(hash, options = {}) {
  const page = await openPage({ token: ADMIN, hash: `admin/#${hash}`, ...options });
  await atRest(page, hash);
  return page;
}

export async function goTo(page, hash) {
  await page.goto(`${url}/admin/#${hash}`);
  await atRest(page, hash);
}

async function atRest(page, hash) {
  if (!(await settled(page))) throw new Error(`#${hash} does not come to rest`);
}

/** Whether the page has come to rest: it is there, and nothing is loading any more. */
export async function settled(page, patience) {
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve))); // what a change of the URL begins
  return until(() => page.evaluate(() => document.querySelector("#main h1") !== null && document.querySelector("#main[aria-busy], #main [aria-busy], #main .skeleton") === null), patience);
}

/** What the admin API is asked from now on, as "GET /admin/users/ID". */
export function askedOf(page) {
  const asked = [];
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith("/admin/") && pathname !== "/admin/" && !MODULES.test(pathname)) asked.push(`${request.method()} ${pathname}`);
  });
  return asked;
}

/** Waits for the last notice, and closes all. */
export async function toastSays(page, pattern, name) {
  const text = () => page.locator(".toast").last().innerText().catch(() => "");
  await until(async () => pattern.test(await text()));
  matches(await text(), pattern, name);
  for (const close of await page.locator(".toast .text-button").all()) await close.click().catch(() => {});
}

/** axe and the width of the page as it is, on a desktop in light and on a phone in the dark. */
export async function checkBoth(page, name) {
  const before = page.viewportSize();
  await checkAccessible(page, `${name}, desktop, light`);
  await checkWidth(page, `${name}, desktop`);
  await page.setViewportSize({ width: 375, height: 812 });
  await page.emulateMedia({ colorScheme: "dark" });
  ok(await settled(page), `${name}: comes on a phone`);
  await checkAccessible(page, `${name}, phone, dark`);
  await checkWidth(page, `${name}, phone`);
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: "light" });
  await settled(page);
}

/** The same of pages by their hashes. */
export async function look(page, pages) {
  for (const [name, hash] of Object.entries(pages)) {
    await goTo(page, hash);
    await checkBoth(page, name);
  }
}
