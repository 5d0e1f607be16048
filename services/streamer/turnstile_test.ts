import assert from "node:assert/strict";
import { eventually } from "../lib/testing/deadline.ts";
import { Turnstile } from "./turnstile.ts";

/** Work that lasts until it is told to end. */
function work(turnstile: Turnstile, name: string, log: string[]) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const passing = turnstile.pass(() => {
    log.push(name);
    return promise;
  });
  return { passing, end: () => resolve(name), fail: () => reject(new Error(name)) };
}

Deno.test("Turnstile lets so many work at a time, and the others in the order of their coming", async () => {
  const turnstile = new Turnstile({ places: 2, patienceMs: 60_000 });
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
  const turnstile = new Turnstile({ places: 1, patienceMs: 20 });
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
  const turnstile = new Turnstile({ places: 1, patienceMs: 1 });
  for (let round = 0; round < 50; round++) {
    const first = turnstile.pass(() => new Promise((resolve) => setTimeout(resolve, 1)));
    await Promise.all([first, ...Array.from({ length: 5 }, () => turnstile.pass(() => Promise.resolve(1)))]);
    assert.equal(await turnstile.pass(() => Promise.resolve("in")), "in");
  }
});
