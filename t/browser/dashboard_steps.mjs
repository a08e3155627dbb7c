// What tests of the dashboard's pages have in common.
import { matches, ok } from "../clients/tap.mjs";
import { checkAccessible, checkWidth, openPage, until } from "./chromium.mjs";

/** True when the page has come to rest. */
export const settled = (page) => until(() => page.evaluate(() => document.querySelector("#main h1") !== null && document.querySelector("#main[aria-busy], #main [aria-busy], #main .skeleton") === null));

/** A page of the dashboard, at rest. */
export async function open(hash) {
  const page = await openPage({ hash: `admin/#${hash}` });
  await settled(page);
  return page;
}

/** Waits for the last notice, and closes all. */
export async function toastSays(page, pattern, name) {
  const text = () => page.locator(".toast").last().innerText().catch(() => "");
  await until(async () => pattern.test(await text()));
  matches(await text(), pattern, name);
  for (const close of await page.locator(".toast .text-button").all()) await close.click().catch(() => {});
}

/** axe and the width, on desktop in light and on a phone in dark. */
export async function checkBoth(page, name) {
  const before = page.viewportSize();
  await checkAccessible(page, `${name}, desktop, light`);
  await page.setViewportSize({ width: 375, height: 812 });
  await page.emulateMedia({ colorScheme: "dark" });
  ok(await settled(page), `${name}: comes on a phone`);
  await checkAccessible(page, `${name}, phone, dark`);
  await checkWidth(page, `${name}, phone`);
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: "light" });
  await settled(page);
}
