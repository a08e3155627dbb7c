/** What a failed call means for the person, in words. */

const NO_REPEAT_S = 120; // longer waits are for the person to come back from

/** The error's own message as a sentence of another one. */
export function clause(error) {
  return /[.!?]$/.test(error.message) ? error.message : `${error.message}.`;
}

export function sentence(error) {
  const text = clause(error);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function referenceOf(error) {
  return error.requestId ? `Reference ${error.requestId}` : "";
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
  if (error.code === "budget_exceeded") return "What can be spent on answers is used up for now.";
  if (isOutOfCredit(error)) return "This service has run out of credit with its model provider, which its operator has to see to.";
  if (error.status === 429) return "Too many requests at the moment.";
  if (error.code === "overloaded") return "The server is very busy.";
  if (error.status === 403) return `This is not allowed: ${clause(error)}`;
  if (error.status >= 500 || error.status === 408) return `Your coach could not answer: ${clause(error)}`;
  return sentence(error);
}

/** "in 40 seconds", "in 12 minutes", "at 14:05", "on Monday at 00:00"; "" where no time was told. */
export function whenAgain(error, now = new Date()) {
  if (error.retryAfter === null || error.retryAfter <= 0 || isOutOfCredit(error)) return "";
  if (error.retryAfter < 3600) return `in ${spell(error.retryAfter)}`;
  const then = new Date(now.getTime() + error.retryAfter * 1000);
  const time = then.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  if (then.toDateString() === now.toDateString()) return `at ${time}`;
  const far = error.retryAfter > 6 * 86400;
  const day = then.toLocaleDateString(undefined, far ? { day: "numeric", month: "long" } : { weekday: "long" });
  return `on ${day} at ${time}`;
}

export function spell(seconds) {
  const whole = Math.ceil(seconds);
  if (whole < 90) return whole === 1 ? "1 second" : `${whole} seconds`;
  return `${Math.ceil(whole / 60)} minutes`;
}
