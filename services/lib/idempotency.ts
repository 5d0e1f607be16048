/**
 * The `Idempotency-Key` of a POST: a request that is sent again with its key is published once.
 * Source: draft-ietf-httpapi-idempotency-key-header-07, section 2.
 */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { IDEMPOTENCY_KEY, MAX_KEY_LENGTH } from "./api/publish.ts";
import type { PublishOptions } from "./channel.ts";
import { ProblemError } from "./http.ts";

/**
 * How to publish for a client that sent this header, if it did.
 *
 * @param way names the route. The same key means something else at another one.
 * @param scope what two requests have to agree in, beside the key, for the second to be the first once more. Asked
 * for only where there is a key.
 * @throws {ProblemError} when the header is no key.
 */
export function publishOptionsFor(
  header: string | undefined,
  way: string,
  scope: () => readonly unknown[],
): PublishOptions {
  if (header === undefined) return {};
  if (!v.is(IDEMPOTENCY_KEY, header)) {
    throw new ProblemError(400, `An Idempotency-Key has 1 to ${MAX_KEY_LENGTH} visible characters`);
  }
  return { requestKey: `${way} ${digestOf(JSON.stringify([...scope(), header]))}` };
}

/** What stands for a text or some bytes. */
export function digestOf(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("base64url");
}
