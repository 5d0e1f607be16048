import assert from "node:assert/strict";
import { ProblemError } from "../lib/http.ts";
import { createLog } from "../lib/log.ts";
import { stopClocks } from "./broadcaster_harness.ts";
import { Limit } from "./limits.ts";

const log = createLog({ service: "test", level: "error" });

/** Seconds to wait when it is refused, else 0. */
async function refusal(limit: Limit, key: string, count = 1): Promise<number> {
  try {
    await limit.take(key, count);
    return 0;
  } catch (error) {
    assert.ok(error instanceof ProblemError);
    assert.equal(error.status, 429);
    return Number(error.headers["Retry-After"]);
  }
}

function assertWithin(seconds: number, least: number, most: number): void {
  assert.ok(seconds >= least && seconds <= most, `${seconds} s`);
}

Deno.test("those who are refused are not told to come back all at once", async () => {
  using _clock = stopClocks();
  const limit = new Limit(1, "things", log);
  await limit.take("a", 1);
  const told = await Promise.all(Array.from({ length: 100 }, () => refusal(limit, "a")));
  assert.ok(new Set(told).size > 5);
});

Deno.test("a key that has used up its minute is told when to come back, and then may", async () => {
  using clock = stopClocks();
  const limit = new Limit(3, "things", log);
  assert.deepEqual([await refusal(limit, "a"), await refusal(limit, "a", 2)], [0, 0]);
  clock.now += 20_500;
  assertWithin(await refusal(limit, "a"), 40, 50);
  assert.equal(await refusal(limit, "b"), 0);
  clock.now += 39_499;
  assertWithin(await refusal(limit, "a"), 1, 11);
  clock.now += 1;
  assert.equal(await refusal(limit, "a"), 0);
});

Deno.test("what is asked for while it is refused does not make the wait longer", async () => {
  using clock = stopClocks();
  const limit = new Limit(1, "things", log);
  await limit.take("a", 1);
  for (let second = 0; second < 60; second++) {
    assertWithin(await refusal(limit, "a"), 60 - second, 70 - second);
    clock.now += 1000;
  }
  assert.equal(await refusal(limit, "a"), 0);
});

Deno.test("what exceeds a minute's worth at once is let in when nothing else was, and then it is full", async () => {
  using _clock = stopClocks();
  const limit = new Limit(10, "things", log);
  assert.equal(await refusal(limit, "a", 50), 0);
  assertWithin(await refusal(limit, "a"), 60, 70);
  assert.equal(await refusal(limit, "b"), 0);
  assertWithin(await refusal(limit, "b", 50), 60, 70);
});

Deno.test("the log says once a minute that something is refused", async () => {
  using clock = stopClocks();
  const lines: string[] = [];
  const limit = new Limit(
    2,
    "things",
    createLog({ service: "test", level: "warn", write: (line) => lines.push(line) }),
  );
  for (const minute of [1, 2]) {
    for (let i = 0; i < 5; i++) await refusal(limit, "a");
    assert.equal(lines.length, minute);
    clock.now += 60_000;
  }
  assert.equal(JSON.parse(lines[0] ?? "").message, "Refused things: more than 2 in a minute");
});

Deno.test("0 is no limit", async () => {
  const limit = new Limit(0, "things", log);
  for (let i = 0; i < 1000; i++) assert.equal(await refusal(limit, "a", 50), 0);
});

Deno.test("a flood of keys hardly takes anything from the others, and only so much memory", async () => {
  using _clock = stopClocks();
  const limit = new Limit(1000, "things", log);
  for (let i = 0; i < 100_000; i++) await limit.take(`flood ${i}`, 1);
  assert.equal(await refusal(limit, "honest", 900), 0);
});

Deno.test("keys share counters once there are more of them than memory is spent on", async () => {
  using _clock = stopClocks();
  const limit = new Limit(1, "things", log);
  let refused = 0;
  for (let i = 0; i < 40_000; i++) if (await refusal(limit, `flood ${i}`) > 0) refused++;
  // With a counter for each of them nobody would be.
  assert.ok(refused > 7_000, `${refused}`);
});
