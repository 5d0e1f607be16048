/**
 * Reads what a client wants to see out of its request: matchers, and where it left off.
 * Source: draft-dunglas-mercure-08, "Subscription" and "Reconnection".
 */
import type { Context } from "hono";
import { ID_PARAMETERS, MATCHER_PARAMETERS } from "../lib/api/subscribe.ts";
import { ProblemError, readBody } from "../lib/http.ts";
import {
  InvalidMatcherError,
  type Matcher,
  type MatcherOptions,
  parseMatcher,
  parseTopicSelector,
} from "../lib/matcher.ts";
import { type FormField, parseForm, parseQuery, requireForm } from "../lib/mercure/form.ts";

/** A Map, so that no inherited name is a parameter. */
const MATCHER_TYPES: ReadonlyMap<string, string> = new Map(Object.entries(MATCHER_PARAMETERS));

/** All names that begin so are kept for matchers to come. */
const RESERVED_NAME = /^match/i;

/** Most bytes of a `QUERY`: anybody may send one. */
const MAX_QUERY_BYTES = 256 * 1024;
/** Most UTF-16 code units of all matchers of one stream together: each of them is announced, and stored. */
const MAX_MATCHER_UNITS = 32_768;
/** Most characters of regular expressions in the matchers of one stream: they bound the memory that it takes. */
const MAX_EXPRESSIONS = 32_768;

export interface MatchersOptions extends MatcherOptions {
  readonly maxMatchers: number;
  /** Whether `topic` is a parameter too, as in 0.x. */
  readonly legacy: boolean;
}

/** The fields of the query component, and after them those of the body of a `QUERY`. */
export async function readFields(
  c: Context,
  { maxBody }: { readonly maxBody: number },
): Promise<FormField[]> {
  const fields = parseQuery(c.req.url);
  if (c.req.method !== "QUERY") return fields;
  requireForm(c.req.header("Content-Type"));
  return [...fields, ...parseForm(await readBody(c, Math.min(maxBody, MAX_QUERY_BYTES)))];
}

/**
 * The matchers among the fields, each once.
 *
 * @throws {ProblemError} when one is wrong, or there are too many.
 */
export function readMatchers(fields: readonly FormField[], options: MatchersOptions): Matcher[] {
  const matchers = new Map<string, Matcher>();
  let count = 0;
  for (const { name, value } of fields) {
    const isTopic = name === "topic";
    if (!isTopic && !RESERVED_NAME.test(name)) continue;
    const type = MATCHER_TYPES.get(name);
    if (isTopic && !options.legacy) {
      throw new ProblemError(
        400,
        "The parameter topic is of an older protocol; use match or match_urlpattern",
      );
    }
    if (!isTopic && type === undefined) {
      throw new ProblemError(
        400,
        `There is no such matcher; there are ${[...MATCHER_TYPES.keys()].join(", ")}`,
      );
    }
    if (value === undefined) throw new ProblemError(400, `The parameter ${name} is not UTF-8`);
    if (++count > options.maxMatchers) {
      throw new ProblemError(400, `A subscription has at most ${options.maxMatchers} matchers`);
    }
    const matcher = parse(
      name,
      () => type === undefined ? parseTopicSelector(value, options) : parseMatcher(type, value, options),
    );
    matchers.set(matcher.key, matcher);
  }
  const distinct = [...matchers.values()];
  if (distinct.reduce((sum, { pattern }) => sum + pattern.length, 0) > MAX_MATCHER_UNITS) {
    throw new ProblemError(400, `The matchers have at most ${MAX_MATCHER_UNITS} characters together`);
  }
  if (distinct.reduce((sum, { size }) => sum + size, 0) > MAX_EXPRESSIONS) {
    throw new ProblemError(400, "The matchers are too complex together; fewer wildcards and groups help");
  }
  return distinct;
}

function parse(name: string, read: () => Matcher): Matcher {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidMatcherError) {
      throw new ProblemError(400, `The parameter ${name} is no matcher: ${error.message}`);
    }
    throw error;
  }
}

/** The id that the client saw last: the header, which a reconnecting browser sends, beats the parameters. */
export function readLastEventId(c: Context, fields: readonly FormField[]): string | undefined {
  const header = c.req.header("Last-Event-ID");
  if (header) return fromHeader(header);
  const given = ID_PARAMETERS.map((name) => fields.find((field) => field.name === name))
    .filter((field) => field !== undefined);
  // Undefined, or an empty header, which is the id of nothing.
  if (given.length === 0) return header;
  // So is one that is not UTF-8.
  return given.find(({ value }) => value)?.value ?? "";
}

/** Browsers send the id as UTF-8, and Deno hands a header over one character per byte. */
function fromHeader(value: string): string {
  // What is not UTF-8 becomes an id that nobody has, as U+FFFD tells.
  return new TextDecoder().decode(Uint8Array.from(value, (char) => char.charCodeAt(0)));
}

/** The same the other way round: a header takes characters up to U+00FF only. */
export function toHeader(id: string): string {
  return String.fromCharCode(...new TextEncoder().encode(id));
}
