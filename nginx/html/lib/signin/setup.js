/**
 * What is wrong with how signing in is set up, for whoever set it up: in English, as the settings are. People are told to tell
 * them (signIn.setup).
 */

import { claimsOf } from "./exchange.js";

/** Of "sign_in" of /config.json for an OpenID Connect provider; null: nothing. */
export function complaintOfOidc({ issuer, client_id: client, scope, token, parameters, endpoints }) {
  if (!isAddress(issuer)) return "\"issuer\" must be the https:// address that the provider's tokens name as iss";
  if (typeof client !== "string" || client === "") return "\"client_id\" is missing";
  if (scope !== undefined && !(typeof scope === "string" && scope.split(" ").includes("openid"))) return "\"scope\" must hold openid";
  if (token !== undefined && token !== "access_token" && token !== "id_token") return "\"token\" must be access_token or id_token";
  if (!isMap(parameters)) return "\"parameters\" must be texts by name";
  if (!isMap(endpoints) || Object.values(endpoints ?? {}).some((text) => !isAddress(text) && !text.startsWith("/"))) return "\"endpoints\" must be addresses by name";
  return null;
}

/** The same for a Supabase project with this public key. */
export function complaintOfSupabase({ supabase, providers }, apikey) {
  if (typeof supabase !== "string" || !/^(https:\/\/[^/?#]+|http:\/\/(localhost|127\.0\.0\.1)(:\d+)?)\/?$/.test(supabase)) return "\"supabase\" must be the project's address, https://PROJECT.supabase.co";
  if (typeof apikey !== "string" || apikey === "") return "\"apikey\", the project's public key, is missing";
  if (/^sb_secret_/.test(apikey) || claimsOf(apikey)?.role === "service_role") return "\"apikey\" is the project's secret key, which everybody can read there: put the public one there, and replace this one at Supabase";
  if (providers !== undefined && !(Array.isArray(providers) && providers.every((id) => typeof id === "string" && /^[\w:-]+$/.test(id)))) return "\"providers\" must be a list of names";
  return null;
}

/** What a provider does that the settings do not fit. */
export const found = {
  noObject: () => "\"sign_in\" must be an object",
  noDiscovery: (status) => `there is no OpenID configuration at the issuer's address (status ${status})`,
  otherIssuer: (said, wanted) => `the provider calls itself ${said}, and "issuer" says ${wanted}`,
  noEndpoint: (name) => `the provider names no ${name}`,
  refused: (name, why) => `${name} refused with ${why}`,
  opaque: (name) => `the access token of ${name} is none that a server can check. Its API has to be asked for in "parameters" or "resource", or "token" be id_token`,
  token: (why) => `${why} (UPLIFT_JWT_ISSUER, UPLIFT_JWT_AUDIENCE and UPLIFT_JWKS_URL, or "token" in /config.json)`,
};

/** Whether it is an address that secrets may go to: by HTTPS, or on this device. */
export function isAddress(text) {
  try {
    const { protocol, hostname } = new URL(text);
    return protocol === "https:" || (protocol === "http:" && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname));
  } catch {
    return false;
  }
}

function isMap(value) {
  return value === undefined || (typeof value === "object" && value !== null && Object.values(value).every((item) => typeof item === "string"));
}
