/** For tests that wait: a condition with a deadline, so that what never happens fails instead of hanging. */

/** Far more than anything here takes, even on a busy machine. */
const DEADLINE_MS = 20_000;

/** Resolves with the promise, or rejects with what was waited for. */
export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`Waited ${DEADLINE_MS} ms in vain: ${what}`)), DEADLINE_MS);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again and again until the answer is neither false nor undefined, and resolves with it. */
export async function eventually<T>(
  what: string,
  ask: () => T | Promise<T>,
): Promise<Exclude<T, false | undefined>> {
  const end = performance.now() + DEADLINE_MS;
  while (performance.now() < end) {
    const answer = await ask();
    if (answer !== false && answer !== undefined) return answer as Exclude<T, false | undefined>;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`Asked for ${DEADLINE_MS} ms in vain: ${what}`);
}
