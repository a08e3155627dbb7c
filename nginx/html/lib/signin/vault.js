/**
 * Where the session of a page is kept, and the one door through which it is renewed.
 *
 * It lives in the tab (sessionStorage), or on the device (localStorage) for who asked to stay signed in. A refresh token is good
 * for one use at most providers, and to use it twice ends the session: so one renewal runs at a time in all tabs that have the
 * session (Web Locks), and each asks first, over a BroadcastChannel, whether another tab has renewed it meanwhile. What one tab
 * writes on the device is not enough for that: another one may still read what was there before, and a tab that was duplicated
 * has a copy of its own.
 *
 * A session is {id, serial, token, refresh, subject, idToken?, lifeMs, endsAt, stays}: serial counts renewals, endsAt is by this
 * device's clock.
 */

import { recall, remember } from "../dom.js";

export const KEY = "uplift.session";
const SOON_MS = 60000; // before its end a token is renewed
const ANSWER_MS = 1000; // for the other tabs to answer

export class Vault {
  #session = null;
  #changed;
  #renewing = null;
  #channel = typeof BroadcastChannel === "function" ? new BroadcastChannel(KEY) : null;
  #told = () => {}; // is given the serial that another tab has answered with
  #mark = () => {}; // lets go of the lock that says that this tab has the session

  /**
   * `changed(session, isOver)` is called when another tab put another session in the place of this one, or none: null. `isOver`:
   * nobody has signed out, the session has come to its end.
   */
  constructor(changed) {
    this.#changed = changed;
    this.#session = read("sessionStorage") ?? read("localStorage");
    this.#markTab();
    addEventListener("storage", (event) => {
      if (event.storageArea === localStorage && (event.key === KEY || event.key === null)) this.#followDevice();
    });
    if (this.#channel !== null) this.#channel.onmessage = ({ data }) => this.#hear(data);
  }

  get session() {
    return this.#session;
  }

  /** Takes a new session, from a sign-in; one that there was is over. */
  open(tokens, stays) {
    this.close();
    if (endedOnDevice() !== undefined) remember("localStorage", KEY, null);
    this.#keep({ id: randomId(), serial: 0, stays, ...dated(tokens) });
    this.#markTab();
  }

  /** Forgets the session, in all tabs that have it. `isOver`: it has come to its end, and nobody signs out. */
  close({ isOver = false } = {}) {
    if (this.#session === null) return;
    this.#channel?.postMessage({ closed: this.#session.id, isOver });
    this.#drop(isOver);
  }

  /**
   * The session with a token that is good for a while: as it is, or renewed by `refresh(session)`, which gives the next tokens.
   * `refused` is a token that the server did not take. Resolves to null when there is none any more; rejects with what refresh()
   * does, and only when that says kind "ended" the session is forgotten.
   */
  async fresh(refresh, refused) {
    const session = this.#session;
    if (session === null || (session.token !== refused && isGood(session))) return session;
    this.#renewing ??= this.#renew(refresh, refused).finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  #renew(refresh, refused) {
    const { id } = this.#session;
    return alone(`${KEY}.${id}`, async () => {
      await this.#catchUp();
      const session = this.#session;
      if (session === null || session.id !== id) return session;
      if (session.token !== refused && isGood(session)) return session;
      if (session.refresh === null) {
        // It cannot be renewed, but is good until it ends.
        if (session.token !== refused && Date.now() < session.endsAt) return session;
        this.close({ isOver: true });
        return null;
      }
      try {
        const next = await refresh(session);
        if (this.#session?.id === id) this.#keep({ ...session, ...dated(next), serial: session.serial + 1 });
      } catch (error) {
        if (error.kind === "ended" && this.#session?.id === id) this.close({ isOver: true });
        throw error;
      }
      return this.#session;
    });
  }

  /** Takes over what another tab has made of this session since. */
  async #catchUp() {
    if (this.#session?.stays) this.#followDevice();
    const session = this.#session;
    let others = session === null || this.#channel === null ? 0 : (await countTabs(session.id)) - 1;
    if (others <= 0) return;
    await new Promise((resolve) => {
      // One that has renewed it, or all who have not.
      this.#told = (serial) => (serial > session.serial || --others === 0) && resolve();
      setTimeout(resolve, ANSWER_MS);
      this.#channel.postMessage({ asks: session.id, serial: session.serial });
    });
    this.#told = () => {};
  }

  #hear({ asks, serial, told, closed, isOver }) {
    const session = this.#session;
    if (session === null) return;
    if (asks === session.id) this.#channel.postMessage({ told: session });
    if (told?.id === session.id) {
      if (told.serial > session.serial) this.#adopt(told);
      this.#told(told.serial);
    }
    if (closed === session.id) {
      this.#drop(isOver);
      this.#changed(null, isOver);
    }
  }

  /** Takes a session over that another tab has kept where it stays. */
  #adopt(session) {
    this.#session = session;
    if (!session.stays) remember("sessionStorage", KEY, JSON.stringify(session));
  }

  #followDevice() {
    const before = this.#session;
    if (before !== null && !before.stays) return;
    const now = read("localStorage");
    if (now?.id === before?.id) {
      if (now !== null && now.serial >= before.serial) this.#session = now;
      return;
    }
    this.#session = now;
    this.#markTab();
    this.#changed(now, now === null && endedOnDevice() === before.id);
  }

  #keep(session) {
    this.#store(session);
    this.#channel?.postMessage({ told: session });
  }

  #store(session) {
    this.#session = session;
    remember(session.stays ? "localStorage" : "sessionStorage", KEY, JSON.stringify(session));
    if (session.stays) remember("sessionStorage", KEY, null); // which would be looked at first
  }

  #drop(isOver) {
    const session = this.#session;
    this.#session = null;
    this.#mark();
    remember("sessionStorage", KEY, null);
    if (!session?.stays || read("localStorage")?.id !== session.id) return;
    // Other tabs may see that before they are told why.
    remember("localStorage", KEY, isOver ? JSON.stringify({ ended: session.id }) : null);
  }

  /** Holds a shared lock as long as this tab has the session, so that others can count who has. */
  #markTab() {
    this.#mark();
    const session = this.#session;
    if (session === null || !navigator.locks) return;
    const held = new Promise((resolve) => (this.#mark = resolve));
    navigator.locks.request(`${KEY}.${session.id}.tab`, { mode: "shared" }, () => held).catch(() => {});
  }
}

function read(storage) {
  try {
    const session = JSON.parse(recall(storage, KEY));
    return typeof session?.token === "string" && typeof session.id === "string" ? session : null;
  } catch {
    return null;
  }
}

/** The id of the session that was kept on the device until it came to its end, undefined without one. */
function endedOnDevice() {
  try {
    return JSON.parse(recall("localStorage", KEY))?.ended;
  } catch {
    return undefined;
  }
}

function dated(tokens) {
  return { ...tokens, endsAt: Date.now() + tokens.lifeMs };
}

/** Renewed a minute before the end, or when a fifth is left of a short life. */
function isGood({ endsAt, lifeMs }) {
  return Date.now() < endsAt - Math.min(SOON_MS, lifeMs / 5);
}

/** How many tabs have the session, this one among them. */
async function countTabs(id) {
  const { held } = (await navigator.locks?.query()) ?? { held: [] };
  return held.filter(({ name }) => name === `${KEY}.${id}.tab`).length;
}

/** Runs `act` while no other tab runs what has the same name. */
function alone(name, act) {
  return navigator.locks ? navigator.locks.request(name, act) : act();
}

function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
