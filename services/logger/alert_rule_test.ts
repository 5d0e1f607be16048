import assert from "node:assert/strict";
import * as fc from "fast-check";
import { AlertRule } from "../../static/logger/alert_rule.js";
import { noteEntry, toEntry } from "../../static/logger/entry.js";
import { tracked } from "./logger_harness.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const entryOf = (kind: string) => toEntry(tracked(0, { kind }), { arrived: 0, isLive: true });
const click = entryOf("click");
const error = entryOf("error");

/** When the rule fires, of entries that come at these times. */
const firedAt = (rule: AlertRule, times: readonly number[], entry = error) =>
  times.filter((time) => rule.offer(entry, time));

Deno.test("a rule without a threshold fires for each update that it matches, once a minute at most", () => {
  const rule = new AlertRule("  k:error ");
  assert.equal(rule.text, "k:error");
  assert.deepEqual(firedAt(rule, [0], click), []);
  assert.deepEqual(firedAt(rule, [1, 2, MINUTE, MINUTE + 1, 2 * MINUTE, 2 * MINUTE + 1]), [
    1,
    MINUTE + 1,
    2 * MINUTE + 1,
  ]);
});

Deno.test("a threshold has to be exceeded, within its time", () => {
  assert.deepEqual(firedAt(new AlertRule("k:error > 2 in 10s"), [0, 5_000, 10_000]), [10_000]);
  assert.deepEqual(firedAt(new AlertRule("k:error > 2 in 10s"), [0, 5_000, 10_001, 15_000]), [15_000]);
  assert.deepEqual(firedAt(new AlertRule("k:error > 2 in 10s"), [0, 5_000, 10_001, 15_002]), []);
  assert.deepEqual(firedAt(new AlertRule("k:error > 0 in 1s"), [0]), [0]);
});

Deno.test("seconds, minutes and hours are what they are, with and without spaces", () => {
  const units = { s: SECOND, m: MINUTE, h: HOUR };
  for (const [unit, ms] of Object.entries(units)) {
    for (const text of [`k:error > 1 in 3${unit}`, `k:error>1 in 3 ${unit}`]) {
      assert.deepEqual(firedAt(new AlertRule(text), [0, 3 * ms]), [3 * ms], text);
      assert.deepEqual(firedAt(new AlertRule(text), [0, 3 * ms + 1]), [], text);
    }
  }
});

Deno.test("a rule fires as a plain count of the last ones says, whatever comes", () => {
  const come = fc.array(
    fc.record({ after: fc.nat({ max: 20_000 }), kind: fc.constantFrom("error", "click") }),
    { maxLength: 60, size: "max" },
  );
  let fired = 0;
  fc.assert(fc.property(come, fc.nat({ max: 4 }), fc.integer({ min: 1, max: 120 }), (all, max, seconds) => {
    const rule = new AlertRule(`k:error > ${max} in ${seconds}s`);
    const errors: number[] = [];
    let now = 0;
    let lastFired = -Infinity;
    for (const { after, kind } of all) {
      now += after;
      if (kind === "error") errors.push(now);
      const recent = errors.filter((time) => now - time <= seconds * SECOND);
      const isDue = kind === "error" && recent.length > max && now - lastFired >= MINUTE;
      assert.equal(rule.offer(entryOf(kind), now), isDue);
      if (!isDue) continue;
      lastFired = now;
      fired++;
    }
  }));
  // Rules that never fire would prove nothing.
  assert.ok(fired > 100, `${fired}`);
});

Deno.test("rows that are no updates count for no rule, though their text matches", () => {
  const rule = new AlertRule("missing");
  for (const row of ["gap", "mark", "notice"] as const) {
    assert.equal(rule.offer(noteEntry(row, "Updates are missing here", 0), 0), false);
  }
  assert.equal(
    rule.offer(toEntry(tracked(1, { message: "missing" }), { arrived: 0, isLive: true }), 0),
    true,
  );
});

Deno.test("what stands before the threshold may have a > itself, and spaces in quotes", () => {
  const late = toEntry(tracked(0, { kind: "Add to cart", message: "a > b" }), { arrived: 0, isLive: true });
  const texts = ['k:"Add to cart" > 1 in 1m', '"a > b" > 1 in 1m'];
  for (const text of texts) assert.deepEqual(firedAt(new AlertRule(text), [0, 1], late), [1], text);
});

const MISTAKES: Readonly<Record<string, RegExp>> = {
  "": /^Say what the alert is about/,
  "   ": /^Say what the alert is about/,
  "> 5 in 1m": /^Say what the alert is about/,
  "k:error > many in 1m": /^A threshold looks like this/,
  "k:error > 5": /^A threshold looks like this/,
  "k:error > 5 in 1d": /^A threshold looks like this/,
  "k:error > 5 in": /^A threshold looks like this/,
  "k:error > -5 in 1m": /^A threshold looks like this/,
  "k:error > 100001 in 1m": /^A rule counts to 100000 at most/,
  "k:error > 5 in 0s": /^The time has to be longer/,
  "/(/": /^\/\(\/ cannot be understood/,
  "/(/ > 5 in 1m": /^\/\(\/ cannot be understood/,
};

for (const [text, sentence] of Object.entries(MISTAKES)) {
  Deno.test(`"${text}" is no rule, and a sentence says why`, () => {
    assert.throws(() => new AlertRule(text), (error) => {
      assert.ok(error instanceof SyntaxError);
      assert.match(error.message, sentence);
      assert.match(error.message, /\.$/);
      return true;
    });
  });
}

Deno.test("a rule counts to a hundred thousand", () => {
  const rule = new AlertRule("k:error > 100000 in 1h");
  for (let count = 0; count < 100_000; count++) assert.equal(rule.offer(error, count), false);
  assert.equal(rule.offer(error, 100_000), true);
});
