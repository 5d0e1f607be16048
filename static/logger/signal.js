// @ts-check
/**
 * Reads what the server says about the stream itself, between the updates, when it is asked for with `signals=1`:
 * that it is there, and that updates are missing.
 *
 * @module
 */

import { parseObject } from "./json.js";

/** @typedef {import("./types.d.ts").Signal} Signal */
/** @typedef {import("./types.d.ts").StreamEvent} StreamEvent */

const SIGNAL_EVENT_TYPE = "mercure";

/**
 * An update always bears an id, a signal never does: it has no place in the history to resume from.
 *
 * @param {StreamEvent} event
 * @returns {Signal | undefined} Undefined when the event is an update.
 */
export function readSignal({ id, type, data }) {
  if (type !== SIGNAL_EVENT_TYPE || id !== "") return undefined;
  const { type: name, reason, now } = parseObject(data);
  return {
    type: typeof name === "string" ? name : "",
    reason: typeof reason === "string" ? reason : "",
    ...(typeof now === "number" && { now }),
  };
}
