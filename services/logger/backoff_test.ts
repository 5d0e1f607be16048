import assert from "node:assert/strict";
import { mock } from "node:test";
import * as fc from "fast-check";
import { Backoff } from "../../static/logger/backoff.js";

/** The delays of attempts that fail one after the other, when chance is this number from 0 to 1. */
function delaysOf(backoff: Backoff, attempts: number, chance: number): number[] {
  const random = mock.method(Math, "random", () => chance);
  try {
    return Array.from({ length: attempts }, () => backoff.next(0));
  } finally {
    random.mock.restore();
  }
}

Deno.test("Backoff waits longer from attempt to attempt, up to half a minute", () => {
  assert.deepEqual(delaysOf(new Backoff(), 6, 0), [1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  assert.deepEqual(delaysOf(new Backoff(), 6, 1), [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

Deno.test("Backoff starts where the server asks, but never below a second", () => {
  const delays = [5_000, 0, Infinity].map((baseMs) => {
    const backoff = new Backoff();
    backoff.baseMs = baseMs;
    return delaysOf(backoff, 2, 0);
  });
  assert.deepEqual(delays, [[5_000, 10_000], [1_000, 2_000], [15_000, 15_000]]);
});

Deno.test("Backoff starts anew after reset()", () => {
  const backoff = new Backoff();
  delaysOf(backoff, 5, 0);
  backoff.reset();
  assert.deepEqual(delaysOf(backoff, 2, 0), [1_000, 2_000]);
});

Deno.test("Backoff waits for what a refusal asks for, but no longer than two minutes", () => {
  const backoff = new Backoff();
  assert.equal(backoff.next(45_000), 45_000);
  assert.equal(backoff.next(86_400_000), 120_000);
  assert.ok(backoff.next(1) >= 1_000);
});

Deno.test("Backoff spreads the readers of a restarted server, whatever the server asks and however often it fails", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, noNaN: true }), fc.nat({ max: 2_000 }), (baseMs, failures) => {
      const [first, last] = [0, 1].map((chance) => {
        const backoff = new Backoff();
        backoff.baseMs = baseMs;
        return delaysOf(backoff, failures + 1, chance).at(-1) ?? NaN;
      });
      assert.ok(first! >= 1_000 && last! <= 30_000 && last! === 2 * first!, `${first} to ${last}`);
    }),
    { numRuns: 50 },
  );
});
