// A real OpenID Connect provider for the tests: oidc-provider, with its own pages for signing in, consent and signing out. Run by
// sign_in.py; prints "# provider URL" when it listens. What tests do to it goes to /test: see `acts`.
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";

import Provider from "oidc-provider";

// --- what it keeps, in memory, also when its keys change ---

const kept = new Map();

/** The storage that oidc-provider asks for. */
class Store {
  constructor(kind) {
    this.kind = kind;
  }

  #key(id) {
    return `${this.kind} ${id}`;
  }

  async upsert(id, payload) {
    kept.set(this.#key(id), payload);
  }

  async find(id) {
    return kept.get(this.#key(id));
  }

  async findByUid(uid) {
    return [...kept].find(([key, payload]) => key.startsWith(`${this.kind} `) && payload.uid === uid)?.[1];
  }

  async findByUserCode() {
    return undefined;
  }

  async consume(id) {
    kept.get(this.#key(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    kept.delete(this.#key(id));
  }

  async revokeByGrantId(id) {
    for (const [key, payload] of kept) if (payload.grantId === id) kept.delete(key);
  }
}

// --- the provider, made anew when something of it changes ---

const state = { keys: [], homes: [], grants: [] };
let provider;

function newKey(kid) {
  return { ...generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" };
}

function homes() {
  return state.homes.length > 0 ? state.homes : ["https://nowhere.test/"];
}

function make(issuer) {
  provider = new Provider(issuer, {
    adapter: Store,
    clients: [{
      client_id: "uplift", token_endpoint_auth_method: "none", response_types: ["code"], grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: homes(), post_logout_redirect_uris: state.homes,
    }, {
      // As at providers that know no public clients for pages.
      client_id: "uplift-api", client_secret: "kept by nginx", token_endpoint_auth_method: "client_secret_basic", response_types: ["code"],
      grant_types: ["authorization_code", "refresh_token"], redirect_uris: homes(),
    }],
    clientBasedCORS: (_, origin) => state.homes.some((home) => new URL(home).origin === origin),
    cookies: { keys: ["of no importance"] },
    jwks: { keys: state.keys },
    pkce: { methods: ["S256"], required: () => true },
    rotateRefreshToken: true,
    scopes: ["openid", "offline_access", "chat"],
    claims: { openid: ["sub"] },
    findAccount: (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    // Whose name begins so is an admin.
    extraTokenClaims: (_, token) => ({ realm_access: { roles: token.accountId?.startsWith("admin") ? ["coach-lead"] : ["member"] } }),
    features: {
      devInteractions: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // The API, and one that this server is not.
        getResourceServerInfo: (_, resource) => ({ audience: resource.split("/").at(-1), scope: "chat", accessTokenFormat: "jwt", jwt: { sign: { alg: "RS256" } } }),
        useGrantedResource: () => true,
      },
    },
    ttl: { AccessToken: (_, token) => lifeOf(token.accountId), IdToken: 3600, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600, AuthorizationCode: 60 },
  });
  for (const [event, passed] of [["grant.success", true], ["grant.error", false]]) {
    provider.on(event, ({ oidc: { params, entities } }) => {
      const { accountId: account } = entities.RefreshToken ?? entities.AuthorizationCode ?? {};
      state.grants.push({ account, grant: params?.grant_type, passed });
    });
  }
}

const brief = new Map();

/** How long the tokens of somebody are good for, in seconds. */
function lifeOf(account) {
  return brief.get(account) ?? 3600;
}

const acts = {
  homes: (homes) => (state.homes = homes), // where it may send people back to
  life: ({ account, seconds }) => brief.set(account, seconds),
  rotate: (kid) => state.keys.unshift(newKey(kid)), // it signs with the first
  endSessions: (account) => kept.forEach((payload, key) => payload.accountId === account && kept.delete(key)),
  // What was asked of the token endpoint for somebody since the last time.
  grants: (account) => {
    const theirs = state.grants.filter((grant) => grant.account === account);
    state.grants = state.grants.filter((grant) => grant.account !== account);
    return theirs;
  },
};

async function bodyOf(request) {
  let text = "";
  for await (const piece of request) text += piece;
  return text;
}

const server = createServer(async (request, response) => {
  if (request.url === "/test") {
    const { act, value } = JSON.parse(await bodyOf(request));
    const result = acts[act](value);
    if (act === "homes" || act === "rotate") make(issuer);
    response.setHeader("Content-Type", "application/json").end(JSON.stringify(act === "grants" ? result : null));
  } else {
    provider.callback()(request, response);
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
state.keys = [newKey("first")];
make(issuer);
console.log(`# provider ${issuer}`);
