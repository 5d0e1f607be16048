import assert from "node:assert/strict";
import { eventually } from "../lib/testing/deadline.ts";
import { Turnstile } from "./turnstile.ts";

const STAYS = new AbortController().signal;

/** Work that lasts until it is told to end. */
function work(turnstile: Turnstile, name: string, log: string[], signal = STAYS) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const passing = turnstile.pass(() => {
    log.push(name);
    return promise;
  }, signal);
  return { passing, end: () => resolve(name), fail: () => reject(new Error(name)) };
}

Deno.test("Turnstile lets so many work at a time, and the others in the order of their coming", async () => {
  const turnstile = new Turnstile({ places: 2, maxWaiting: 10, patienceMs: 60_000 });
  const log: string[] = [];
  const all = ["a", "b", "c", "d", "e"].map((name) => work(turnstile, name, log));
  assert.deepEqual(log, ["a", "b"]);
  all[1]!.end();
  assert.equal(await all[1]!.passing, "b");
  await eventually("the third", () => log.length === 3);
  // A failure gives the place back as well.
  all[0]!.fail();
  await assert.rejects(all[0]!.passing, /a/);
  await eventually("the fourth", () => log.length === 4);
  all.push(work(turnstile, "f", log));
  assert.deepEqual(log, ["a", "b", "c", "d"]);
  for (const { end } of all) end();
  assert.deepEqual(await Promise.all(all.slice(2).map(({ passing }) => passing)), ["c", "d", "e", "f"]);
  const next = work(turnstile, "g", log);
  next.end();
  assert.equal(await next.passing, "g");
});

Deno.test("Turnstile sends away who has waited long, and its place in line goes to the next", async () => {
  const turnstile = new Turnstile({ places: 1, maxWaiting: 10, patienceMs: 20 });
  const log: string[] = [];
  const first = work(turnstile, "a", log);
  assert.equal(await work(turnstile, "b", log).passing, undefined);
  const third = work(turnstile, "c", log);
  first.end();
  await first.passing;
  third.end();
  // It may have been too late for it too, on a busy machine; then nobody is in.
  assert.ok(["c", undefined].includes(await third.passing));
  const last = work(turnstile, "d", log);
  last.end();
  assert.equal(await last.passing, "d");
});

Deno.test("Turnstile loses no place to those who give up at the moment when it is their turn", async () => {
  const turnstile = new Turnstile({ places: 1, maxWaiting: 10, patienceMs: 1 });
  for (let round = 0; round < 50; round++) {
    const first = turnstile.pass(() => new Promise((resolve) => setTimeout(resolve, 1)), STAYS);
    const others = Array.from({ length: 5 }, () => turnstile.pass(() => Promise.resolve(1), STAYS));
    await Promise.all([first, ...others]);
    assert.equal(await turnstile.pass(() => Promise.resolve("in"), STAYS), "in");
  }
});

Deno.test("Turnstile sends away at once whoever finds too many waiting", async () => {
  const turnstile = new Turnstile({ places: 1, maxWaiting: 2, patienceMs: 60_000 });
  const log: string[] = [];
  const all = ["a", "b", "c"].map((name) => work(turnstile, name, log));
  assert.equal(await work(turnstile, "d", log).passing, undefined);
  for (const { end } of all) end();
  assert.deepEqual(await Promise.all(all.map(({ passing }) => passing)), ["a", "b", "c"]);
});

Deno.test("Turnstile lets nobody in who has left, and whoever waits behind them moves up", async () => {
  const turnstile = new Turnstile({ places: 1, maxWaiting: 2, patienceMs: 60_000 });
  const log: string[] = [];
  const leaving = new AbortController();
  const first = work(turnstile, "a", log);
  const second = work(turnstile, "b", log, leaving.signal);
  const third = work(turnstile, "c", log);
  leaving.abort();
  // There is room in the line at the same moment, and nobody in it who has left.
  const fourth = work(turnstile, "d", log);
  assert.equal(await work(turnstile, "e", log).passing, undefined);
  assert.equal(await work(turnstile, "f", log, leaving.signal).passing, undefined);
  for (const { end } of [first, second, third, fourth]) end();
  const passing = [first, second, third, fourth].map(({ passing }) => passing);
  assert.deepEqual(await Promise.all(passing), ["a", undefined, "c", "d"]);
  assert.deepEqual(log, ["a", "c", "d"]);
  const last = work(turnstile, "g", log);
  last.end();
  assert.equal(await last.passing, "g");
  assert.equal(await work(turnstile, "h", log, leaving.signal).passing, undefined);
});

Deno.test("Turnstile keeps the place for who leaves after having been let in", async () => {
  const turnstile = new Turnstile({ places: 1, maxWaiting: 2, patienceMs: 60_000 });
  const log: string[] = [];
  const leaving = new AbortController();
  const first = work(turnstile, "a", log);
  const second = work(turnstile, "b", log, leaving.signal);
  first.end();
  await eventually("the second", () => log.includes("b"));
  leaving.abort();
  const third = work(turnstile, "c", log);
  third.end();
  assert.deepEqual(log, ["a", "b"]);
  second.end();
  assert.deepEqual(await Promise.all([second.passing, third.passing]), ["b", "c"]);
});
