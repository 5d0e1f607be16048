/** How much may be reported: by one client, and of one site. */
import { createHash, randomBytes } from "node:crypto";
import { type BlockList, isIPv6 } from "node:net";
import type { MiddlewareHandler } from "hono";
import { RateLimiterMemory } from "rate-limiter-flexible";
import { clientAddress } from "../lib/client_address.ts";
import { ProblemError } from "../lib/http.ts";
import type { Log } from "../lib/log.ts";

const MINUTE_MS = 60_000;
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
      const seconds = Math.ceil((this.#end - now) / 1000);
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

/** Middleware that answers 429 when a client asks more often. */
export function limitClients(
  perMinute: number,
  { trustedProxies, log }: { trustedProxies: BlockList; log: Log },
): MiddlewareHandler {
  const limit = new Limit(perMinute, "batches from one address", log);
  return async function limitClients(c, next) {
    await limit.take(clientKey(clientAddress(c, trustedProxies)), 1);
    await next();
  };
}

/**
 * What of an address tells one client from another: of IPv6 the network, since a client has as many addresses in it
 * as it likes, but for IPv4 behind a socket of both families. Source: RFC 6177, section 2; RFC 4291, section 2.5.5.2.
 */
export function clientKey(address: string): string {
  const [bare = "", _zone] = address.split("%");
  if (!isIPv6(bare)) return address;
  // One spelling for each address.
  const canonical = new URL(`http://[${bare}]/`).hostname.slice(1, -1);
  if (/^::ffff:[^:]+:[^:]+$/.test(canonical)) return canonical;
  const [head = "", tail = ""] = canonical.split("::");
  const [before, after] = [head, tail].map((part) => part === "" ? [] : part.split(":"));
  const zeros = Array(8 - before!.length - after!.length).fill("0");
  return [...before!, ...zeros, ...after!].slice(0, 4).join(":");
}
