/** The admin API for pages: calls that end with their page, errors in words, and what to do next. */

import { referenceOf, sentence, whenAgain } from "../../lib/errors.js";
import { signIn } from "../../lib/session.js";

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

  /** Resolves to the answer's JSON. `query` leaves out what is undefined, null or "". */
  get(path, query) {
    return this.#run(() => this.#client.call("GET", path + queryOf(query), undefined, { signal: this.#signal }));
  }

  /**
   * POST, PUT, PATCH or DELETE with a body of JSON, or of a Blob or FormData as it is. It is not cut off when
   * the page changes: what an admin had done is done.
   */
  send(method, path, body, { headers } = {}) {
    return this.#run(() => this.#client.call(method, path, body, { headers, retries: 0 }));
  }

  post(path, body, options) {
    return this.send("POST", path, body ?? {}, options);
  }

  put(path, body) {
    return this.send("PUT", path, body);
  }

  patch(path, body) {
    return this.send("PATCH", path, body);
  }

  delete(path) {
    return this.send("DELETE", path);
  }

  /**
   * What table() takes as `load`: page after page of a list. `after` gives the query's value for the next page of
   * a whole answer and its last row.
   */
  pages(path, query = {}, { limit = 50, after = (answer, last) => answer.next_after ?? last?.id ?? last?.job_id } = {}) {
    return async (next) => {
      const answer = await this.get(path, { limit, ...query, ...(next === null ? {} : { after: next }) });
      return { rows: answer.data, next: answer.has_more ? after(answer, answer.data.at(-1)) : null, answer };
    };
  }

  /** The Response itself: to read an export or events as they come. */
  open(path, query, { accept } = {}) {
    return this.#run(() => this.#client.open("GET", path + queryOf(query), undefined, { signal: this.#signal, accept }));
  }

  /**
   * Server-sent events of a path, one after another, as {event, data}, data read as JSON. Ends with the
   * stream, or quietly when the page changes.
   */
  async *events(path) {
    yield* this.#client.events(path, { signal: this.#signal });
  }

  async #run(call) {
    try {
      return await shown(call);
    } catch (error) {
      // A session that ended in the middle: what was asked for goes on after signing in.
      if (error.status === 401 && !this.#signal?.aborted && (await signIn())) return shown(call);
      if (error.status === 403) this.#refused(error);
      throw error;
    }
  }
}

export function queryOf(query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
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
