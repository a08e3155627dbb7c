/** All coaches there are: for choosing one, and for telling them by name. */

import { path } from "./api.js";

const asked = new WeakMap();

/** Resolves to all of them by id, as the server lists them; asked for once while a page is shown. */
export function coachesOf({ api }) {
  if (!asked.has(api)) {
    asked.set(api, all(api));
    asked.get(api).catch(() => asked.delete(api)); // to be asked for again
  }
  return asked.get(api);
}

async function all(api) {
  const load = api.pages(path`/admin/coaches`, {}, { limit: 200 });
  const found = new Map();
  let next = null;
  do {
    const page = await load(next);
    for (const coach of page.rows) found.set(coach.id, coach);
    next = page.next;
  } while (next !== null);
  return found;
}

/** The same as options of a select. */
export async function coachOptions(context) {
  return [...(await coachesOf(context)).values()].map((coach) => ({ value: coach.id, label: coach.name }));
}

/** Their names by id; without them ids do. */
export async function coachNames(context) {
  const coaches = await coachesOf(context).catch(() => new Map());
  return new Map([...coaches.values()].map((coach) => [coach.id, coach.name]));
}
