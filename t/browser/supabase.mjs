// Signing in at a Supabase project on the page, by password, by mail and elsewhere. Run by supabase.py, against a stand-in that
// auth_js.mjs has tried.
import { done, equal, group, ok } from "../clients/tap.mjs";
import { answerEnded, checkAccessible, checkWidth, closeBrowser, closePage, nextAnswerId, say, until, url } from "./chromium.mjs";
import { asked, change, look, open, signedIn, storage, teller, told } from "./sign_in_page.mjs";

const facts = {};
const tell = teller(process.env.GOTRUE_URL);
const email = (page, address = "ada@example.com") => page.getByLabel("Email address").fill(address);

async function sendLink(page, address) {
  await tell("let_send");
  await email(page, address);
  await page.getByRole("button", { name: "Send me a link instead" }).click();
  await page.getByLabel("Code from the mail").waitFor();
  return tell("mail");
}

await group("a password", async () => {
  for (const [scheme, touch, width, height] of [["light", false, 1280, 800], ["dark", true, 390, 844], ["light", true, 390, 844], ["dark", false, 1280, 800]]) {
    const page = await open({ scheme, touch, width, height });
    await asked(page);
    await checkAccessible(page, `sign-in, ${scheme}, ${width}`);
    await checkWidth(page, `sign-in, ${scheme}, ${width}`);
    await look(page, `supabase-${scheme}-${width}`);
    await closePage(page, `sign-in, ${scheme}, ${width}`);
  }
  const page = await open();
  await asked(page);
  equal(await page.locator(".sign-in-provider").allInnerTexts(), ["Continue with GitHub"], "the project's providers are offered");
  ok(await page.getByLabel("Email address").evaluate((node) => node === document.activeElement), "the focus is where one begins");
  await email(page);
  await page.getByLabel("Password").fill("wrong");
  await page.keyboard.press("Enter");
  await told(page, /do not belong together. Check both/, "a wrong password is said to be");
  await look(page, "supabase-wrong");
  await tell("confirm", { email: "ada@example.com", confirmed: false });
  await page.getByLabel("Password").fill("correct horse");
  await page.locator("#sign-in-submit").click();
  await told(page, /not confirmed yet. Open the link/, "so is an address that is not confirmed");
  await tell("confirm", { email: "ada@example.com", confirmed: true });
  page.expected.push(/status of 503/);
  await tell("set", { away: true });
  await page.locator("#sign-in-submit").click();
  await told(page, /does not work at the moment. Try again/, "and a project that is away");
  await tell("set", { away: false });
  await page.locator("#sign-in-submit").click();
  ok(await signedIn(page), "the right one signs in");
  equal(await page.locator("#sign-in-password").count(), 0, "and is in the page no more");
  equal([await storage(page, "sessionStorage"), await storage(page, "localStorage")], [["uplift.session"], []], "the session lives in the tab");
  const id = nextAnswerId(page);
  await say(page, "Who am I?");
  facts.answer = await id;
  equal(await answerEnded(page), "complete", "the server takes the token");

  await tell("asked");
  await change(page, { endsAt: 0 });
  await page.reload();
  ok(await until(() => page.locator(".conversation-link").first().isVisible()), "a session goes on after its token");
  equal(await tell("asked"), ["refresh_token passed"], "renewed once");
  await tell("end_sessions");
  await change(page, { endsAt: 0 });
  await page.reload();
  await asked(page);
  await told(page, /session has ended. Sign in again/, "one that was ended is said to be");
  await email(page);
  await page.getByLabel("Password").fill("correct horse");
  await page.getByLabel("Stay signed in on this device").check();
  await page.locator("#sign-in-submit").click();
  await signedIn(page);
  equal([await storage(page, "sessionStorage"), await storage(page, "localStorage")], [[], ["uplift.session"]], "who wants to stay signed in does");
  await page.route(`${url}/v1/**`, (route) => route.fulfill({ status: 401, json: { error: { message: "no such key", type: "authentication_error", param: null, code: "invalid_token" } } }));
  await page.reload();
  await asked(page);
  await page.unroute(`${url}/v1/**`);
  await email(page);
  await page.getByLabel("Password").fill("correct horse");
  await page.locator("#sign-in-submit").click();
  ok(await until(() => page.locator("#sign-in").isHidden()), "whoever is refused may sign in again");
  equal([await storage(page, "sessionStorage"), await storage(page, "localStorage")], [["uplift.session"], []], "and nothing stays of the session before");
  const out = page.waitForResponse((response) => response.url().includes("/logout?scope=local") && response.request().method() === "POST");
  await page.locator("#sign-out").click();
  equal((await out).status(), 204, "signing out ends the session at the project");
  await told(page, /You are signed out/, "and is said");
  equal([await storage(page, "sessionStorage"), await storage(page, "localStorage")], [[], []], "nothing is left");
  await closePage(page, "a password");
});

await group("a mail", async () => {
  const page = await open();
  await asked(page);
  const { link, to, code } = await sendLink(page, "new@example.com");
  equal(to, "new@example.com", "a link is sent to who asked for it");
  await checkAccessible(page, "a link on its way");
  await look(page, "supabase-sent");
  const tab = await open({ beside: page, hash: "" });
  await tab.goto(link);
  await tab.waitForURL((now) => now.href.startsWith(url));
  ok(await signedIn(tab), "it signs in in the tab that it opens");
  equal([tab.url(), await storage(tab, "localStorage")], [`${url}/`, []], "and leaves nothing behind");
  await tab.goto(link);
  await tab.waitForURL((now) => now.href === `${url}/`);
  await told(tab, /expired, or was used before/, "used once more it is said to be");
  ok(await signedIn(tab), "which does no harm");
  equal([tab.url(), await storage(tab, "sessionStorage")], [`${url}/`, ["uplift.session"]], "and leaves nothing behind");
  await closePage(tab, "a link");

  await page.getByLabel("Code from the mail").fill(code);
  page.expected.push(/status of 403/);
  await page.locator("#sign-in-submit").click();
  await told(page, /expired, or was used before. Ask for a new one/, "its code was used up with it");
  await page.getByRole("button", { name: "Use another address" }).click();
  const second = await sendLink(page);
  const other = await open();
  await other.goto(second.link);
  await asked(other);
  await told(other, /in the browser in which you asked for it/, "another browser is told what to do");
  equal(other.url(), `${url}/`, "with a clean address");
  await closePage(other, "another browser");
  await page.getByRole("button", { name: "Use another address" }).click();
  const third = await sendLink(page);
  await page.getByLabel("Code from the mail").fill(` ${third.code.slice(0, 3)} ${third.code.slice(3)} `);
  await page.locator("#sign-in-submit").click();
  ok(await signedIn(page), "the code signs in, too");
  await closePage(page, "a mail");

  const late = await open();
  await asked(late);
  const old = await sendLink(late);
  await tell("drop_links");
  await late.goto(old.link);
  await asked(late);
  await told(late, /expired, or was used before. Ask for a new one/, "a link that has expired says so");
  equal(late.url(), `${url}/`, "and is gone from the address");
  await late.goto(`${url}/#access_token=a.b.c&refresh_token=r&token_type=bearer&type=magiclink`);
  await late.reload();
  await asked(late);
  await told(late, /none that was asked for here/, "a link with somebody's tokens signs nobody in");
  equal([late.url(), await storage(late, "sessionStorage")], [`${url}/`, []], "and they are not kept");
  await email(late, "ben@example.com");
  await late.getByRole("button", { name: "Send me a link instead" }).click();
  await late.getByLabel("Code from the mail").waitFor();
  await late.getByRole("button", { name: "Use another address" }).click();
  await email(late, "ben@example.com");
  await late.getByRole("button", { name: "Send me a link instead" }).click();
  late.expected.push(/status of 429/);
  await told(late, /Wait a minute/, "two mails at once are one too many");
  await closePage(late, "an old link");
});

await group("elsewhere", async () => {
  const page = await open({ hash: "?from=mail" });
  await asked(page);
  const sent = [];
  page.on("request", (request) => request.url().includes("/authorize?") && sent.push(request.url()));
  await page.getByRole("button", { name: "Continue with GitHub" }).click();
  const query = new URL(await until(() => sent[0])).searchParams;
  equal([query.get("code_challenge_method"), query.get("code_challenge").length, query.get("redirect_to")], ["s256", 43, `${url}/`], "it is asked for with a challenge");
  await page.getByRole("link", { name: "Deny" }).click();
  await page.waitForURL((now) => now.href.startsWith(url));
  await asked(page);
  await told(page, /not signed in, because it was not allowed/, "who does not consent is told");
  equal(page.url(), `${url}/?from=mail`, "where they were before");
  await page.getByRole("button", { name: "Continue with GitHub" }).click();
  await page.getByRole("link", { name: "Allow" }).click();
  await page.waitForURL((now) => now.href.startsWith(url));
  ok(await signedIn(page), "who does is signed in");
  equal(page.url(), `${url}/?from=mail`, "in the same place");
  await closePage(page, "elsewhere");
});

console.log(`# facts ${JSON.stringify(facts)}`);
await closeBrowser();
done();
