/**
 * The wire format of the forwarder's three ØMQ sockets. This comment is its specification; programs in any
 * language may speak it. Text is UTF-8, numbers are decimal, a frame is one part of an ØMQ message.
 *
 * **Cursor**: `<epoch>-<number>`. The epoch is 16 lower-case hexadecimal digits, made when a log is created; the
 * number counts its updates, from 1 and without holes. `<epoch>-0` is the place before the first update.
 *
 * **Update**: a JSON object
 * `{"id": string, "topics": [string, …], "data": string, "type"?: string, "private"?: boolean, "retry"?: number}`
 * under the rules of `../update.ts`.
 *
 * ## XPUB: every update, numbered, in one total order
 *
 *     canonical topic | cursor | update
 *
 * Subscribe with the beginning of a topic, or with nothing for all. Messages may be lost (a slow reader, a
 * reconnection): a hole in the numbers says so, and history has them. Private updates are here too, so whoever
 * may connect may read them. A first frame that begins with a NUL byte is not a topic (none can hold one); skip
 * messages with such a frame, save this one, with which a subscriber proves that the way is open:
 *
 *     NUL "probe" | cursor of the newest update | nonce of the request
 *
 * ## XSUB: updates from any PUB socket, fire and forget
 *
 *     update                    `id` may be left out and is then made; `topic`: string may stand for `topics`
 *     topic | update            the same, where ØMQ wants a topic in front; it must be the canonical one
 *     demo                      {"event": string, "message": string, "urgent": boolean, "level": string}
 *
 * The demo frame is what `send_json` of the original Python program sends. It becomes an update on the topic
 * `/tracking/<event>`, of type `<event>`, with the data `{"message", "level"}` and `"notify": true` when urgent.
 *
 * ## ROUTER: requests from DEALER or REQ sockets, each with one reply
 *
 *     correlation | "publish" | request key | update        → correlation | "ok" | cursor [ | first update ]
 *     correlation | "history" | cursor or "earliest" | limit → correlation | "ok" | end ( | cursor | update )*
 *     correlation | "locate"  | id                           → correlation | "ok" | cursor, or empty when unknown
 *     correlation | "probe"   | nonce                        → correlation | "ok" | end, and the probe on XPUB
 *     anything that cannot be done                           → correlation | "error" | code | reason
 *
 * The correlation is any frame of the client's, echoed as it came, as is the empty delimiter of a REQ socket. A
 * publish is acknowledged once the update is stored. It may be repeated with its request key: the reply is then
 * that of the first time, with the update as it was stored first as its last frame. `end` is the cursor of the
 * newest update at the time of reading. A page of history holds at most `limit` updates, and fewer when they are
 * large, but one at least where there is any. Codes: `invalid`, the request is at fault; `history-lost`, the
 * cursor is older than what is kept or of another epoch.
 */
import * as v from "valibot";
import type { Cursor } from "../channel.ts";
import { InvalidUpdateError, newUpdateId, parseUpdate, type Update } from "../update.ts";
import type { Position } from "./catch_up.ts";

/** Largest frame that a socket takes, in bytes; ØMQ closes the connection that sends a larger one. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** Most updates in one page of history. */
export const MAX_PAGE = 1000;

/** Frames that are not of this format. The message says what is wrong and repeats nothing of them. */
export class WireError extends Error {
  override readonly name = "WireError";
}

export type Request =
  | { readonly verb: "publish"; readonly requestKey: string; readonly update: Update }
  | { readonly verb: "history"; readonly after: Position | "earliest"; readonly limit: number }
  | { readonly verb: "locate"; readonly id: string }
  | { readonly verb: "probe"; readonly nonce: string };

/** A request with the frames that its reply must begin with: a REQ socket's delimiter, the correlation. */
export interface AddressedRequest {
  readonly envelope: readonly Uint8Array[];
  /** The request, or why it is none. */
  readonly request: Request | WireError;
}

const ERROR_CODES = ["invalid", "history-lost"] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** What XPUB carries. */
export type Broadcast =
  | { readonly kind: "update"; readonly position: Position; readonly update: Update }
  | { readonly kind: "probe"; readonly end: Position; readonly nonce: string };

const PROBE_TOPIC = "\0probe";
const CURSOR = /^([0-9a-f]{16})-(0|[1-9][0-9]{0,15})$/;
// A byte order mark is kept, to be refused where it stands in a name: dropping it would make two names one.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function formatCursor({ epoch, number }: Position): Cursor {
  return `${epoch}-${number}` as Cursor;
}

/** @throws {WireError} when the text is no cursor. */
export function parseCursor(cursor: string): Position {
  const [, epoch, digits] = CURSOR.exec(cursor) ?? [];
  const number = Number(digits);
  if (epoch === undefined || !Number.isSafeInteger(number)) {
    throw new WireError("A cursor must be 16 hexadecimal digits, a hyphen and a number");
  }
  return { epoch, number };
}

/** The frames of a request, without its correlation. */
export function encodeRequest(request: Request): string[] {
  switch (request.verb) {
    case "publish":
      return ["publish", request.requestKey, JSON.stringify(request.update)];
    case "history":
      return [
        "history",
        request.after === "earliest" ? "earliest" : formatCursor(request.after),
        `${request.limit}`,
      ];
    case "locate":
      return ["locate", request.id];
    case "probe":
      return ["probe", request.nonce];
  }
}

/** Reads a request as a ROUTER socket hands it over, without the frame that names the peer. */
export function decodeRequest(frames: readonly Uint8Array[]): AddressedRequest {
  const start = frames[0]?.length === 0 ? 2 : 1;
  const envelope = frames.slice(0, start);
  try {
    if (frames.length < start) throw new WireError("A request must begin with its correlation");
    return { envelope, request: parseRequest(frames.slice(start).map(decodeText)) };
  } catch (error) {
    if (error instanceof WireError) return { envelope, request: error };
    throw error;
  }
}

/** How many frames follow each verb. */
const ARGUMENTS: ReadonlyMap<string, number> = new Map([["publish", 2], ["history", 2], ["locate", 1], [
  "probe",
  1,
]]);

function parseRequest([verb, ...args]: string[]): Request {
  const [first = "", second = ""] = args;
  const wanted = ARGUMENTS.get(verb ?? "");
  if (wanted === undefined) throw new WireError("A request must be publish, history, locate or probe");
  if (args.length !== wanted) throw new WireError(`A ${verb} request must have ${wanted} frames`);
  switch (verb) {
    case "publish":
      if (first === "") throw new WireError("A publish request must have a request key");
      return { verb, requestKey: first, update: decodeUpdate(second) };
    case "history":
      return { verb, after: first === "earliest" ? first : parseCursor(first), limit: parseLimit(second) };
    case "locate":
      return { verb, id: first };
    default:
      return { verb: "probe", nonce: first };
  }
}

function parseLimit(digits: string): number {
  const limit = /^[0-9]{1,9}$/.test(digits) ? Number(digits) : 0;
  if (limit < 1) throw new WireError("The limit of a history request must be a number from 1 on");
  return Math.min(limit, MAX_PAGE);
}

/** The frames of a message on XPUB, for a subscriber to read. */
export function encodeBroadcast(topic: string, cursor: Cursor, json: string): string[] {
  return [topic, cursor, json];
}

/** The frames of a probe on XPUB. */
export function encodeProbe(end: Position, nonce: string): string[] {
  return [PROBE_TOPIC, formatCursor(end), nonce];
}

/** @throws {WireError} when the frames are no message of XPUB. */
export function decodeBroadcast(frames: readonly Uint8Array[]): Broadcast {
  const [topic, cursor, last] = frames.map(decodeText);
  if (frames.length !== 3 || cursor === undefined || last === undefined) {
    throw new WireError("A broadcast must have 3 frames");
  }
  if (topic === PROBE_TOPIC) return { kind: "probe", end: parseCursor(cursor), nonce: last };
  return { kind: "update", position: parseCursor(cursor), update: decodeUpdate(last) };
}

/**
 * Reads what a PUB socket sent to XSUB, in any of the three forms.
 *
 * @throws {WireError} when it is none of them.
 */
export function decodePublication(frames: readonly Uint8Array[]): Update {
  const texts = frames.map(decodeText);
  if (texts.length < 1 || texts.length > 2) throw new WireError("A publication must have 1 or 2 frames");
  const value = parseJson(texts.at(-1) ?? "");
  const update = isDemoFrame(value) ? fromDemoFrame(value) : fromLooseUpdate(value);
  if (texts.length === 2 && texts[0] !== update.topics[0]) {
    throw new WireError("The topic frame must be the canonical topic of the update");
  }
  return update;
}

const demoFrame = v.object({
  event: v.string(),
  message: v.string(),
  urgent: v.optional(v.boolean(), false),
  level: v.string(),
});

function isDemoFrame(value: unknown): value is v.InferInput<typeof demoFrame> {
  return v.is(demoFrame, value) && !("topic" in value) && !("topics" in value);
}

function fromDemoFrame({ event, message, urgent, level }: v.InferInput<typeof demoFrame>): Update {
  return checkUpdate({
    id: newUpdateId(),
    topics: [`/tracking/${event}`],
    type: event,
    data: JSON.stringify({ message, level, ...(urgent && { notify: true }) }),
  });
}

function fromLooseUpdate(value: unknown): Update {
  if (typeof value !== "object" || value === null) throw new WireError("An update must be a JSON object");
  const { topic, ...rest } = value as Record<string, unknown>;
  return checkUpdate({ id: newUpdateId(), ...(topic !== undefined && { topics: [topic] }), ...rest });
}

function decodeUpdate(json: string): Update {
  return checkUpdate(parseJson(json));
}

function checkUpdate(value: unknown): Update {
  try {
    return parseUpdate(value);
  } catch (error) {
    if (error instanceof InvalidUpdateError) throw new WireError(error.message, { cause: error });
    throw error;
  }
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new WireError("An update must be JSON", { cause });
  }
}

/** Text of a frame, judged as UTF-8: Buffer's own decoder would put U+FFFD in place of what is not. */
export function decodeText(frame: Uint8Array): string {
  try {
    return utf8.decode(frame);
  } catch (cause) {
    throw new WireError("A frame must be UTF-8", { cause });
  }
}

/** What a reply says. */
export type Reply =
  | { readonly ok: true; readonly payload: readonly string[] }
  | { readonly ok: false; readonly code: ErrorCode; readonly reason: string };

/** The frames of a reply, behind the envelope. */
export function encodeReply(reply: Reply): string[] {
  return reply.ok ? ["ok", ...reply.payload] : ["error", reply.code, reply.reason];
}

/** @throws {WireError} when the frames, without the envelope, are no reply. */
export function decodeReply(frames: readonly Uint8Array[]): Reply {
  const [verdict, ...rest] = frames.map(decodeText);
  if (verdict === "ok" && rest.length > 0) return { ok: true, payload: rest };
  const [code, reason] = rest;
  const known = ERROR_CODES.find((candidate) => candidate === code);
  if (verdict === "error" && known !== undefined && reason !== undefined) {
    return { ok: false, code: known, reason };
  }
  throw new WireError("A reply must begin with ok or error");
}
