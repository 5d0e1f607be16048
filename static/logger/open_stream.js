// @ts-check
/**
 * Asks for an event stream and judges the answer: either its body, or an error that says in plain words why not.
 *
 * @module
 */

import { ask, errorOf } from "./refusal.js";

/** @typedef {import("./types.d.ts").StreamRequest} StreamRequest */

/**
 * @param {StreamRequest} request
 * @param {AbortSignal} signal Ends the stream, too.
 * @returns {Promise<ReadableStream<Uint8Array<ArrayBuffer>>>}
 * @throws {import("./refusal.js").RequestError}
 */
export async function openStream({ url, token = "", lastEventId }, signal) {
  const address = new URL(url);
  if (lastEventId !== "") address.searchParams.set("last_event_id", lastEventId);
  address.searchParams.set("signals", "1");
  const response = await ask(address, {
    headers: {
      Accept: "text/event-stream",
      ...(token === "" ? {} : { Authorization: `Bearer ${token}` }),
    },
    signal,
  });
  const type = response.headers.get("Content-Type") ?? "no content type";
  const isOk = response.status === 200;
  if (isOk && type.startsWith("text/event-stream") && response.body !== null) return response.body;
  const error = await errorOf(response);
  if (isOk) error.message = `The address of the stream answers with ${type}, which is no event stream.`;
  throw error;
}
