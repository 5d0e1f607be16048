import assert from "node:assert/strict";
import { aborted, atMost, pause, runTogether } from "./shutdown.ts";
import { within } from "./testing/deadline.ts";

// What is left behind after an abort is what these tests are about.
Deno.test.sanitizer({ ops: true, resources: true });

/** Far beyond the deadline of any test here: whoever waits for it fails. */
const FOR_EVER_MS = 600_000;

/** Whether the promise is still pending after everything that is ready has run. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol();
  const turn = new Promise((resolve) => setTimeout(() => resolve(pending), 0));
  return await Promise.race([promise, turn]) === pending;
}

Deno.test("aborted() resolves when the signal aborts, and not before", async () => {
  const controller = new AbortController();
  const promise = aborted(controller.signal);
  assert.ok(await isPending(promise));
  controller.abort();
  await within("the abort", promise);
});

Deno.test("aborted() resolves at once for a signal that has aborted", async () => {
  await within("the abort", aborted(AbortSignal.abort()));
});

Deno.test("pause() resolves after its time", async () => {
  const before = performance.now();
  await within("20 ms", pause(20, new AbortController().signal));
  // Timers may be early by the part of a millisecond that their clock does not show.
  assert.ok(performance.now() - before >= 19);
});

Deno.test("pause() resolves when the signal aborts, and leaves no timer behind", async () => {
  const controller = new AbortController();
  const promise = pause(FOR_EVER_MS, controller.signal);
  assert.ok(await isPending(promise));
  controller.abort();
  await within("the abort", promise);
});

Deno.test("pause() starts no timer for a signal that has aborted", async () => {
  await within("the abort", pause(FOR_EVER_MS, AbortSignal.abort()));
});

Deno.test("pause() leaves no listener at the signal", async () => {
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners.add(args[1]);
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners.delete(args[1]);
    removeEventListener.apply(signal, args);
  };
  const promise = pause(1, signal);
  assert.equal(listeners.size, 1);
  await within("1 ms", promise);
  assert.equal(listeners.size, 0);
});

Deno.test("atMost() resolves with what the promise does, fails as it does, and leaves no timer behind", async () => {
  assert.equal(await atMost(1_000_000, Promise.resolve("value")), "value");
  await assert.rejects(atMost(1_000_000, Promise.reject(new TypeError("reason"))), new TypeError("reason"));
});

Deno.test("atMost() resolves with undefined when the promise takes longer", async () => {
  assert.equal(await atMost(1, new Promise(() => {})), undefined);
});

Deno.test("runTogether() runs its parts side by side and resolves when all have ended", async () => {
  const bothRun = Promise.withResolvers<void>();
  let running = 0;
  const part = async () => {
    if (++running === 2) bothRun.resolve();
    await bothRun.promise;
    running--;
  };
  await within("both parts", runTogether(new AbortController().signal, [part, part]));
  assert.equal(running, 0);
  await within("no part", runTogether(new AbortController().signal, []));
});

Deno.test("runTogether() tells every part when the signal aborts", async () => {
  const controller = new AbortController();
  const running = runTogether(controller.signal, [aborted, aborted]);
  assert.ok(await isPending(running));
  controller.abort();
  await within("both parts", running);
});

Deno.test("runTogether() hands over a signal that has aborted already", async () => {
  await within("the part", runTogether(AbortSignal.abort(), [aborted]));
});

for (
  const [how, fail] of Object.entries({
    "rejects": (reason: Error) => Promise.reject(reason),
    "throws": (reason: Error) => {
      throw reason;
    },
  })
) {
  Deno.test(`runTogether() ends the others when a part ${how}, waits for them and fails with its reason`, async () => {
    const reason = new Error("broken");
    const told = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const running = runTogether(new AbortController().signal, [
      async (signal) => {
        await aborted(signal);
        told.resolve();
        await release.promise;
      },
      () => fail(reason),
    ]);
    running.catch(() => {});
    await within("the other part to be told", told.promise);
    assert.ok(await isPending(running), "It did not wait for the other part");
    release.resolve();
    await assert.rejects(within("the failure", running), (error) => error === reason);
  });
}

Deno.test("runTogether() lets the signal of its caller alone when a part fails", async () => {
  const controller = new AbortController();
  await assert.rejects(runTogether(controller.signal, [() => Promise.reject(new Error("broken"))]));
  assert.equal(controller.signal.aborted, false);
});

Deno.test(
  "runTogether() fails with the first reason when ending makes another part fail too",
  async () => {
    const cause = new Error("cause");
    const running = runTogether(new AbortController().signal, [
      async (signal) => {
        await aborted(signal);
        throw new Error("consequence");
      },
      () => Promise.reject(cause),
    ]);
    await assert.rejects(within("the failure", running), (error) => error === cause);
  },
);
