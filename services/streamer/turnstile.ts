/** Lets so many work at a time; so many others wait for their turn, though not for ever. */
import { atMost } from "../lib/shutdown.ts";

export interface TurnstileOptions {
  /** How many work at a time. */
  readonly places: number;
  /** How many wait. */
  readonly maxWaiting: number;
  /** Milliseconds that anybody waits. */
  readonly patienceMs: number;
}

export class Turnstile {
  #free: number;
  readonly #maxWaiting: number;
  readonly #patienceMs: number;
  /** Who waits, in the order of coming. */
  readonly #waiting = new Set<() => void>();

  constructor({ places, maxWaiting, patienceMs }: TurnstileOptions) {
    this.#free = places;
    this.#maxWaiting = maxWaiting;
    this.#patienceMs = patienceMs;
  }

  /**
   * Does the work when its turn has come; undefined when too many wait already, when that took too long, or when
   * whoever wants it has left before.
   *
   * @param signal aborts when they leave; what the work does then is its own affair.
   */
  async pass<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    if (signal.aborted) return undefined;
    if (this.#free > 0) this.#free--;
    else if (!await this.#wait(signal)) return undefined;
    try {
      return await work();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#free++;
      else next();
    }
  }

  async #wait(signal: AbortSignal): Promise<boolean> {
    if (this.#waiting.size >= this.#maxWaiting) return false;
    const decided = Promise.withResolvers<void>();
    let isIn = false;
    const enter = () => {
      isIn = this.#waiting.delete(enter);
      decided.resolve();
    };
    const leave = () => {
      this.#waiting.delete(enter);
      decided.resolve();
    };
    this.#waiting.add(enter);
    signal.addEventListener("abort", leave, { once: true });
    await atMost(this.#patienceMs, decided.promise);
    signal.removeEventListener("abort", leave);
    leave();
    // Who was let in at the very last moment has the place, and has to use it.
    return isIn;
  }
}
