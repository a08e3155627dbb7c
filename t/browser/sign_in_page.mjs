// What both tests of signing in do with a page: the provider is a program of the test, which is told things at its /test.
import { ok } from "../clients/tap.mjs";
import { openPage, until } from "./chromium.mjs";

const LOOKS = process.env.PAGE_LOOKS; // where pictures go that are to be looked at

/** Tells a provider something; resolves to what it says. */
export const teller = (provider) => async (act, value) => (await fetch(`${provider}/test`, { method: "POST", body: JSON.stringify({ act, value }) })).json();

export async function look(page, name) {
  if (LOOKS) await page.screenshot({ path: `${LOOKS}/${name}.png` });
}

/** A page of nobody's, on which refusals are no news. */
export const open = (options = {}) => openPage({ token: "", ...options, before: async (page) => {
  page.expected.push(/status of 40[01]/);
  await page.route(/fonts\.googleapis\.com/, (route) => route.fulfill({ contentType: "text/css", body: "" })); // of the provider's pages
  await options.before?.(page);
} });

export const error = (page) => page.locator("#sign-in-error").innerText();
export const told = async (page, pattern, what) => ok(await until(async () => pattern.test(await error(page))), what, await error(page));
export const asked = (page) => until(() => page.locator("#sign-in").isVisible());
export const signedIn = (page) => until(() => page.locator("#sign-out", { hasText: "Sign out" }).isVisible());

/** What a storage has of a session, or of signing in. */
export const storage = (page, name) => page.evaluate((which) => Object.keys(globalThis[which]).filter((key) => key.startsWith("uplift.s")).sort(), name);

export const session = (page) => page.evaluate(() => JSON.parse(sessionStorage.getItem("uplift.session") ?? localStorage.getItem("uplift.session")));

/** Changes something of the session that is kept, as if time had passed or somebody had meddled with it. */
export const change = (page, values) => page.evaluate((changes) => {
  const where = sessionStorage.getItem("uplift.session") === null ? localStorage : sessionStorage;
  where.setItem("uplift.session", JSON.stringify({ ...JSON.parse(where.getItem("uplift.session")), ...changes }));
}, values);
