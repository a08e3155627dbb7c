// The dashboard's pages as an admin has them, for the tests that click through them.
import { checkAccessible, checkWidth, openPage, until, url } from "./chromium.mjs";

export const ADMIN = process.env.PAGE_ADMIN;

/** A page of the dashboard, when all of it is there. */
export async function openDashboard(hash, options = {}) {
  const page = await openPage({ token: ADMIN, hash: `admin/#${hash}`, ...options });
  await settled(page);
  return page;
}

export async function goTo(page, hash) {
  await page.goto(`${url}/admin/#${hash}`);
  await settled(page);
}

/** Until nothing is loading any more. */
export async function settled(page) {
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve))); // what a change of the URL begins
  await page.waitForSelector("#page-title");
  await until(async () => (await page.locator("#main .skeleton, #main [aria-busy]").count()) === 0);
}

/** Checks pages by their hashes, on a desktop in light and on a phone in the dark. */
export async function look(page, pages) {
  for (const [name, hash] of Object.entries(pages)) {
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.emulateMedia({ colorScheme: "light" });
    await goTo(page, hash);
    await checkAccessible(page, `${name}, desktop, light`);
    await checkWidth(page, `${name}, desktop`);
    await page.setViewportSize({ width: 375, height: 812 });
    await page.emulateMedia({ colorScheme: "dark" });
    await settled(page);
    await checkAccessible(page, `${name}, phone, dark`);
    await checkWidth(page, `${name}, phone`);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ colorScheme: "light" });
}
