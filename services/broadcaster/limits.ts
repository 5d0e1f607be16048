/** How much may be reported: by one client, and of one site. */
import { createHash, randomBytes } from "node:crypto";
import type { BlockList } from "node:net";
import type { MiddlewareHandler } from "hono";
import { RateLimiterMemory } from "rate-limiter-flexible";
import { clientAddress, clientKey, isUnnamedProxy } from "../lib/client_address.ts";
import { ProblemError } from "../lib/http.ts";
import type { Log } from "../lib/log.ts";

const MINUTE_MS = 60_000;
/** Who was refused comes back within so many seconds after the end of the minute. */
const SPREAD_SECONDS = 10;
/**
 * Counters of one limit. Anybody can make up names of sites, and some have millions of addresses: memory must not
 * grow with them. Those who fall on one counter share what it allows, which only matters beside one who uses it up.
 */
const COUNTERS = 2 ** 15;

export class Limit {
  readonly #perMinute: number;
  readonly #what: string;
  readonly #log: Log;
  #limiter: RateLimiterMemory;
  /** When the minute ends, on the clock that nobody sets. */
  #end = 0;
  /** Whether the log says of this minute that something was refused. */
  #isLogged = false;
  /** So that nobody can work out with whom they share a counter. */
  readonly #salt = randomBytes(16);

  /**
   * @param perMinute 0 is no limit.
   * @param what - whose limit it is, for those who exceed it
   */
  constructor(perMinute: number, what: string, log: Log) {
    this.#perMinute = perMinute;
    this.#what = what;
    this.#log = log;
    this.#limiter = this.#newLimiter();
  }

  /** @throws {ProblemError} 429 when the key has used up what it may. */
  async take(key: string, count: number): Promise<void> {
    if (this.#perMinute === 0) return;
    const now = performance.now();
    if (now >= this.#end) {
      this.#limiter = this.#newLimiter();
      this.#end = now + MINUTE_MS;
      this.#isLogged = false;
    }
    try {
      // What is more than a minute's worth at once could otherwise never come in.
      await this.#limiter.consume(this.#counterOf(key), Math.min(count, this.#perMinute));
    } catch (error) {
      if (error instanceof Error) throw error;
      this.#logOnce();
      // Not all in the same second.
      const seconds = Math.ceil((this.#end - now) / 1000 + SPREAD_SECONDS * Math.random());
      throw new ProblemError(429, `Too many ${this.#what}; come back later`, { "Retry-After": `${seconds}` });
    }
  }

  #logOnce(): void {
    if (!this.#isLogged) this.#log.warn(`Refused ${this.#what}: more than ${this.#perMinute} in a minute`);
    this.#isLogged = true;
  }

  /** One that never forgets, and is forgotten as a whole: else each counter would have a timer of its own. */
  #newLimiter(): RateLimiterMemory {
    return new RateLimiterMemory({ points: this.#perMinute, duration: 0 });
  }

  #counterOf(key: string): number {
    return createHash("sha1").update(this.#salt).update(key).digest().readUInt32LE() % COUNTERS;
  }
}

export interface ClientLimitOptions {
  readonly trustedProxies: BlockList;
  readonly log: Log;
}

/** Middleware that answers 429 when a client asks more often. */
export function limitClients(
  perMinute: number,
  { trustedProxies, log }: ClientLimitOptions,
): MiddlewareHandler {
  const limit = new Limit(perMinute, "requests from one address", log);
  let isWarned = false;
  return async function limitClients(c, next) {
    // All visitors of a site would share one limit, which a busy one has used up in seconds.
    if (isUnnamedProxy(c, trustedProxies)) {
      if (!isWarned && perMinute > 0) {
        log.warn("No client is limited: TRUSTED_PROXIES does not name the proxy in front");
      }
      isWarned = true;
    } else await limit.take(clientKey(clientAddress(c, trustedProxies)), 1);
    await next();
  };
}
