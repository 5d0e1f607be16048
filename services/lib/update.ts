/**
 * What an update is, and the one door through which untrusted input becomes one.
 *
 * Everything behind this door trusts an {@link Update}: it can be written to the SSE wire without escaping a
 * field, and its id can travel in a header.
 */
import * as v from "valibot";
import { v7 as uuidv7 } from "uuid";

/** One message. Immutable once published. */
export interface Update {
  /** Unique name of the update, an IRI; the SSE `id` and so where a client resumes. */
  readonly id: string;
  /** The first is canonical, the others are alternates. */
  readonly topics: readonly [string, ...string[]];
  /** Free text, most often JSON. */
  readonly data: string;
  /** The SSE event name; without one, clients see `message`. */
  readonly type?: string;
  /** A private update reaches nobody without a grant. */
  readonly private: boolean;
  /** Milliseconds that a client waits before it reconnects. */
  readonly retry?: number;
}

/** Input that is no update. The message names the field and what was wanted, never the data. */
export class InvalidUpdateError extends Error {
  override readonly name = "InvalidUpdateError";
}

/**
 * Longest topic or type, in UTF-16 code units. The topic of an active subscription holds a whole matcher, encoded for
 * a path, so this is more than publishers may use.
 */
export const MAX_NAME_LENGTH = 16_384;
/** Longest id, likewise. It comes back in a request header, and proxies take no more than 8 KB of those. */
export const MAX_ID_LENGTH = 1024;
/** The type of what the hub itself has to say; publishers may not use it. Source: draft-dunglas-mercure-08. */
export const SIGNAL_TYPE = "mercure";
/** Most topics that one update may bear. */
export const MAX_TOPICS = 1000;

/**
 * Characters that no topic, id or type may hold. Controls (C0, DEL and C1, which are Unicode's `Cc`) would let a
 * publisher write fields of its own on the SSE wire; `Cf` (bidi and zero-width controls) would let two names look
 * alike. Source: draft-dunglas-mercure-08, "Topics".
 */
export const FORBIDDEN = /[\p{Cc}\p{Cf}]/u;

/** Valid UTF-16: a lone surrogate would be stored as one string and come out of UTF-8 as another one. */
const text = v.pipe(
  v.string("must be a string"),
  v.check((value) => value.isWellFormed(), "must not hold half a surrogate pair"),
);

const nameUpTo = (maxLength: number) =>
  v.pipe(
    text,
    v.nonEmpty("must not be empty"),
    v.maxLength(maxLength, `must have at most ${maxLength} characters`),
    v.check((value) => !FORBIDDEN.test(value), "must not hold control or invisible format characters"),
  );

const name = nameUpTo(MAX_NAME_LENGTH);

/** `earliest` asks for all history and `#…` names a place inside it, so neither can name one update. */
const id = v.pipe(
  nameUpTo(MAX_ID_LENGTH),
  v.check(
    (value) => value !== "earliest" && !value.startsWith("#"),
    'must not be "earliest" or start with "#"',
  ),
  // It comes back in a header, whose spaces at the ends HTTP drops.
  v.check((value) => !/^ | $/.test(value), "must not begin or end with a space"),
);

const topic = v.pipe(name, v.check((value) => value !== "*", 'must not be "*", which matches every topic'));

const WANTED_RETRY = "must be a whole number of milliseconds";

// Each check has a message of its own: Valibot's say what was received, and that is nobody's business.
const updateSchema = v.object({
  id,
  topics: v.pipe(
    v.tupleWithRest([topic], topic, "must be a list of one topic at least"),
    v.maxLength(MAX_TOPICS, `must have at most ${MAX_TOPICS} topics`),
  ),
  data: text,
  type: v.optional(name),
  private: v.optional(v.boolean("must be true or false"), false),
  retry: v.optional(v.pipe(
    v.number(WANTED_RETRY),
    v.safeInteger(WANTED_RETRY),
    v.minValue(0, WANTED_RETRY),
  )),
}, "must be an object");

/**
 * Returns the update that a value describes, with nothing in it that an update does not have.
 *
 * @throws {InvalidUpdateError} when the value is no update.
 */
export function parseUpdate(value: unknown): Update {
  const result = v.safeParse(updateSchema, value, { abortEarly: true });
  if (result.success) return withoutUndefined(result.output);
  const [issue] = result.issues;
  const field = v.getDotPath(issue) ?? "value";
  throw new InvalidUpdateError(`Cannot take the update: ${field} ${issue.message}`);
}

/** Returns a new id, `urn:uuid:` and a UUIDv7, which sorts by time. Source: RFC 9562, section 5.7. */
export function newUpdateId(): string {
  return `urn:uuid:${uuidv7()}`;
}

function withoutUndefined(update: v.InferOutput<typeof updateSchema>): Update {
  const { type, retry, ...rest } = update;
  return { ...rest, ...(type !== undefined && { type }), ...(retry !== undefined && { retry }) };
}
