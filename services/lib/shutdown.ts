/** How to wait, and how the parts of a service end together. */
import { setImmediate } from "node:timers";

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Resolves after some milliseconds, or when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = () => resolve();
  signal.addEventListener("abort", stop, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  });
}

/** Resolves with what the promise does, or with undefined when that does not come within some milliseconds. */
export async function atMost<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const settled = new AbortController();
  try {
    return await Promise.race([promise, pause(ms, settled.signal).then(() => undefined)]);
  } finally {
    settled.abort();
  }
}

/** Resolves when everything else that is due now has had its turn; sooner than any timer. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Runs the parts side by side until all have ended. When one fails, the others are told to end, and only then
 * does the failure come out: nothing goes on with half a service, or with sockets that were closed under it.
 */
export async function runTogether(
  signal: AbortSignal,
  parts: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failed = new AbortController();
  const failures: unknown[] = [];
  const ended = AbortSignal.any([signal, failed.signal]);
  await Promise.all(parts.map(async (part) => {
    try {
      await part(ended);
    } catch (error) {
      failures.push(error);
      failed.abort();
    }
  }));
  // The first in time: what failed after it may be no more than its consequence.
  if (failures.length > 0) throw failures[0];
}
