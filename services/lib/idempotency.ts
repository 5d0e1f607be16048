/**
 * The `Idempotency-Key` of a POST: a request that is sent again with its key is published once.
 * Source: draft-ietf-httpapi-idempotency-key-header-07, section 2.
 */
import type { PublishOptions } from "./channel.ts";
import { ProblemError } from "./http.ts";

/** Longest key, in characters. */
const MAX_KEY_LENGTH = 255;

/**
 * How to publish for a client that sent this header. The key counts for one topic, for clients that make keys for
 * each kind of update by themselves.
 *
 * @throws {ProblemError} when the header is no key.
 */
export function publishOptionsFor(key: string | undefined, topic: string): PublishOptions {
  if (key === undefined) return {};
  if (!/^[\x21-\x7E]+$/.test(key) || key.length > MAX_KEY_LENGTH) {
    throw new ProblemError(400, `An Idempotency-Key has 1 to ${MAX_KEY_LENGTH} visible characters`);
  }
  return { requestKey: `POST ${topic} ${key}` };
}
