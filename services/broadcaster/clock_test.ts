import assert from "node:assert/strict";
import * as fc from "fast-check";
import { correctedTime } from "./clock.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const RECEIVED = 1_764_000_000_000;

const stepsOff: fc.Arbitrary<number> = fc.integer({ min: -1_000_000, max: 1_000_000 });
/** How long before sending something happened, in milliseconds. */
const age: fc.Arbitrary<number> = fc.nat({ max: 20 * 60 * MINUTE });
/** How long it was on its way. */
const onTheWay: fc.Arbitrary<number> = fc.nat({ max: 2 * MINUTE });

Deno.test("a healthy clock is not corrected, however long the way was", () => {
  fc.assert(fc.property(age, onTheWay, (age, way) => {
    const sent = RECEIVED - way;
    assert.equal(correctedTime({ client: sent - age, sent, received: RECEIVED }), sent - age);
  }));
});

Deno.test("a clock that is wrong by whole steps of five minutes is put right to the millisecond", () => {
  fc.assert(fc.property(stepsOff, age, onTheWay, (steps, age, way) => {
    const skew = steps * 5 * MINUTE;
    const sent = RECEIVED - way - skew;
    assert.equal(correctedTime({ client: sent - age, sent, received: RECEIVED }), RECEIVED - way - age);
  }));
});

Deno.test("any other clock is at most two and a half minutes off, beyond the way", () => {
  fc.assert(fc.property(fc.integer({ min: -1e12, max: 1e12 }), age, onTheWay, (skew, age, way) => {
    const sent = RECEIVED - way - skew;
    const time = correctedTime({ client: sent - age, sent, received: RECEIVED });
    const truth = RECEIVED - way - age;
    assert.ok(Math.abs(time - truth) <= 2.5 * MINUTE + way, `${time - truth} ms off`);
  }));
});

Deno.test("the time is within a day before and a minute after the receipt, and whole, whatever the clocks say", () => {
  const any = fc.maxSafeInteger().map((value) => Math.abs(value) % 8_640_000_000_000_001);
  fc.assert(fc.property(any, any, (client, sent) => {
    const time = correctedTime({ client, sent, received: RECEIVED });
    assert.ok(Number.isSafeInteger(time));
    assert.ok(time >= RECEIVED - DAY && time <= RECEIVED + MINUTE);
  }));
});

Deno.test("events of one batch keep their order and their distances", () => {
  fc.assert(fc.property(fc.array(age, { minLength: 2 }), stepsOff, (ages, steps) => {
    const sent = RECEIVED - steps * 5 * MINUTE;
    const times = ages.map((age) => correctedTime({ client: sent - age, sent, received: RECEIVED }));
    for (const [index, age] of ages.entries()) {
      assert.equal(times[index]! - times[0]!, ages[0]! - age);
    }
  }));
});
