// @ts-check
/**
 * Reads the update that an event of the stream carries. Everything in it is untrusted text: anybody may publish.
 *
 * @module
 */

import { parseObject } from "./json.js";

/** @typedef {import("./types.d.ts").StreamEvent} StreamEvent */
/** @typedef {import("./types.d.ts").Update} Update */

/** The first 48 bits of a UUIDv7 are the time of its making (RFC 9562). */
const UUID_V7 = /^(?:urn:uuid:)?([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/**
 * @param {StreamEvent} event
 * @param {number} receivedAt Stands in for the time of an update whose id does not tell it.
 * @param {Record<string, unknown>} [body] Its data, when that is parsed already.
 * @returns {Update}
 */
export function toUpdate(event, receivedAt, body = parseObject(event.data)) {
  return {
    id: event.id,
    type: event.type,
    message: typeof body.message === "string" ? body.message : event.data,
    level: typeof body.level === "string" && body.level !== "" ? body.level : "other",
    notify: body.notify === true,
    time: timeOf(event.id) ?? receivedAt,
  };
}

/**
 * @param {string} id
 * @returns {number | undefined} In ms of the epoch, where the id tells it.
 */
export function timeOf(id) {
  const match = UUID_V7.exec(id);
  return match === null ? undefined : parseInt(`${match[1]}${match[2]}`, 16);
}
