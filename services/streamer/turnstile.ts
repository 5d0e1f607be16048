/** Lets so many work at a time; the others wait for their turn, though not for ever. */
import { atMost } from "../lib/shutdown.ts";

export interface TurnstileOptions {
  /** How many work at a time. */
  readonly places: number;
  /** Milliseconds that anybody waits. */
  readonly patienceMs: number;
}

export class Turnstile {
  #free: number;
  readonly #patienceMs: number;
  /** Who waits, in the order of coming. */
  readonly #waiting = new Set<() => void>();

  constructor({ places, patienceMs }: TurnstileOptions) {
    this.#free = places;
    this.#patienceMs = patienceMs;
  }

  /** Does the work when its turn has come; undefined when that took too long. */
  async pass<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#free > 0) this.#free--;
    else if (!await this.#wait()) return undefined;
    try {
      return await work();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#free++;
      else next();
    }
  }

  async #wait(): Promise<boolean> {
    const turn = Promise.withResolvers<void>();
    const next = () => {
      this.#waiting.delete(next);
      turn.resolve();
    };
    this.#waiting.add(next);
    await atMost(this.#patienceMs, turn.promise);
    // Who was let in at the very last moment has the place, and has to use it.
    return !this.#waiting.delete(next);
  }
}
