/** The admin API for pages: calls that end with their page, errors in words, and what to do next. */

import { referenceOf, sentence, whenAgain } from "../../lib/errors.js";
import { signIn, whoseCalls } from "../../lib/session.js";
import { UpliftError } from "../../lib/uplift.js";

const BUSY_AFTER_MS = 300; // shorter calls show nothing

let busy = 0;

/** Shows that something is under way, from when it takes long enough to be noticed. */
async function shown(call) {
  let seen = 0;
  const show = (by) => {
    seen += by;
    busy += by;
    document.getElementById("busy").hidden = busy === 0;
  };
  const timer = setTimeout(() => show(1), BUSY_AFTER_MS);
  try {
    return await call();
  } finally {
    clearTimeout(timer);
    show(-seen);
  }
}

/** A path of the API. Only path`` makes one, so that no part of it leads elsewhere. */
class Path {
  constructor(text) {
    this.text = text;
  }
}

/**
 * path`/admin/answers/${id}/review`: a path of the API with its parts, each of which stays one part. Whatever else comes
 * by a link, as "../users/ID", is nothing that there is. A slash is refused also encoded: nginx decodes it before it takes ".." away.
 */
export function path(strings, ...parts) {
  return new Path(strings.reduce((text, next, i) => text + partOf(parts[i - 1]) + next));
}

function partOf(part) {
  if (part instanceof Path) return part.text;
  const text = String(part ?? "");
  if (["", ".", ".."].includes(text) || /[/\\\0]/.test(text)) throw new UpliftError("there is nothing of this name", { status: 404, type: "invalid_request_error", code: "not_found" });
  return encodeURIComponent(text);
}

/** The address of a call. `query` leaves out what is undefined, null or "", unless it is URLSearchParams. */
function addressOf(at, query = {}) {
  if (!(at instanceof Path)) throw new TypeError("a path is made by path``");
  const given = query instanceof URLSearchParams ? [...query] : Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return at.text + (given.length === 0 ? "" : `?${new URLSearchParams(given)}`);
}

export function isAborted(error) {
  return error?.code === "aborted";
}

export class Api {
  #client;
  #signal;
  #refused;

  /** `client` is lib/uplift.js's; calls end when `signal` says so; `refused` is told of a 403. */
  constructor(client, { signal, refused = () => {} } = {}) {
    this.#client = client;
    this.#signal = signal;
    this.#refused = refused;
  }

  /** Resolves to the answer's JSON. */
  get(at, query) {
    const address = addressOf(at, query);
    return this.#run(() => this.#client.call("GET", address, undefined, { signal: this.#signal }));
  }

  /**
   * POST, PUT, PATCH or DELETE with a body of JSON, or of a Blob or FormData as it is. It is not cut off when
   * the page changes: what an admin had done is done.
   */
  #send(method, address, body, { headers } = {}) {
    return this.#run(() => this.#client.call(method, address, body, { headers, retries: 0 }));
  }

  post(at, body, options) {
    return this.#send("POST", addressOf(at), body ?? {}, options);
  }

  put(at, body) {
    return this.#send("PUT", addressOf(at), body);
  }

  patch(at, body) {
    return this.#send("PATCH", addressOf(at), body);
  }

  delete(at, query) {
    return this.#send("DELETE", addressOf(at, query));
  }

  /**
   * What table() takes as `load`: page after page of a list. `after` gives the query's value for the next page of
   * a whole answer and its last row.
   */
  pages(at, query = {}, { limit = 50, after = (answer, last) => answer.next_after ?? last?.id ?? last?.job_id } = {}) {
    return async (next) => {
      const answer = await this.get(at, { limit, ...query, ...(next === null ? {} : { after: next }) });
      return { rows: answer.data, next: answer.has_more ? after(answer, answer.data.at(-1)) : null, answer };
    };
  }

  /** The Response itself: to read an export or events as they come. `signal` may end it before the page's does. */
  open(at, query, { accept, signal = this.#signal } = {}) {
    const address = addressOf(at, query);
    return this.#run(() => this.#client.open("GET", address, undefined, { signal, accept }));
  }

  /**
   * Server-sent events of a path, one after another, as {event, data}, data read as JSON. Ends with the
   * stream, or quietly when the page changes.
   */
  async *events(at) {
    yield* this.#client.events(addressOf(at), { signal: this.#signal });
  }

  async #run(call) {
    try {
      return await shown(call);
    } catch (error) {
      // A session that ended in the middle: what was asked for goes on after signing in.
      if (error.status === 401 && !this.#signal?.aborted && (await this.#signIn(error))) return shown(call);
      if (error.status === 403) this.#refused(error);
      throw error;
    }
  }

  /** Whether whoever asked for a call has signed in again after `refusal`. Where somebody else did, it ends there. */
  async #signIn(refusal) {
    const asked = whoseCalls();
    const signedIn = await signIn();
    if (signedIn && asked !== null && asked !== whoseCalls()) throw new UpliftError("somebody else has signed in", { type: "aborted", code: "aborted", cause: refusal });
    return signedIn;
  }
}

/** What went wrong, in words: {title, text, next, reference}. */
export function explain(error) {
  return { title: titleOf(error), text: sentence(error), next: nextOf(error), reference: referenceOf(error) };
}

function titleOf(error) {
  if (error.status === 0) return "The server cannot be reached";
  if (error.status === 401) return "You are not signed in";
  if (error.status === 403) return "This needs an admin";
  if (error.status === 404) return "There is nothing here";
  if (error.status === 409) return "That is not possible now";
  if (error.status === 429 || error.status === 503) return "The server is busy or away";
  if (error.status >= 500) return "The server could not do that";
  return "That was not accepted";
}

function nextOf(error) {
  const when = whenAgain(error);
  if (error.status === 0) return "Check your connection, then try again.";
  if (error.status === 401) return "Sign in to go on where you were.";
  if (error.status === 403) return "Sign in with an account that has the admin role, or ask someone who can give it to you.";
  if (error.status === 404) return "It may have been deleted. Go back to the list that it was in.";
  if (error.status === 409) return "Reload to see how things stand, then decide again.";
  if (error.status === 429 || error.status === 503) return `Try again ${when || "in a moment"}. If that lasts, see whether the database and fcgi-batch run.`;
  if (error.status >= 500) return "Try again. If it stays, look for the reference in the logs and on the page Errors.";
  return error.param ? `Change “${error.param}” and try again.` : "Change what was entered and try again.";
}
