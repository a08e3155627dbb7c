// Test Anything Protocol for tests in Node. A test that dies before done() has no plan, so the
// harness fails it.
let count = 0;
let failed = 0;

export function ok(passed, name, detail) {
  count += 1;
  console.log(`${passed ? "" : "not "}ok ${count} - ${name.replaceAll("#", "")}`);
  if (!passed) {
    failed += 1;
    for (const line of String(detail ?? "").split("\n").slice(0, 40)) console.log(`#   ${line}`);
  }
  return Boolean(passed);
}

export function equal(got, wanted, name) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  return ok(a === b, name, `got:    ${a}\nwanted: ${b}`);
}

export function matches(text, pattern, name) {
  return ok(pattern.test(String(text)), name, `${pattern} does not match:\n${text}`);
}

// What the call throws, or undefined.
export async function thrown(call) {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return undefined;
}

// Runs a group of checks; an exception is one failed check, and the next group still runs.
export async function group(name, body) {
  try {
    await body();
  } catch (error) {
    ok(false, `${name}: no exception`, error?.stack ?? error);
  }
}

export function done() {
  console.log(`1..${count}`);
  process.exit(failed ? 1 : 0);
}
