/**
 * uplift.js: a client for uplift's chat API, for browsers and Node 18+. No dependencies.
 *
 *   import { Uplift } from "./uplift.js";
 *   const uplift = new Uplift({ baseUrl: "https://chat.example.com", token });
 *   const answer = uplift.chat({ message: "How do I start running?", coach_id: "coach_maple_avatar" });
 *   for await (const delta of answer) process.stdout.write(delta);
 *   const { feedbackId } = await answer.done;
 *   await uplift.feedback(feedbackId, { helpful: true });
 *
 * Every call throws UpliftError and nothing else. Calls are tried again only where that is safe: a GET that
 * failed, and any call that was refused with 429 or 503 and a Retry-After before it did anything. An answer
 * whose connection breaks goes on at the server, and is picked up where it was, unseen by the caller.
 */

const RETRY_AFTER_MAX_S = 30; // longer waits are for the caller to decide on
const PICK_UPS = 6; // tries to pick up an answer whose connection broke, without a word of it between them
const STOP_TRIES = 4; // an answer that was asked for a moment ago may not be known yet
const EVENT_MAX = 16 * 1024 * 1024; // characters of one server-sent event

/** What went wrong. `message` is fit to show to people. */
export class UpliftError extends Error {
  /**
   * @param {string} message
   * @param {object} [fields] status (HTTP, 0 without an answer), type, code, param, requestId,
   *   retryAfter (seconds, null when not told), feedbackId, conversation_id and partial (the text so
   *   far) of an answer that failed or broke off, cause
   */
  constructor(message, fields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = "UpliftError";
    this.status = fields.status ?? 0;
    this.type = fields.type ?? "api_error";
    this.code = fields.code ?? null;
    this.param = fields.param ?? null;
    this.requestId = fields.requestId ?? null;
    this.retryAfter = fields.retryAfter ?? null;
    this.feedbackId = fields.feedbackId ?? null;
    this.conversation_id = fields.conversation_id ?? null;
    this.partial = fields.partial ?? null;
  }
}

/**
 * Server-sent events out of bytes, by the WHATWG rules: chunk borders anywhere, also inside a
 * character; lines end in LF, CR or CRLF; one leading byte order mark is dropped; an event that its
 * blank line never came for is dropped.
 */
export class SseParser {
  #decoder = new TextDecoder("utf-8"); // drops the byte order mark
  #rest = ""; // a line that is not whole yet
  #afterCr = false; // the last chunk ended in CR: an LF that follows belongs to it
  #data = null;
  #event = "";
  #id = "";
  #size = 0;

  /** The events that these bytes complete, as [{event, data, id}]. Throws RangeError on an event of absurd size. */
  push(bytes) {
    return this.#take(this.#decoder.decode(bytes, { stream: true }));
  }

  #take(text) {
    const events = [];
    if (this.#afterCr && text !== "") {
      this.#afterCr = false;
      if (text.startsWith("\n")) text = text.slice(1);
    }
    let from = 0;
    // The rest holds no line end, so only what is new is searched.
    const end = /\r\n|\n|\r/g;
    for (let found = end.exec(text); found; found = end.exec(text)) {
      const line = this.#rest + text.slice(from, found.index);
      this.#rest = "";
      from = end.lastIndex;
      this.#line(line, events);
    }
    this.#afterCr = text === "" ? this.#afterCr : text.endsWith("\r");
    this.#rest += text.slice(from);
    if (this.#rest.length + this.#size > EVENT_MAX) throw new RangeError("event too large");
    return events;
  }

  #line(line, events) {
    if (line === "") {
      if (this.#data !== null) {
        events.push({ event: this.#event || "message", data: this.#data.join("\n"), id: this.#id });
      }
      this.#data = null;
      this.#event = "";
      this.#size = 0;
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") {
      (this.#data ??= []).push(value);
      this.#size += value.length;
    } else if (field === "event") {
      this.#event = value;
    } else if (field === "id" && !value.includes("\0")) {
      this.#id = value;
    }
  }
}

/**
 * An answer on its way. Iterate over it for the pieces of text (any number of times: each iteration
 * begins at the start), or await `done`.
 *
 * A provider may break off after some text, and another one answer: then all text so far is void,
 * `restarts` grows, and iterations go on with an empty piece and the whole of the other answer. Who
 * shows pieces as they come looks at `restarts` with each, and begins anew when it has grown.
 *
 * When the caller aborts it, it is stopped at the server, iterations end quietly and `done` rejects with code
 * "aborted". Leaving a `for await` early aborts the answer. A page that is closed stops nothing: the answer
 * comes to its end, and Uplift.follow() picks it up.
 */
export class Answer {
  /** The text so far. */
  text = "";
  /** What the model thought so far, where its provider tells: iterations go on with an empty piece when it grows. */
  reasoning = "";
  /** How often the text so far became void. */
  restarts = 0;
  /** Of an answer that chat() asks for: its client_request_id in Uplift.openAnswers(). */
  name = null;
  /**
   * Resolves when the answer begins: {feedbackId, conversation_id, coach_id, requestId, degraded}.
   * feedbackId can be given feedback from here on.
   */
  started;
  /**
   * Resolves when the answer has ended and is stored: {message, feedbackId, conversation_id,
   * coach_id, severity, mode, model, usage, response_time_ms, finish_reason, degraded}, and where there are any
   * memories_used, passages_used and examples_used, how many, and citations, [{number, source_id, part, title, url}],
   * in its text by number, as [1].
   */
  done;

  #deltas = [];
  #ended = false;
  #error = null;
  #waiting = []; // resolve functions of iterations that have read everything
  #controller = new AbortController();
  #stop;

  /** Made by Uplift.chat() and Uplift.follow(); `stop` stops the answer at the server. */
  constructor(run, { signal, stop }) {
    this.#stop = stop;
    let begin, refuse;
    this.started = new Promise((resolve, reject) => ([begin, refuse] = [resolve, reject]));
    const abort = () => this.abort();
    if (signal?.aborted) this.leave();
    signal?.addEventListener("abort", abort);
    const say = (delta) => {
      this.text += delta;
      this.#deltas.push(delta);
      this.#wake();
    };
    const think = (delta) => {
      this.reasoning += delta;
      this.#deltas.push("");
      this.#wake();
    };
    const restart = () => {
      this.text = this.reasoning = "";
      this.#deltas = [""];
      this.restarts++;
      this.#wake();
    };
    this.done = run({ signal: this.#controller.signal, begin, say, think, restart }).catch((cause) => {
      const error = this.#controller.signal.aborted
        ? new UpliftError("the answer was stopped", { type: "aborted", code: "aborted", cause })
        : asError(cause);
      error.partial = this.text;
      error.feedbackId ??= this.feedbackId ?? null;
      this.#error = error;
      refuse(error);
      throw error;
    });
    // Callers need not look at both.
    this.started.then((start) => Object.assign(this, start), () => {});
    const end = () => {
      signal?.removeEventListener("abort", abort);
      this.#ended = true;
      this.#wake();
    };
    this.done.then(end, end);
  }

  /** Stops the answer; what was said so far is kept by the server as cancelled. */
  abort() {
    if (!this.#ended && !this.#controller.signal.aborted) this.#stop();
    this.leave();
  }

  /** Ends the listening alone, as if the page were closed: the answer goes on at the server. */
  leave() {
    this.#controller.abort();
  }

  #wake() {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async *[Symbol.asyncIterator]() {
    let next = 0;
    let seen = this.restarts;
    let whole = false;
    try {
      for (;;) {
        while (next < this.#deltas.length) {
          yield this.#deltas[next++];
          if (seen !== this.restarts) [seen, next] = [this.restarts, 0];
        }
        if (this.#ended) break;
        await new Promise((resolve) => this.#waiting.push(resolve));
        if (seen !== this.restarts) [seen, next] = [this.restarts, 0];
      }
      whole = true;
    } finally {
      if (!whole) this.abort();
    }
    if (this.#error && this.#error.code !== "aborted") throw this.#error;
  }
}

function asError(cause) {
  if (cause instanceof UpliftError) return cause;
  return new UpliftError("the server could not be reached", {
    type: "connection_error",
    code: "connection_failed",
    cause,
  });
}

/** Seconds to wait by retry-after-ms or Retry-After (seconds or a date), or null. */
function readRetryAfter(headers) {
  const ms = headers.get("retry-after-ms");
  if (ms !== null && ms !== "" && Number(ms) >= 0) return Number(ms) / 1000;
  const text = headers.get("retry-after");
  if (text === null || text === "") return null;
  if (Number(text) >= 0) return Number(text);
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, (date - Date.now()) / 1000);
}

function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}

function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  return given.length === 0 ? "" : "?" + new URLSearchParams(given).toString();
}

export class Uplift {
  #baseUrl;
  #token;
  #getToken;
  #apikey;
  #fetch;
  #retries;
  #idleTimeout;

  /**
   * @param {object} options
   * @param {string} [options.baseUrl] e.g. "https://chat.example.com"; the page's own origin when left out
   * @param {string} [options.token] the user's JWT
   * @param {(rejected?: string) => string | Promise<string>} [options.getToken] asked before each call
   *   instead of `token`; when the server refuses a token with 401 it is asked once more, with the
   *   refused token, for a fresh one
   * @param {string | (() => string)} [options.apikey] the project's public key, where the server asks for one; a function is
   *   asked before each call
   * @param {typeof fetch} [options.fetch]
   * @param {number} [options.retries] how often a call is tried again where that is safe (2)
   * @param {number} [options.idleTimeoutMs] an answer is given up when nothing, not even a heartbeat,
   *   came for so long (60 s)
   */
  constructor({ baseUrl = "", token, getToken, apikey, fetch, retries = 2, idleTimeoutMs = 60000 } = {}) {
    this.#baseUrl = baseUrl.replace(/\/+$/, "");
    this.#token = token;
    this.#getToken = getToken;
    this.#apikey = apikey;
    this.#fetch = fetch ?? ((...args) => globalThis.fetch(...args));
    this.#retries = retries;
    this.#idleTimeout = idleTimeoutMs;
  }

  /**
   * Asks a coach and streams the answer.
   * @param {object} request message, coach_id, severity (1.0 to 6.0), mode ("default" or "roast"), conversation_id,
   *   regenerate_of (alone, to ask the same again; with a message, to ask something else in its place; with continue: true,
   *   to go on with an answer that was cut), photo_id (of a photo of a meal that the message shows), signal, retries
   * @returns {Answer}
   */
  chat({ signal, retries, ...request }) {
    const name = randomId();
    const headers = { "X-Client-Request-Id": name };
    const answer = new Answer(async (sink) => {
      const options = { method: "POST", signal: sink.signal, retries, accept: "text/event-stream", headers };
      const response = await this.#request("/v1/chat", options, { ...request, stream: true });
      const start = {
        feedbackId: response.headers.get("x-feedback-id"),
        conversation_id: response.headers.get("x-conversation-id"),
        coach_id: response.headers.get("x-coach-id"),
        requestId: response.headers.get("x-request-id"),
        degraded: response.headers.get("x-uplift-degraded"),
      };
      sink.begin(start);
      return this.#readAnswer(response, start, sink);
    }, { signal, stop: () => this.#stopSoon(answer.feedbackId ?? name) });
    answer.name = name;
    return answer;
  }

  /**
   * Picks up an answer that is under way, or reads one that has ended, from its beginning: after a reload, or on another
   * device. `started` resolves to what chat() gives, and message, what was asked.
   * @param {string} id its feedbackId
   * @returns {Answer}
   */
  follow(id, { signal } = {}) {
    const answer = new Answer(async (sink) => {
      const response = await this.#pickUp(id, "", sink.signal);
      return this.#readAnswer(response, { feedbackId: id, requestId: response.headers.get("x-request-id") }, sink);
    }, { signal, stop: () => this.#stopSoon(id) });
    answer.feedbackId = id;
    return answer;
  }

  /** The user's answers that are under way: [{id, conversation_id, client_request_id, created_at}]. */
  async openAnswers({ signal, retries } = {}) {
    return (await this.#call("GET", "/v1/chat", undefined, { signal, retries })).data;
  }

  /** Stops an answer that is under way; resolves to whether there was one. */
  async stop(id) {
    try {
      await this.#call("POST", `/v1/chat/${encodeURIComponent(id)}/stop`, undefined, { retries: 0 });
      return true;
    } catch (error) {
      if (error.status === 404) return false;
      throw error;
    }
  }

  /** As chat(), but in one piece: resolves to what `done` of chat() does. */
  async ask({ signal, retries, ...request }) {
    const response = await this.#request("/v1/chat", { method: "POST", signal, retries }, { ...request, stream: false });
    const degraded = response.headers.get("x-uplift-degraded");
    return { degraded, ...(await this.#json(response)) };
  }

  /**
   * Gives feedback: only what is named changes, null takes it back. Works from the moment an answer
   * has `started`.
   * @param {string} id an answer's feedbackId
   * @param {{helpful?: boolean|null, rating?: 1|2|3|4|5|null, feedback_text?: string|null}} changes
   */
  feedback(id, changes) {
    return this.#call("PATCH", `/v1/feedback/${encodeURIComponent(id)}`, changes);
  }

  getFeedback(id) {
    return this.#call("GET", `/v1/feedback/${encodeURIComponent(id)}`);
  }

  /** One page of the user's conversations, latest first: {data, has_more}. `before` is an updated_at, `q` what to look for. */
  conversations({ limit, before, q, signal } = {}) {
    return this.#call("GET", "/v1/conversations" + query({ limit, before, q }), undefined, { signal });
  }

  /** A conversation with its messages, oldest first; as it was when `version`, one of an answer's versions, was part of it. */
  conversation(id, { version, signal } = {}) {
    return this.#call("GET", `/v1/conversations/${encodeURIComponent(id)}` + query({ version }), undefined, { signal });
  }

  /** Gives a conversation another title; null is what it begins with. */
  renameConversation(id, title) {
    return this.#call("PATCH", `/v1/conversations/${encodeURIComponent(id)}`, { title });
  }

  async deleteConversation(id) {
    await this.#call("DELETE", `/v1/conversations/${encodeURIComponent(id)}`);
  }

  /** The coaches on offer: [{id, name, description, default}]. */
  async coaches() {
    return (await this.#call("GET", "/v1/coaches")).data;
  }

  /** The models on offer, in OpenAI's shape: [{id, owned_by, ...}]. */
  async models() {
    return (await this.#call("GET", "/v1/models")).data;
  }

  preferences() {
    return this.#call("GET", "/v1/preferences");
  }

  /** Changes the preferences that are named, e.g. {severity: 4.2}; resolves to all of them. */
  setPreferences(changes) {
    return this.#call("PUT", "/v1/preferences", changes);
  }

  /** One page of what coaches remember of the user, newest first: {data, has_more, memory_enabled}. `before` is an id. */
  memories({ limit, before, type, q, signal } = {}) {
    return this.#call("GET", "/v1/memories" + query({ limit, before, type, q }), undefined, { signal });
  }

  /** Has something remembered: {text, type?, is_pinned?}; resolves to the memory. */
  addMemory(memory) {
    return this.#call("POST", "/v1/memories", memory);
  }

  /** What an own answer was made with, as far as it is still there: {memories, passages, citations, examples_used, reasoning_content}. */
  answerContext(id, { signal } = {}) {
    return this.#call("GET", `/v1/answers/${encodeURIComponent(id)}/context`, undefined, { signal });
  }

  /** Changes what is named of a memory: text, type, is_pinned; resolves to all of it. */
  changeMemory(id, changes) {
    return this.#call("PATCH", `/v1/memories/${encodeURIComponent(id)}`, changes);
  }

  /** Forgets a memory, for good; without an id all of them. */
  async forgetMemory(id) {
    await this.#call("DELETE", id === undefined ? "/v1/memories" : `/v1/memories/${encodeURIComponent(id)}`);
  }

  /** Sends a photo of a meal, a Blob or File; resolves to the photo, whose status is "pending" until it was looked at. */
  addFoodPhoto(photo, { signal } = {}) {
    const form = new FormData();
    form.append("photo", photo, "photo"); // what the file is called is nobody's business
    return this.#call("POST", "/v1/food-photos", form, { signal, keepalive: false });
  }

  /** One page of the user's photos, newest first: {data, has_more}. `before` is an id. */
  foodPhotos({ limit, before, signal } = {}) {
    return this.#call("GET", "/v1/food-photos" + query({ limit, before }), undefined, { signal });
  }

  foodPhoto(id, { signal } = {}) {
    return this.#call("GET", `/v1/food-photos/${encodeURIComponent(id)}`, undefined, { signal });
  }

  /** The picture, as a Blob of a JPEG. */
  foodPhotoImage(id, { signal } = {}) {
    return this.#blob(`/v1/food-photos/${encodeURIComponent(id)}/image`, signal);
  }

  /** Says what was on a photo: {user_accepted: true}, or what the API reference has; resolves to the photo. */
  correctFoodPhoto(id, correction) {
    return this.#call("PATCH", `/v1/food-photos/${encodeURIComponent(id)}`, correction);
  }

  async deleteFoodPhoto(id) {
    await this.#call("DELETE", `/v1/food-photos/${encodeURIComponent(id)}`);
  }

  /** All photos of the user, as a Blob of a zip. */
  exportPhotos({ signal } = {}) {
    return this.#blob("/v1/me/photos.zip", signal);
  }

  /** All that is kept of the user, as a Blob of JSON: see the API reference. */
  exportData({ signal } = {}) {
    return this.#blob("/v1/me/export", signal);
  }

  async #blob(path, signal) {
    const response = await this.#request(path, { method: "GET", signal, accept: "*/*" });
    try {
      return await response.blob();
    } catch (cause) {
      const fields = { status: response.status, requestId: response.headers.get("x-request-id"), cause };
      throw new UpliftError("the connection ended early", { ...fields, type: "connection_error", code: "connection_lost" });
    }
  }

  /** Erases all of it, for good; resolves to the proof. */
  eraseData() {
    return this.#call("DELETE", "/v1/me", undefined, { retries: 0 });
  }

  /**
   * Any other route: resolves to its JSON, or null where there is none. What is given as a Blob or FormData is sent as it
   * is, all else as JSON. Options: signal, retries, headers.
   */
  async call(method, path, content, { signal, retries, headers } = {}) {
    const response = await this.open(method, path, content, { signal, retries, headers });
    return response.status === 204 ? null : this.#json(response);
  }

  /** The Response of any other route that went well, to be read as it comes; `accept` is what is asked for. */
  open(method, path, content, { signal, retries, headers, accept } = {}) {
    return this.#request(path, { method, signal, retries, headers, accept }, content);
  }

  /** The server-sent events of any other route, as {event, data, id} with data read as JSON, until they end or `signal` does. */
  async *events(path, { signal } = {}) {
    const response = await this.open("GET", path, undefined, { signal, accept: "text/event-stream" });
    const parser = new SseParser();
    const reader = response.body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        for (const event of parser.push(value)) yield { ...event, data: JSON.parse(event.data) };
      }
    } catch (cause) {
      if (signal?.aborted) return;
      throw new UpliftError("the connection ended early", { status: response.status, type: "connection_error", code: "connection_lost", cause });
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  async #call(method, path, content, options = {}) {
    // What a person gave or chose arrives, even when they close the page at once.
    const response = await this.#request(path, { method, keepalive: method !== "GET", ...options }, content);
    return response.status === 204 ? null : this.#json(response);
  }

  async #json(response) {
    let text;
    try {
      text = await response.text();
      return JSON.parse(text);
    } catch (cause) {
      const fields = { status: response.status, requestId: response.headers.get("x-request-id"), cause };
      if (text === undefined) {
        throw new UpliftError("the connection ended early", { ...fields, type: "connection_error", code: "connection_lost" });
      }
      throw new UpliftError("the server's answer is not JSON", { ...fields, code: "invalid_response" });
    }
  }

  /** The response of a call that went well; throws UpliftError otherwise. */
  async #request(path, { method, signal, keepalive = false, retries = this.#retries, accept = "application/json", headers = {} }, content) {
    let refused; // the token that was answered with 401
    for (let attempt = 0; ; attempt++) {
      let error;
      try {
        const token = this.#getToken ? await this.#getToken(refused) : this.#token;
        const response = await this.#fetch(this.#baseUrl + path, {
          method,
          signal,
          keepalive,
          headers: { ...this.#headers(token, accept, content), ...headers },
          body: content === undefined || isRaw(content) ? content : JSON.stringify(content),
          credentials: "omit",
          cache: "no-store",
        });
        if (response.ok) return response;
        error = await errorOf(response);
        if (error.status === 401 && this.#getToken && token && refused === undefined) {
          refused = token;
          attempt--;
          continue;
        }
        if (error.status === 401 && refused !== undefined) throw error;
      } catch (cause) {
        if (signal?.aborted) throw new UpliftError("the call was stopped", { type: "aborted", code: "aborted", cause });
        error = asError(cause);
      }
      const wait = retryDelay(error, method, attempt);
      if (wait === null || attempt >= retries) throw error;
      try {
        await sleep(wait, signal);
      } catch (cause) {
        throw new UpliftError("the call was stopped", { type: "aborted", code: "aborted", cause });
      }
    }
  }

  #headers(token, accept, content) {
    const headers = { Accept: accept };
    if (token) headers.Authorization = `Bearer ${token}`;
    const apikey = typeof this.#apikey === "function" ? this.#apikey() : this.#apikey;
    if (apikey) headers.apikey = apikey;
    if (content !== undefined && !isRaw(content)) headers["Content-Type"] = "application/json";
    return headers;
  }

  /** Reads an answer to its end, over as many connections as it takes. */
  async #readAnswer(response, start, sink) {
    const reading = { start, text: "", thinks: false, lastId: "", events: 0 };
    for (let attempt = 0; ; ) {
      const { events } = reading;
      try {
        return await this.#readEvents(response, reading, sink);
      } catch (error) {
        attempt = reading.events > events ? 0 : attempt + 1;
        if (!canPickUp(error) || !reading.start.feedbackId || sink.signal.aborted || attempt > PICK_UPS) throw error;
        await sleep(attempt === 0 ? 0 : 250 * 2 ** attempt, sink.signal);
        response = await this.#pickUp(reading.start.feedbackId, reading.lastId, sink.signal, error);
        if (reading.lastId === "") restart(reading, sink); // it begins at its beginning
      }
    }
  }

  /** The rest of an answer's events, or all; waits while the server only knows that it is under way. */
  async #pickUp(id, lastId, signal, broken = null) {
    const headers = lastId === "" ? {} : { "Last-Event-ID": lastId };
    const retries = broken === null ? this.#retries : Math.max(this.#retries, PICK_UPS);
    for (;;) {
      let response;
      try {
        response = await this.#request(`/v1/chat/${encodeURIComponent(id)}/events`, { method: "GET", signal, retries, accept: "text/event-stream", headers });
      } catch (error) {
        // Whoever is not signed in any more has to know.
        throw broken !== null && error.code !== "aborted" && error.status !== 401 ? broken : error;
      }
      if (response.status !== 202) return response;
      await sleep((readRetryAfter(response.headers) ?? 1) * 1000, signal);
    }
  }

  async #readEvents(response, reading, sink) {
    const broken = (message, code, cause) =>
      new UpliftError(message, { status: response.status, type: "connection_error", code, ...reading.start, cause });
    if (!/^text\/event-stream/i.test(response.headers.get("content-type") ?? "")) {
      const whole = await this.#json(response);
      if (typeof whole?.message !== "string") throw broken("the server's answer is not a chat answer", "invalid_response");
      if (typeof whole.reasoning_content === "string") sink.think(whole.reasoning_content);
      sink.say(whole.message);
      return { ...reading.start, ...whole };
    }
    const parser = new SseParser();
    const reader = response.body.getReader();
    try {
      for (;;) {
        const { done, value } = await this.#read(reader, broken);
        if (done) throw broken("the answer broke off", "incomplete_answer");
        for (const { data, id } of parser.push(value)) {
          const end = takeEvent(parseEvent(data, broken), reading, sink, response.status);
          if (id !== "") reading.lastId = id;
          reading.events++;
          if (end !== null) return end;
        }
      }
    } catch (cause) {
      throw cause instanceof UpliftError ? cause : broken("the answer broke off", "incomplete_answer", cause);
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  /** Stops the answer of this id or name, although the page may be closing and the server may not know it yet. */
  async #stopSoon(name) {
    for (let attempt = 0; attempt < STOP_TRIES; attempt++) {
      if (attempt > 0) await sleep(100 * 2 ** attempt);
      try {
        if (await this.stop(name)) return;
      } catch {
        return; // away: then nobody listens to it
      }
    }
  }

  async #read(reader, broken) {
    let timer;
    const silence = new Promise((_, reject) => {
      timer = setTimeout(() => reject(broken("the answer stopped coming", "idle_timeout")), this.#idleTimeout);
    });
    try {
      return await Promise.race([reader.read(), silence]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Whether fetch() knows by itself how to send it, and as what. */
function isRaw(content) {
  return content instanceof Blob || (typeof FormData === "function" && content instanceof FormData);
}

/** Whether the connection ended, not the answer. */
function canPickUp(error) {
  return error.type === "connection_error" && error.code !== "invalid_response";
}

function restart(reading, sink) {
  if (reading.text === "" && !reading.thinks) return;
  reading.text = "";
  reading.thinks = false;
  sink.restart();
}

/** Takes one event of an answer. Returns what `done` resolves to when it was the last; throws the error that ended it. */
function takeEvent(event, reading, sink, status) {
  if (event.error) {
    const { message, ...fields } = event.error;
    throw new UpliftError(message ?? "the answer broke off", { ...reading.start, ...fields, status,
      feedbackId: event.feedbackId ?? reading.start.feedbackId, retryAfter: null });
  }
  if (event.started) {
    const { started: _, ...start } = event;
    reading.start = { ...start, ...reading.start };
    sink.begin(reading.start);
  }
  if (event.restart) restart(reading, sink);
  if (typeof event.reasoning_content === "string" && event.reasoning_content !== "") {
    reading.thinks = true;
    sink.think(event.reasoning_content);
  }
  if (typeof event.delta === "string" && event.delta !== "") {
    reading.text += event.delta;
    sink.say(event.delta);
  }
  if (!event.done) return null;
  const { done: _, ...rest } = event;
  return { ...reading.start, ...rest, message: reading.text };
}

/** A UUID that need not be a secret: crypto.randomUUID is missing in Node 18 and on pages without HTTPS. */
function randomId() {
  const random = globalThis.crypto?.randomUUID?.();
  if (random !== undefined) return random;
  const digits = Array.from({ length: 32 }, () => Math.floor(Math.random() * 16).toString(16));
  digits[12] = "4";
  digits[16] = "8";
  return digits.join("").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function parseEvent(data, broken) {
  try {
    const event = JSON.parse(data);
    if (event !== null && typeof event === "object") return event;
  } catch (cause) {
    throw broken("the answer cannot be read", "invalid_response", cause);
  }
  throw broken("the answer cannot be read", "invalid_response");
}

async function errorOf(response) {
  const fields = {
    status: response.status,
    requestId: response.headers.get("x-request-id"),
    feedbackId: response.headers.get("x-feedback-id"),
    conversation_id: response.headers.get("x-conversation-id"),
    retryAfter: readRetryAfter(response.headers),
  };
  let told;
  try {
    told = JSON.parse(await response.text());
  } catch {
    told = null; // a proxy's page, perhaps; the status says enough
  }
  const error = told?.error;
  if (error === null || typeof error !== "object") {
    return new UpliftError(`the server answered with status ${response.status}`, fields);
  }
  return new UpliftError(String(error.message ?? `status ${response.status}`), {
    ...fields,
    type: error.type,
    code: error.code,
    param: error.param,
    feedbackId: told.feedbackId ?? fields.feedbackId,
  });
}

/** Milliseconds to wait before the call may be made again, or null when it may not. */
function retryDelay(error, method, attempt) {
  const refusedBefore = error.status === 429 || error.status === 503;
  if (refusedBefore && error.retryAfter !== null) {
    return error.retryAfter <= RETRY_AFTER_MAX_S ? error.retryAfter * 1000 : null;
  }
  const passing = error.status === 0 || error.status >= 500 || error.status === 429 || error.status === 408;
  return method === "GET" && passing && error.code !== "aborted" ? 300 * 2 ** attempt * (0.75 + Math.random() / 2) : null;
}
