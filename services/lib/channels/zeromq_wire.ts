/**
 * The wire format of the forwarder's three ØMQ sockets. This comment is its specification; programs in any
 * language may speak it. Text is UTF-8, numbers are decimal, a frame is one part of an ØMQ message.
 *
 * **Cursor**: `<epoch>-<number>`. The epoch is 16 lower-case hexadecimal digits, made when a log is created; the
 * number counts its updates, from 1 and without holes. `<epoch>-0` is the place before the first update.
 *
 * **Update**: a JSON object
 * `{"id": string, "topics": [string, …], "data": string, "type"?: string, "private"?: boolean, "retry"?: number}`
 * under the rules of `../update.ts`, of at most 4,128,768 bytes.
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
 * The type `mercure` is the hub's own and refused. The demo frame is what `send_json` of the original Python
 * program sends. It becomes an update on the topic `/tracking/<event>`, of type `<event>`, with the data
 * `{"message", "level"}` and `"notify": true` when urgent.
 *
 * ## ROUTER: requests from DEALER or REQ sockets, each with one reply
 *
 *     correlation | "publish" | request key | update        → correlation | "ok" | cursor [ | first update ]
 *     correlation | "history" | cursor or "earliest" | limit → correlation | "ok" | end ( | cursor | update )*
 *     correlation | "locate"  | id                           → correlation | "ok" | cursor, or empty when unknown
 *     correlation | "end"     | milliseconds                 → correlation | "ok" | end, as it was so long ago
 *     correlation | "probe"   | nonce                        → correlation | "ok" | end, and the probe on XPUB
 *     anything that cannot be done                           → correlation | "error" | code | reason
 *
 * The correlation is any frame of the client's, echoed as it came, as is the empty delimiter of a REQ socket. A
 * publish is acknowledged once the update is stored. It may be repeated with its request key: the reply is then
 * that of the first time, with the update as it was stored first as its last frame. `end` is the cursor of the
 * newest update at the time of reading. A page of history holds at most `limit` updates, and fewer when they are
 * large, but one at least where there is any. Codes: `invalid`, the request is at fault; `history-lost`, the
 * cursor is older than what is kept or of another epoch; `unavailable`, nothing can be stored now.
 */
import { Buffer, isUtf8 } from "node:buffer";
import * as v from "valibot";
import { InvalidUpdateError, newUpdateId, parseUpdate, SIGNAL_TYPE, type Update } from "../update.ts";
import { formatCursor, parseCursor, type Position, type Positioned } from "./position.ts";

/** The ports of the sockets when nothing else is said. */
export const DEFAULT_PORTS = { xsub: 8300, xpub: 8301, router: 8302 } as const;

/** Largest frame that a socket takes, in bytes; ØMQ closes the connection that sends a larger one. */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024;

/** Largest update that is taken in, as JSON in bytes: with what is added to it, it must still be one frame. */
const MAX_UPDATE_BYTES = MAX_FRAME_BYTES - 64 * 1024;

/** Longest request key, in UTF-16 code units: keys are kept and indexed as long as their updates. */
export const MAX_KEY_LENGTH = 1024;

/** Most updates in one page of history. */
export const MAX_PAGE = 1000;

/** Frames that are not of this format. The message says what is wrong and repeats nothing of them. */
export class WireError extends Error {
  override readonly name = "WireError";
}

export type RouterRequest =
  | { readonly verb: "publish"; readonly requestKey: string; readonly update: Update }
  | { readonly verb: "history"; readonly after: Position | "earliest"; readonly limit: number }
  | { readonly verb: "locate"; readonly id: string }
  | { readonly verb: "end"; readonly msAgo: number }
  | { readonly verb: "probe"; readonly nonce: string };

/** A request, or what is wrong with it, and the frames that its reply begins with: REQ's delimiter, correlation. */
export type AddressedRequest =
  & { readonly envelope: readonly Uint8Array[] }
  & ({ readonly request: RouterRequest } | { readonly request?: never; readonly error: WireError });

const ERROR_CODES = ["invalid", "history-lost", "unavailable"] as const;

/** Text frames behind the envelope of a reply, or why there are none. */
export type Reply =
  | { readonly ok: true; readonly payload: readonly string[] }
  | { readonly ok: false; readonly code: (typeof ERROR_CODES)[number]; readonly reason: string };

/** What XPUB carries. */
export type XpubMessage =
  | { readonly kind: "update"; readonly position: Position; readonly update: Update }
  | { readonly kind: "probe"; readonly end: Position; readonly nonce: string };

/** An update as it is stored. */
export interface StoredUpdate {
  readonly position: Position;
  /** The update as JSON. It is encoded once, when it is stored. */
  readonly json: string;
}

const PROBE_TOPIC = "\0probe";

// Requests

/** How many frames follow each verb. */
const ARGUMENTS: ReadonlyMap<string, number> = new Map(
  Object.entries({ publish: 2, history: 2, locate: 1, end: 1, probe: 1 }),
);

/** The frames of a request, without its correlation. */
export function encodeRequest(request: RouterRequest): string[] {
  switch (request.verb) {
    case "publish":
      return ["publish", request.requestKey, JSON.stringify(request.update)];
    case "history": {
      const after = request.after === "earliest" ? "earliest" : formatCursor(request.after);
      return ["history", after, `${request.limit}`];
    }
    case "locate":
      return ["locate", request.id];
    case "end":
      return ["end", `${request.msAgo}`];
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
    refuseTooLarge(frames);
    return { envelope, request: parseRequest(frames.slice(start).map(decodeText)) };
  } catch (error) {
    if (error instanceof WireError) return { envelope, error };
    throw error;
  }
}

function parseRequest([verb, ...args]: string[]): RouterRequest {
  const [first = "", second = ""] = args;
  const wanted = ARGUMENTS.get(verb ?? "");
  if (wanted === undefined) throw new WireError("A request must be publish, history, locate, end or probe");
  if (args.length !== wanted) throw new WireError(`A ${verb} request must have ${wanted} frames`);
  switch (verb) {
    case "publish":
      if (first === "" || first.length > MAX_KEY_LENGTH) {
        throw new WireError(
          `A publish request must have a request key of at most ${MAX_KEY_LENGTH} characters`,
        );
      }
      return { verb, requestKey: first, update: decodeUpdate(second) };
    case "history":
      return { verb, after: first === "earliest" ? first : decodeCursor(first), limit: decodeLimit(second) };
    case "locate":
      return { verb, id: first };
    case "end":
      return { verb, msAgo: decodeCount(first, "The milliseconds of an end request") };
    case "probe":
      return { verb, nonce: first };
    default:
      throw new Error(`The table of verbs has ${verb}, and nothing reads it`);
  }
}

// Replies

/** The frames of a reply, behind the envelope. */
export function encodeReply(reply: Reply): string[] {
  return reply.ok ? ["ok", ...reply.payload] : ["error", reply.code, reply.reason];
}

/** @throws {WireError} when the frames, without the envelope, are no reply. */
export function decodeReply(frames: readonly Uint8Array[]): Reply {
  const [verdict, ...rest] = frames.map(decodeText);
  if (verdict === "ok" && rest.length > 0) return { ok: true, payload: rest };
  const [name, reason] = rest;
  const code = ERROR_CODES.find((candidate) => candidate === name);
  if (verdict === "error" && code !== undefined && reason !== undefined) return { ok: false, code, reason };
  throw new WireError("A reply must begin with ok or error");
}

/** The answer to a publish: where the update is, and what it is when an earlier request had stored it. */
export function encodePublished(position: Position, first?: string): Reply {
  return { ok: true, payload: [formatCursor(position), ...(first === undefined ? [] : [first])] };
}

/** @throws {WireError} when the payload is no such answer, as the others below. */
export function decodePublished([cursor, first]: readonly string[]): { position: Position; first?: Update } {
  return { position: decodeCursor(cursor), ...(first !== undefined && { first: decodeUpdate(first) }) };
}

/** The answer to a history request. */
export function encodePage(end: Position, updates: readonly StoredUpdate[]): Reply {
  const frames = updates.flatMap(({ position, json }) => [formatCursor(position), json]);
  return { ok: true, payload: [formatCursor(end), ...frames] };
}

export function decodePage([end, ...frames]: readonly string[]): {
  end: Position;
  updates: Positioned<Update>[];
} {
  const updates: Positioned<Update>[] = [];
  for (let index = 0; index < frames.length; index += 2) {
    const [cursor, json] = frames.slice(index, index + 2);
    updates.push({ position: decodeCursor(cursor), item: decodeUpdate(json) });
  }
  return { end: decodeCursor(end), updates };
}

/** The answer to a locate request. */
export function encodeLocated(position: Position | undefined): Reply {
  return { ok: true, payload: [position === undefined ? "" : formatCursor(position)] };
}

export function decodeLocated([cursor]: readonly string[]): Position | undefined {
  return cursor === "" ? undefined : decodeCursor(cursor);
}

/** The answer to an end request or a probe. */
export function encodeEnd(end: Position): Reply {
  return { ok: true, payload: [formatCursor(end)] };
}

export function decodeEnd([end]: readonly string[]): Position {
  return decodeCursor(end);
}

// XPUB

/** The frames of an update on XPUB, for a subscriber to read. */
export function encodeUpdate(topic: string, { position, json }: StoredUpdate): string[] {
  return [topic, formatCursor(position), json];
}

/** The frames of a probe on XPUB. */
export function encodeProbe(end: Position, nonce: string): string[] {
  return [PROBE_TOPIC, formatCursor(end), nonce];
}

/** @throws {WireError} when the frames are no message of XPUB. */
export function decodeXpub(frames: readonly Uint8Array[]): XpubMessage {
  const [topic, cursor, last] = frames.map(decodeText);
  if (frames.length !== 3 || last === undefined) throw new WireError("A message on XPUB must have 3 frames");
  if (topic === PROBE_TOPIC) return { kind: "probe", end: decodeCursor(cursor), nonce: last };
  return { kind: "update", position: decodeCursor(cursor), update: decodeUpdate(last) };
}

// XSUB

const demoFrame = v.object({
  event: v.string(),
  message: v.string(),
  urgent: v.optional(v.boolean(), false),
  level: v.string(),
});

type DemoFrame = v.InferInput<typeof demoFrame>;

/**
 * Reads what a PUB socket sent to XSUB, in any of the three forms.
 *
 * @throws {WireError} when it is none of them.
 */
export function decodeXsub(frames: readonly Uint8Array[]): Update {
  refuseTooLarge(frames);
  const texts = frames.map(decodeText);
  if (texts.length < 1 || texts.length > 2) throw new WireError("A message to XSUB must have 1 or 2 frames");
  const value = parseJson(texts.at(-1) ?? "");
  const update = isDemoFrame(value) ? fromDemoFrame(value) : fromLooseUpdate(value);
  if (update.type === SIGNAL_TYPE) throw new WireError(`The type ${SIGNAL_TYPE} is the hub's own`);
  if (texts.length === 2 && texts[0] !== update.topics[0]) {
    throw new WireError("The topic frame must be the canonical topic of the update");
  }
  return update;
}

function isDemoFrame(value: unknown): value is DemoFrame {
  return v.is(demoFrame, value) && !("topic" in value) && !("topics" in value);
}

function fromDemoFrame({ event, message, urgent, level }: DemoFrame): Update {
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

// Frames

/**
 * Text of a frame. Buffer's decoder is several times as fast as `TextDecoder` at this size, but puts U+FFFD in place
 * of what is not UTF-8, so that is asked before. It keeps a byte order mark, to be refused where that stands in a
 * name: dropping it would make two names one.
 */
export function decodeText(frame: Uint8Array): string {
  if (!isUtf8(frame)) throw new WireError("A frame must be UTF-8");
  const bytes = Buffer.isBuffer(frame) ? frame : Buffer.from(frame.buffer, frame.byteOffset, frame.length);
  return bytes.toString();
}

/** Bytes that a UTF-16 code unit takes in JSON at most, as `\u0000`. */
const MAX_UNIT_BYTES = 6;

/**
 * Looks at an update before it is sent: for one that is too large the forwarder cuts the connection, and with it
 * whatever else is on its way.
 *
 * @throws {InvalidUpdateError} when the update is larger than the forwarder takes.
 */
export function refuseOversized(update: Update): void {
  const units = update.data.length + update.topics.reduce((sum, topic) => sum + topic.length, 0);
  if (units * MAX_UNIT_BYTES < MAX_UPDATE_BYTES / 2) return;
  if (Buffer.byteLength(JSON.stringify(update)) <= MAX_UPDATE_BYTES) return;
  throw new InvalidUpdateError(`Cannot take the update: it must have at most ${MAX_UPDATE_BYTES} bytes`);
}

function refuseTooLarge(frames: readonly Uint8Array[]): void {
  if (frames.some((frame) => frame.length > MAX_UPDATE_BYTES)) {
    throw new WireError(`An update must have at most ${MAX_UPDATE_BYTES} bytes`);
  }
}

function decodeCursor(text: string | undefined): Position {
  const position = parseCursor(text ?? "");
  if (position === undefined) {
    throw new WireError("A cursor must be 16 hexadecimal digits, a hyphen and a number");
  }
  return position;
}

function decodeLimit(digits: string): number {
  const limit = decodeCount(digits, "The limit of a history request");
  if (limit < 1) throw new WireError("The limit of a history request must be a number from 1 on");
  return Math.min(limit, MAX_PAGE);
}

function decodeCount(digits: string, what: string): number {
  if (!/^[0-9]{1,12}$/.test(digits)) throw new WireError(`${what} must be a whole number`);
  return Number(digits);
}

function decodeUpdate(json: string | undefined): Update {
  return checkUpdate(parseJson(json ?? ""));
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
