/** What a failed call means for the person, in words. */

import { hasWords, locale, t } from "./words.js";

const NO_REPEAT_S = 120; // longer waits are for the person to come back from

/** What went wrong, as it goes on in a sentence: in the person's language where the code is one of those that people meet. */
export function messageOf(error) {
  return hasWords(`error.${error.code}`) ? t(`error.${error.code}`) : error.message;
}

/** The same with a full stop. */
export function clause(error) {
  const message = messageOf(error);
  return /[.!?]$/.test(message) ? message : `${message}.`;
}

export function sentence(error) {
  const text = clause(error);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function referenceOf(error) {
  return error.requestId ? t("trouble.reference", { id: error.requestId }) : "";
}

/** No word from the chat service itself: no connection, or nginx alone. */
export function isAway(error) {
  return error.type === "connection_error" || error.code === "bad_gateway" || error.code === "service_unavailable" || error.code === "gateway_timeout";
}

/** Whether the call surely never reached the service, so that it may be made again without asking. */
export function isUnsent(error) {
  return error.code === "service_unavailable";
}

/** Whether it was refused for the moment, with a time to wait that one can sit through. */
export function isForAMoment(error) {
  return (error.status === 429 || error.status === 503) && error.retryAfter !== null && error.retryAfter <= NO_REPEAT_S && !isLasting(error);
}

/** Refusals that no second try in a moment changes, whatever Retry-After says. */
function isLasting(error) {
  return error.code === "budget_exceeded" || isOutOfCredit(error);
}

/** The operator's money at the model provider, not the person's. */
function isOutOfCredit(error) {
  return error.code === "insufficient_quota" || error.code === "provider_credit";
}

/** Why there is no answer. Says nothing of waiting: see whenAgain(). */
export function reasonFor(error) {
  if (error.code === "budget_exceeded") return t("trouble.budget");
  if (isOutOfCredit(error)) return t("trouble.credit");
  if (error.status === 429) return t("trouble.tooMany");
  if (error.code === "overloaded") return t("trouble.busy");
  if (error.status === 403) return t("trouble.forbidden", { why: clause(error) });
  if (error.status >= 500 || error.status === 408) return t("trouble.couldNotAnswer", { why: clause(error) });
  return sentence(error);
}

/** "in 40 seconds", "in 12 minutes", "at 14:05", "on Monday at 00:00"; "" where no time was told. */
export function whenAgain(error, now = new Date()) {
  if (error.retryAfter === null || error.retryAfter <= 0 || isOutOfCredit(error)) return "";
  if (error.retryAfter < 3600) return t("time.in", { time: spell(error.retryAfter) });
  const then = new Date(now.getTime() + error.retryAfter * 1000);
  const time = then.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
  if (then.toDateString() === now.toDateString()) return t("time.at", { time });
  const far = error.retryAfter > 6 * 86400;
  const day = then.toLocaleDateString(locale, far ? { day: "numeric", month: "long" } : { weekday: "long" });
  return t("time.on", { day, time });
}

export function spell(seconds) {
  const whole = Math.ceil(seconds);
  return whole < 90 ? t("time.seconds", { n: whole }) : t("time.minutes", { n: Math.ceil(whole / 60) });
}
