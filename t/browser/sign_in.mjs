// Signing in at a real OpenID Connect provider (provider.mjs), on the pages: the whole way, and each way that it goes wrong. Run by
// sign_in.py, which reads the database afterwards. Everybody here has a name of their own, so that they do not disturb each other.
import { done, equal, group, matches, ok } from "../clients/tap.mjs";
import { answerEnded, checkAccessible, checkWidth, closeBrowser, closePage, lastAnswer, message, nextAnswerId, say, until, url } from "./chromium.mjs";
import { asked, change, error, look, open, session, signedIn, storage, teller, told } from "./sign_in_page.mjs";

const facts = {};
const provider = process.env.PAGE_PROVIDER;
const AWAY = { status: 503, headers: { "Access-Control-Allow-Origin": "*" }, body: "away" };
const tell = teller(provider);
const coaches = (page) => until(() => page.locator(".coach-card").first().isVisible());
const grants = async (account) => (await tell("grants", account)).map(({ grant, passed }) => `${grant} ${passed ? "passed" : "failed"}`);

/** Makes a tab one in which somebody else has written something. */
const leaveDraft = () => {
  sessionStorage.setItem("uplift.whose", "https://id.test somebody");
  sessionStorage.setItem("uplift.draft.new", "Half a secret");
};

/** Waits until the token of the session is due to be renewed; with a share of 0, until it has ended. */
const due = (page, share = 0.2) => page.waitForFunction((part) => {
  const { endsAt, lifeMs } = JSON.parse(sessionStorage.getItem("uplift.session") ?? localStorage.getItem("uplift.session"));
  return Date.now() > endsAt - lifeMs * part;
}, share);

/** Looks out for a request from now on; what it gives waits for it, and resolves to the first. */
function watch(page, wanted) {
  const seen = [];
  page.on("request", (request) => wanted(request.url()) && seen.push(request));
  return () => until(() => seen[0]);
}

/** From the dialog to the provider, and there through its pages. */
async function goThrough(page, name, { stays = false, consent = true } = {}) {
  if (stays) await page.getByLabel("Stay signed in on this device").check();
  await page.locator("#sign-in-submit").click();
  const login = page.locator("input[name=login]");
  const agree = page.getByRole("button", { name: "Continue", exact: true });
  await login.or(agree).first().waitFor();
  if (await login.isVisible()) {
    await login.fill(name);
    await page.locator("input[name=password]").fill("anything");
    await page.getByRole("button", { name: "Sign-in" }).click();
  }
  await (consent ? agree : page.getByRole("link", { name: /Cancel/ })).click();
  await page.waitForURL((now) => now.href.startsWith(url));
}

async function signIn(page, name, options) {
  await asked(page);
  await goThrough(page, name, options);
  if (!(await signedIn(page))) throw new Error(`not signed in: ${await error(page)}`);
}

async function theWholeWay() {
  for (const [scheme, touch, width, height, locale, label] of [["light", false, 1280, 800, "en-US", "Continue with Test ID"], ["dark", true, 390, 844, "de-DE", "Weiter mit Test ID"]]) {
    const page = await open({ scheme, touch, width, height, locale });
    ok(await asked(page), `${scheme}: whoever is not signed in is asked to`);
    equal(await page.locator("#sign-in-submit").innerText(), label, `${scheme}: by the provider's name, in their language`);
    equal(await page.locator("#token").count(), 0, `${scheme}: and not for a token`);
    await checkAccessible(page, `sign-in, ${scheme}`);
    await checkWidth(page, `sign-in, ${scheme}`);
    await look(page, `oidc-${scheme}`);
    await closePage(page, `sign-in, ${scheme}`);
  }
  const page = await open({ hash: "?from=mail" });
  const seen = [];
  page.on("framenavigated", (frame) => seen.push(frame.url()));
  const began = watch(page, (address) => address.startsWith(`${provider}/auth?`));
  await page.evaluate(leaveDraft);
  await signIn(page, "ada");
  equal([await message(page).inputValue(), await page.evaluate(() => sessionStorage.getItem("uplift.draft.new"))], ["", null], "what somebody else wrote in the tab is not there any more");
  const query = new URL((await began()).url()).searchParams;
  equal(["code_challenge_method", "response_type", "redirect_uri"].map((name) => query.get(name)), ["S256", "code", `${url}/`], "the code flow is asked for, with a challenge");
  equal(query.get("code_challenge").length, 43, "that is a SHA-256");
  equal(page.url(), `${url}/?from=mail`, "the address is as it was before, and has no code any more");
  ok(await coaches(page), "the page is there for who signed in");
  equal([await storage(page, "sessionStorage"), await storage(page, "localStorage")], [["uplift.session"], []], "the session lives in the tab");
  equal(await page.evaluate(() => Object.values(sessionStorage).some((text) => /verifier|nonce/.test(text))), false, "what the sign-in needed is gone");
  const id = nextAnswerId(page);
  await say(page, "Who am I?");
  facts.answer = await id;
  equal(await answerEnded(page), "complete", "the server takes the token");
  await page.reload();
  ok(await signedIn(page), "a reload keeps the session");
  equal(seen.filter((address) => /[?&#](access_token|id_token|refresh_token)=/.test(address)), [], "no token was in an address");
  equal(await grants("ada"), ["authorization_code passed"], "the code was used once");
  const stranger = await open({ beside: page });
  ok(await asked(stranger), "another tab has no part in it");
  await closePage(stranger, "another tab");

  const out = watch(page, (address) => address.includes("/session/end?"));
  await page.locator("#sign-out").click();
  const sent = new URL((await out()).url()).searchParams;
  equal([sent.get("post_logout_redirect_uri"), sent.get("client_id")], [`${url}/`, "uplift"], "signing out leads to the provider");
  await page.getByRole("button", { name: /Yes, sign me out/ }).click();
  await page.waitForURL((now) => now.href.startsWith(url));
  await asked(page);
  await told(page, /You are signed out/, "and back, to nobody's page, which says so");
  equal([page.url(), await storage(page, "sessionStorage"), await storage(page, "localStorage")], [`${url}/`, [], []], "nothing is left, in the address neither");
  await page.locator("#sign-in-submit").click();
  ok(await until(() => page.locator("input[name=login]").isVisible()), "the provider has forgotten the person, too");
  await closePage(page, "the whole way");
}

async function theDashboard() {
  const page = await open({ hash: "admin/#/jobs?state=failed" });
  ok(await asked(page), "the dashboard asks, too");
  await checkAccessible(page, "sign-in on the dashboard");
  await look(page, "oidc-dashboard");
  await goThrough(page, "admin-eve");
  ok(await signedIn(page), "and one can sign in there");
  matches(page.url(), /\/admin\/#\/?jobs\?state=failed$/, "and comes back to where one was");
  ok(await until(() => page.getByRole("heading", { name: "Jobs" }).first().isVisible()), "which an admin may see");
  facts.admin = (await session(page)).token;
  await closePage(page, "the dashboard");

  const member = await open({ hash: "admin/#/jobs" });
  member.expected.push(/status of 403/);
  await asked(member);
  await goThrough(member, "zoe");
  ok(await until(() => member.locator(".state-refused").isVisible()), "whoever is none is told so");
  ok(await signedIn(member), "and can sign out again");
  await look(member, "oidc-dashboard-refused");
  facts.member = (await session(member)).token;
  await closePage(member, "the dashboard, for others");
}

async function renewal() {
  await tell("life", { account: "bea", seconds: 6 });
  const page = await open();
  await signIn(page, "bea", { stays: true });
  equal([await storage(page, "sessionStorage"), await storage(page, "localStorage")], [[], ["uplift.session"]], "who wants to stay signed in has the session on the device");
  const beside = await open({ beside: page });
  ok(await signedIn(beside), "and is signed in in other tabs");
  const third = await open({ beside: page, before: (fresh) => fresh.addInitScript(leaveDraft) });
  ok(await signedIn(third), "also in one that was somebody else's");
  equal(await message(third).inputValue(), "", "of whom nothing is there any more");
  await closePage(third, "a tab that was somebody else's");
  const before = (await session(page)).token;
  await tell("life", { account: "bea", seconds: 3600 });
  await due(page);
  await grants("bea");
  await change(page, { endsAt: 0 });
  await Promise.all([page, beside].map((tab) => tab.reload()));
  await Promise.all([page, beside].map(coaches));
  equal(await grants("bea"), ["refresh_token passed"], "two tabs renew their session once");
  ok((await session(beside)).token !== before, "and both have the new token");
  // A token that the server does not take although it should be good still.
  await change(page, { token: `${(await session(page)).token.slice(0, -8)}AAAAAAAA` });
  await page.reload();
  ok(await coaches(page), "a token that is refused is renewed");
  equal(await grants("bea"), ["refresh_token passed"], "once for all calls that it was refused to");
  page.expected.push(/status of 429/);
  await page.route("**/config.json", (route) => route.fulfill({ status: 429, body: "too many requests" }));
  await page.reload();
  ok(await coaches(page), "a configuration that is refused for the moment changes nothing");
  equal([await storage(page, "localStorage"), (await session(beside)).token], [["uplift.session"], (await session(page)).token], "for no tab");
  await page.unroute("**/config.json");
  await page.reload();
  ok(await signedIn(page), "nor does it later");

  await say(beside, "Before the end");
  await answerEnded(beside);
  await message(beside).fill("And after it?");
  await tell("endSessions", "bea");
  await change(page, { endsAt: 0 });
  await page.reload();
  ok(await asked(page), "where the session has ended the person is asked to sign in again");
  await goThrough(page, "bea", { stays: true });
  await signedIn(page);
  equal([await beside.locator(".question-text").allInnerTexts(), await message(beside).inputValue()], [["Before the end"], "And after it?"], "another tab keeps what is on it meanwhile");
  await message(beside).press("Enter");
  ok(await until(async () => (await beside.locator(".answer[data-state=complete]").count()) === 2), "and goes on with the new one");
  await page.locator("#sign-out").click();
  ok(await asked(beside), "signing out in one tab signs out the other");
  equal([await beside.locator(".turn").count(), await storage(beside, "localStorage")], [0, []], "and leaves nothing there");
  await closePage(beside, "the other tab");
  await closePage(page, "renewal");
}

async function copies() {
  await tell("life", { account: "cleo", seconds: 6 });
  const first = await open();
  await signIn(first, "cleo");
  const copy = await first.evaluate(() => sessionStorage.getItem("uplift.session"));
  const second = await open({ beside: first, before: (fresh) => fresh.addInitScript((text) => {
    if (sessionStorage.getItem("seen") === null) sessionStorage.setItem("uplift.session", text);
    sessionStorage.setItem("seen", "1");
  }, copy) });
  ok(await signedIn(second), "a tab that is duplicated has the session");
  await tell("life", { account: "cleo", seconds: 3600 });
  await grants("cleo");
  await due(second);
  await Promise.all([first, second].map((tab) => say(tab, "And you?")));
  await Promise.all([first, second].map((tab) => answerEnded(tab)));
  equal(await grants("cleo"), ["refresh_token passed"], "both renew it once, before it ends");
  equal((await session(first)).token, (await session(second)).token, "and have the same token then");
  await message(second).fill("Half written");
  await tell("endSessions", "cleo");
  await change(first, { endsAt: 0 });
  await first.reload();
  ok(await asked(first), "when it has ended, one finds out");
  ok(await until(async () => (await storage(second, "sessionStorage")).length === 0), "and tells the other");
  equal([await second.locator(".question-text").allInnerTexts(), await message(second).inputValue()], [["And you?"], "Half written"], "which keeps what is on it");
  await message(second).press("Enter");
  ok(await asked(second), "and asks to sign in when somebody goes on there");
  await told(second, /session.* has ended/, "saying why");
  await closePage(second, "the copy");
  await closePage(first, "the original");
}

async function theMiddleOfAnAnswer() {
  await tell("life", { account: "dora", seconds: 2 });
  // As if the connection broke: what is on its way is cut, and what is asked after it is not.
  const page = await open({ before: (fresh) => fresh.addInitScript(() => {
    const fetched = globalThis.fetch;
    globalThis.fetch = (address, options = {}) => {
      if (address !== "/v1/chat" || options.method !== "POST") return fetched(address, options);
      const cut = new AbortController();
      globalThis.cut = () => cut.abort();
      return fetched(address, { ...options, signal: AbortSignal.any([cut.signal, options.signal]) });
    };
  }) });
  await signIn(page, "dora");
  const streaming = () => until(async () => (await lastAnswer(page).locator(".prose").innerText().catch(() => "")).length > 10);
  const id = nextAnswerId(page);
  await say(page, "Tell me more about sleep, food, stress and work, please.");
  facts.interrupted = await id;
  await streaming();
  const { token } = await session(page);
  await due(page, 0);
  equal([await lastAnswer(page).getAttribute("data-state"), (await session(page)).token === token], ["streaming", true], "the answer goes on with the token it began with");
  const followed = watch(page, (address) => address.endsWith(`/v1/chat/${facts.interrupted}/events`));
  await page.evaluate(() => globalThis.cut());
  const sent = (await followed()).headers().authorization;
  ok(sent !== `Bearer ${token}` && sent === `Bearer ${(await session(page)).token}`, "after a break it is followed with a new one");
  equal(await answerEnded(page), "complete", "to its end");

  await tell("life", { account: "dora", seconds: 3600 });
  const ended = nextAnswerId(page);
  await say(page, "And now tell me about friends, travel, music and books.");
  facts.ended = await ended;
  await streaming();
  await tell("endSessions", "dora");
  // The token is refused from now on, as one that has ended; the session cannot be renewed.
  await page.route("**/events", (route) => route.fulfill({ status: 401, json: { error: { message: "the token has expired: refresh it", type: "authentication_error", param: null, code: "token_expired" } } }));
  await page.evaluate(() => globalThis.cut());
  ok(await asked(page), "when the session has ended meanwhile, the person is asked to sign in again");
  await told(page, /session at Test ID has ended/, "and told why");
  ok(await until(async () => /The answer goes on/.test(await lastAnswer(page).locator(".notes").innerText())), "and that the answer goes on");
  await look(page, "oidc-middle");
  await page.unroute("**/events");
  await goThrough(page, "dora");
  ok(await until(async () => (await page.locator(".answer[data-state=complete]").count()) === 2), "which is there when they are back");
  equal(await page.locator(".turn").count(), 2, "in its place");
  await closePage(page, "the middle of an answer");
}

async function anIdToken() {
  const page = await open({ before: (fresh) => fresh.route("**/config.json", (route) => route.fulfill({ json: { sign_in: {
    issuer: provider, client_id: "uplift-api", token: "id_token", scope: "openid offline_access", parameters: { prompt: "consent" },
    endpoints: { authorization_endpoint: `${provider}/auth`, token_endpoint: "/sign-in/token" } } } })) });
  const exchanged = watch(page, (address) => address === `${url}/sign-in/token`);
  await signIn(page, "fay");
  equal((await exchanged()).headers().authorization, undefined, "a secret that nginx adds is not known to the page");
  ok(await coaches(page), "the server takes the ID token");
  const { token, idToken } = await session(page);
  equal(token, idToken, "which is what is sent");
  await change(page, { endsAt: 0 });
  await page.reload();
  ok(await coaches(page), "and can be renewed");
  await page.locator("#sign-out").click();
  await asked(page);
  await told(page, /You are signed out\./, "without a place to sign out at it is done here");
  await closePage(page, "an ID token");
}

async function aTokenForGuests() {
  const seen = [];
  const page = await open({ before: async (fresh) => {
    fresh.on("request", (request) => request.headers().authorization === "Bearer for-guests" && seen.push(request.url()));
    await fresh.route("**/config.json", async (route) => route.fulfill({ json: { ...(await (await route.fetch()).json()), token: "for-guests" } }));
  } });
  await signIn(page, "jan");
  ok(await coaches(page), "somebody signs in where guests have a token");
  await tell("endSessions", "jan");
  await change(page, { endsAt: 0 });
  seen.length = 0;
  await page.reload();
  await asked(page);
  await told(page, /session at Test ID has ended/, "when their session has ended they are asked");
  equal(seen, [], "and nothing is asked for as a guest");
  await closePage(page, "a token for guests");
}

async function whatGoesWrong() {
  const page = await open();
  await asked(page);
  await goThrough(page, "gil", { consent: false });
  await asked(page);
  await told(page, /not signed in, because Test ID was not allowed to.*agree to go on/, "whoever does not consent is back, and told what to do");
  equal([page.url(), await grants("gil")], [`${url}/`, []], "and nothing was asked for");
  await checkAccessible(page, "a refusal");
  await look(page, "oidc-denied");

  const exchanges = [];
  page.on("request", (request) => request.url() === `${provider}/token` && exchanges.push(request.url()));
  await page.goto(`${url}/?code=abc&state=made-up#c/x`);
  await asked(page);
  await told(page, /not begun in this tab/, "a state that nobody asked with leads nowhere, and is said");
  equal([page.url(), exchanges], [`${url}/`, []], "the code is gone, and was not used");
  // One that was asked with here, but another answer is put under it.
  await page.locator("#sign-in-submit").click();
  await page.waitForURL((now) => now.href.startsWith(provider));
  await page.goto(`${url}/?code=abc&state=other&iss=${encodeURIComponent(provider)}`);
  await asked(page);
  await told(page, /another one was begun since/, "the state has to be that of this sign-in");
  await page.goto(`${url}/?error=access_denied&error_description=Call+0800+now&state=other`);
  await asked(page);
  equal([exchanges, /0800/.test(await page.locator("body").innerText())], [[], false], "nobody's words are shown who was not asked");
  for (const [what, changes] of [["another provider's answer", { iss: "https://evil.test" }], ["no provider's answer", {}]]) {
    await page.evaluate(() => sessionStorage.setItem("uplift.signing-in", JSON.stringify({ state: "s", nonce: "n", verifier: "v", at: Date.now(), place: "//evil.test/" })));
    await page.goto(`${url}/?${new URLSearchParams({ code: "abc", state: "s", ...changes })}`);
    await asked(page);
    await told(page, /did not come from the provider that was asked/, `${what} is not used`);
    equal([page.url(), exchanges], [`${url}/`, []], `${what} leads to no other place`);
  }

  await page.goto(url); // where nothing is known of the provider yet
  await asked(page);
  page.expected.push(/status of 503/);
  await page.route(`${provider}/**`, (route) => route.fulfill(AWAY));
  await page.locator("#sign-in-submit").click();
  await told(page, /Test ID does not work at the moment/, "a provider that is away is said to be");
  await page.unroute(`${provider}/**`);
  await goThrough(page, "gil");
  ok(await signedIn(page), "and is asked again by the same button");
  await change(page, { endsAt: 0 });
  await page.route(`${provider}/**`, (route) => route.abort());
  page.expected.push(/ERR_FAILED/);
  await page.reload();
  ok(await until(() => page.getByText(/Test ID could not be reached/).first().isVisible()), "so it is when a session is to be renewed");
  equal(await storage(page, "sessionStorage"), ["uplift.session"], "which is kept");
  await page.unroute(`${provider}/**`);
  await page.getByRole("button", { name: "Try again" }).first().click();
  ok(await coaches(page), "and goes on when the provider is back");
  await closePage(page, "what goes wrong");
}

async function whatIsSetWrong() {
  const told = async (sign_in, pattern, what, options = {}) => {
    const page = await open({ ...options, before: async (fresh) => {
      await options.before?.(fresh);
      await fresh.route("**/config.json", (route) => route.fulfill({ json: { sign_in } }));
    } });
    await asked(page);
    if (options.name) await goThrough(page, options.name);
    await asked(page);
    ok(await until(async () => pattern.test(await error(page))), what, await error(page));
    equal(await storage(page, "sessionStorage"), [], `${what}: there is no session`);
    await closePage(page, what);
  };
  const right = { issuer: provider, client_id: "uplift", name: "Test ID", scope: "openid offline_access chat", parameters: { prompt: "consent" } };
  await told({ ...right, resource: "https://uplift.test/another-api" }, /does not take its tokens.*another audience.*UPLIFT_JWT_AUDIENCE/, "tokens that the server refuses", { name: "hal" });
  await told({ ...right, scope: "openid offline_access" }, /none that a server can check.*id_token/, "an opaque access token", { name: "hal" });
  await told({ ...right, resource: "https://uplift.test/uplift-api" }, /clock of this device.*minutes apart/, "a wrong clock",
    { name: "hal", before: (fresh) => fresh.clock.setSystemTime(Date.now() + 7200000) });
  await told({ ...right, issuer: "http://id.example.com" }, /not set up right.*"issuer" must be the https/, "an issuer without HTTPS");
  await told({ ...right, token: "both" }, /"token" must be access_token or id_token/, "a token of no kind");
}

async function newKeys() {
  const page = await open();
  await signIn(page, "ida");
  const kid = async () => JSON.parse(Buffer.from((await session(page)).token.split(".")[0], "base64url")).kid;
  const before = await kid();
  await tell("rotate", "second");
  await change(page, { endsAt: 0 });
  await page.reload();
  ok(await coaches(page), "the server takes tokens by a new key");
  equal([before, await kid()], ["first", "second"], "which the session has by then");
  await say(page, "Still me?");
  equal(await answerEnded(page), "complete", "and chats go on");
  await closePage(page, "new keys");
}

const lanes = [[theWholeWay, theDashboard], [renewal, copies], [theMiddleOfAnAnswer, anIdToken, aTokenForGuests], [whatGoesWrong, whatIsSetWrong]];
await Promise.all(lanes.map(async (lane) => {
  for (const part of lane) await group(part.name, part);
}));
await group(newKeys.name, newKeys);
console.log(`# facts ${JSON.stringify(facts)}`);
await closeBrowser();
done();
