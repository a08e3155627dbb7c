/**
 * What is away at the moment: the network, the chat service, or the database behind it. Says so once, looks for it until
 * it is back, and then lets the page go on by itself.
 */

import { t } from "../lib/words.js";

const PROBE_FIRST_MS = 2000;
const PROBE_MAX_MS = 30000;

export class Availability {
  #notice;
  #restored;
  #waiting = new Set(); // what is to be done once the service answers
  #probes = { lost: null, database: null }; // the running search for each

  /** `notice(key, text, options)` shows or, without a text, hides a notice; `restored()` hears that something is back. */
  constructor({ notice, restored }) {
    this.#notice = notice;
    this.#restored = restored;
    addEventListener("online", () => this.showOnline());
    addEventListener("offline", () => this.showOnline());
  }

  showOnline() {
    this.#notice("offline", navigator.onLine ? "" : t("trouble.offlineNotice"), { kind: "warn" });
    if (navigator.onLine) this.reached();
  }

  /** The service did not answer a call. Where it is really gone, says so and looks for it. */
  lost() {
    if (!navigator.onLine) return;
    this.#look("lost", "/healthz", t("trouble.lookingFor"), (response) => response.ok);
  }

  /** A call got through. */
  reached() {
    this.#end("lost");
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const act of waiting) act();
  }

  /** The service answers without its database. */
  databaseAway() {
    this.#notice("database", t("trouble.databaseAway"), { kind: "warn" });
    this.#look("database", "/readyz", "", async (response) => {
      const state = await response.json();
      return response.ok && state.reason !== "database";
    });
  }

  /** A call showed that the database is there. */
  databaseBack() {
    if (this.#probes.database === null) return;
    this.#end("database");
    this.#restored();
  }

  /** Does it once the service answers again. Returns what takes that back. */
  whenReached(act) {
    this.#waiting.add(act);
    return () => this.#waiting.delete(act);
  }

  #end(key) {
    clearTimeout(this.#probes[key]?.timer);
    this.#probes[key] = null;
    this.#notice(key);
  }

  /** Asks until `isBack` agrees; the text is said only once the first look has failed. */
  #look(key, path, text, isBack) {
    if (this.#probes[key] !== null) return;
    const probe = (this.#probes[key] = { timer: 0, failed: false });
    const look = async (wait) => {
      let back = false;
      try {
        back = await isBack(await fetch(path, { cache: "no-store" }));
      } catch {
        // Still away.
      }
      if (this.#probes[key] !== probe) return; // another call showed that it is back
      if (back) {
        this.#end(key);
        if (key === "lost") this.reached();
        // Where nothing was found to be away, calls may fail again at once: not in a circle.
        setTimeout(this.#restored, probe.failed ? 0 : PROBE_FIRST_MS);
        return;
      }
      probe.failed = true;
      if (navigator.onLine && text !== "") this.#notice(key, text, { kind: "warn" });
      probe.timer = setTimeout(look, wait, Math.min(wait * 2, PROBE_MAX_MS));
    };
    look(PROBE_FIRST_MS);
  }
}
