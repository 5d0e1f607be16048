/** Reports over HTTP, each with a key of its own and repeated with it until it is acknowledged. */
import { pause } from "../lib/shutdown.ts";
import type { Random } from "./random.ts";

export interface PublishersOptions {
  /** The broadcaster. */
  readonly url: string;
  /** Reports per second, as far as they are acknowledged so fast. */
  readonly rate: number;
  /** What the keys begin with. */
  readonly keys: string;
  readonly random: Random;
  /** Ends the making of new reports. */
  readonly ended: AbortSignal;
  /** Ends the repeating of what is not acknowledged. */
  readonly givenUp: AbortSignal;
  /** Takes what no broadcaster should answer. */
  readonly complain: (what: string) => void;
}

/** Reports that are under way at most. */
const PUBLISHERS = 256;
/** Milliseconds after which an attempt is given up: a broadcaster that stands still answers never. */
const ATTEMPT_MS = 5000;
/** Milliseconds between two attempts, at most. */
const AGAIN_MS = 300;
/** Milliseconds of delay that are made up for; what is above is let go, for a slow machine would never get there. */
const DELAY_MS = 1000;
const TYPES = ["log:open", "pill:blue", "pill:red"];

export class Publishers {
  /** Keys that were answered with 201. */
  acknowledged = 0;
  /** Keys of which nobody knows whether they are stored. */
  unknown = 0;
  /** Attempts in all. */
  attempts = 0;
  /** Resolves when every report is acknowledged or given up. */
  readonly done: Promise<void>;
  readonly #options: PublishersOptions;
  #started = 0;
  #nextDue = performance.now();

  constructor(options: PublishersOptions) {
    this.#options = options;
    this.done = Promise.all(Array.from({ length: PUBLISHERS }, () => this.#publisher())).then(() => {});
  }

  async #publisher(): Promise<void> {
    const { ended, keys, random } = this.#options;
    while (true) {
      await this.#turn();
      if (ended.aborted) return;
      const acknowledged = await this.#report(random.pick(TYPES), `${keys}-${this.#started++}`);
      if (acknowledged) this.acknowledged++;
      else this.unknown++;
    }
  }

  /** Waits until the next report is due. */
  async #turn(): Promise<void> {
    const now = performance.now();
    this.#nextDue = Math.max(this.#nextDue, now - DELAY_MS) + 1000 / this.#options.rate;
    if (this.#nextDue > now) await pause(this.#nextDue - now, this.#options.ended);
  }

  /** Returns whether it was acknowledged. */
  async #report(type: string, key: string): Promise<boolean> {
    const { givenUp, random } = this.#options;
    while (true) {
      if (await this.#attempt(type, key)) return true;
      if (givenUp.aborted) return false;
      await pause(random.between(0, AGAIN_MS), givenUp);
    }
  }

  async #attempt(type: string, key: string): Promise<boolean> {
    const { url, givenUp, complain } = this.#options;
    this.attempts++;
    const cut = new AbortController();
    const leave = () => cut.abort();
    const timer = setTimeout(leave, ATTEMPT_MS);
    givenUp.addEventListener("abort", leave);
    try {
      const headers = { "Idempotency-Key": key };
      const response = await fetch(`${url}event/${type}`, { method: "POST", headers, signal: cut.signal });
      const { status } = response;
      const text = await response.text();
      if (status !== 201 && status !== 503) complain(`POST ${type} was answered with ${status}: ${text}`);
      return status === 201;
    } catch (error) {
      // Refused, cut off or too late.
      if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
      return false;
    } finally {
      clearTimeout(timer);
      givenUp.removeEventListener("abort", leave);
    }
  }
}
