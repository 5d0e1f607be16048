/**
 * The `Idempotency-Key` of a POST: a request that is sent again with its key is published once.
 * Source: draft-ietf-httpapi-idempotency-key-header-07, section 2.
 */
import { createHash } from "node:crypto";
import { ProblemError } from "./http.ts";

/** Longest key, in characters. */
const MAX_KEY_LENGTH = 255;

/**
 * The key that a header holds, if there is one.
 *
 * @throws {ProblemError} when the header is no key.
 */
export function readIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (/^[\x21-\x7E]+$/.test(header) && header.length <= MAX_KEY_LENGTH) return header;
  throw new ProblemError(400, `An Idempotency-Key has 1 to ${MAX_KEY_LENGTH} visible characters`);
}

/**
 * The channel's key for a request. Two requests have the same when they come by the same way and agree in all that is
 * told here, which must be enough to say that the second is the first once more.
 */
export function requestKeyOf(way: string, scope: readonly unknown[]): string {
  return `${way} ${digestOf(JSON.stringify(scope))}`;
}

/** What stands for a text or some bytes. */
export function digestOf(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("base64url");
}
