import assert from "node:assert/strict";
import { mock } from "node:test";
import { Freshness } from "../../static/logger/freshness.js";

const OPENED_AT = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;

/** Runs with a page that has just been opened, and the clock that it looks at. */
function withFreshness(test: (freshness: Freshness, pass: (ms: number) => void) => void): void {
  mock.timers.enable({ apis: ["Date"], now: OPENED_AT });
  try {
    test(new Freshness(), (ms) => mock.timers.tick(ms));
  } finally {
    mock.timers.reset();
  }
}

/** An update of this time; without one, its id does not tell it. */
function updateOf(time?: number): Parameters<Freshness["isNew"]>[0] {
  const id = time === undefined ? "" : "urn:x:1";
  return { id, type: "login", message: "", level: "info", notify: false, time: time ?? Date.now() };
}

Deno.test("Freshness calls what the stream opens with old, unless it happened after the page was opened", () => {
  withFreshness((freshness, pass) => {
    freshness.begin();
    pass(500);
    assert.equal(freshness.isNew(updateOf(OPENED_AT - HOUR_MS)), false);
    assert.equal(freshness.isNew(updateOf(OPENED_AT - 1)), false);
    assert.equal(freshness.isNew(updateOf(OPENED_AT)), true);
    assert.equal(freshness.isNew(updateOf(OPENED_AT + 400)), true);
  });
});

Deno.test("Freshness calls an update without a time of its own old while the history comes", () => {
  withFreshness((freshness) => {
    freshness.begin();
    assert.equal(freshness.isNew(updateOf()), false);
  });
});

Deno.test("Freshness calls everything new after the first pause, even from a clock that is an hour late", () => {
  withFreshness((freshness, pass) => {
    freshness.begin();
    assert.equal(freshness.isNew(updateOf(OPENED_AT - HOUR_MS)), false);
    pass(1_001);
    assert.equal(freshness.isNew(updateOf(OPENED_AT - HOUR_MS)), true);
    assert.equal(freshness.isNew(updateOf()), true);
  });
});

Deno.test("Freshness takes a long history without a pause for one history", () => {
  withFreshness((freshness, pass) => {
    freshness.begin();
    for (let i = 0; i < 20; i++) {
      pass(1_000);
      assert.equal(freshness.isNew(updateOf(OPENED_AT - HOUR_MS)), false);
    }
  });
});

Deno.test("Freshness does not take the time before the stream is open for the pause", () => {
  withFreshness((freshness, pass) => {
    pass(60_000);
    freshness.begin();
    pass(900);
    assert.equal(freshness.isNew(updateOf(OPENED_AT - HOUR_MS)), false);
  });
});

Deno.test("Freshness calls what is replayed after an interruption new: nobody has seen it", () => {
  withFreshness((freshness, pass) => {
    freshness.begin();
    assert.equal(freshness.isNew(updateOf(OPENED_AT - HOUR_MS)), false);
    pass(60_000);
    freshness.begin();
    assert.equal(freshness.isNew(updateOf(OPENED_AT - HOUR_MS)), true);
  });
});
