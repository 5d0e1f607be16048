/**
 * Does a matcher match a topic? Subscriptions and grants consist of matchers.
 * Source: draft-dunglas-mercure-08, "Topic Matchers".
 */
import { BoundedCache } from "./bounded_cache.ts";
import { FORBIDDEN } from "./update.ts";
import { NotATemplateError, UriTemplate } from "./uri_template.ts";
import { componentsOf, InvalidPatternError, type UrlComponents, UrlPattern } from "./url_pattern.ts";

/** `template` exists only for the 0.x generation: `*`, an exact topic, or a URI template when it contains `{`. */
export type MatcherType = "exact" | "urlpattern" | "template";

/** The value that matches every topic, and that no topic may be. */
const WILDCARD = "*";

/** Bytes of the topics that are kept: some thousands of those that updates bear now. */
const TOPIC_CACHE_BYTES = 8 * 1024 * 1024;
/** Bytes that a topic takes with its components, about; and for each character, which is escaped in them at worst. */
const TOPIC_BYTES = 600;
const TOPIC_UNIT_BYTES = 10;

/** A topic of an update, with what matching it has found out so far; shared by all matchers. */
export class Topic {
  static readonly #lately = new BoundedCache<Topic>({
    maxBytes: TOPIC_CACHE_BYTES,
    sizeOf: ({ name }) => TOPIC_BYTES + TOPIC_UNIT_BYTES * name.length,
  });

  readonly name: string;
  /** For the base that was asked for last: nearly all hubs answer under one name. */
  #last: { readonly base: string; readonly components: UrlComponents | undefined } | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** The topic of this name; the same one as lately, so that it is parsed once for many updates that bear it. */
  static of(name: string): Topic {
    let topic = Topic.#lately.get(name);
    if (topic === undefined) {
      topic = new Topic(name);
      Topic.#lately.set(name, topic);
    }
    return topic;
  }

  /** Undefined when the topic does not parse as a URL against the base: then it matches no URL pattern. */
  componentsFor(base: string): UrlComponents | undefined {
    if (this.#last?.base !== base) this.#last = { base, components: componentsOf(this.name, base) };
    return this.#last.components;
  }
}

export interface Matcher {
  readonly type: MatcherType;
  /** As given. */
  readonly pattern: string;
  /** Equal for matchers of the same type that match the same: type, pattern and, for `urlpattern`, base. */
  readonly key: string;
  /** The one topic that it matches, where it can match only one: lets an index find it. */
  readonly exact: string | undefined;
  /** Whether the pattern is `*`. */
  readonly matchesAll: boolean;
  /** Characters of regular expressions that were compiled for it, each of which may take some 100 bytes of memory. */
  readonly size: number;
  matches(topic: Topic): boolean;
}

export interface MatcherOptions {
  /** The hub URL, absolute: relative patterns and topics are resolved against it. */
  readonly base: string;
  /** Of a pattern, in bytes of UTF-8. */
  readonly maxLength: number;
}

/** A matcher that cannot be used. The message is fit for a client. */
export class InvalidMatcherError extends Error {
  override readonly name = "InvalidMatcherError";
}

/**
 * Returns the matcher that a query parameter or a token asks for.
 *
 * @throws {InvalidMatcherError} when the type is neither `exact` nor `urlpattern`, or the pattern is empty, too
 * long, no pattern, or holds characters that no topic holds.
 */
export function parseMatcher(type: string, pattern: string, options: MatcherOptions): Matcher {
  if (type !== "exact" && type !== "urlpattern") {
    throw new InvalidMatcherError('Cannot take the matcher: its type must be "exact" or "urlpattern"');
  }
  checkPattern(pattern, options);
  // Before the type is looked at: `*` under `urlpattern` would be a path beside the hub.
  if (pattern === WILDCARD) return matchAll(type);
  if (type === "exact") return matchExact(type, pattern);
  const { base } = options;
  const urlPattern = compile(() => new UrlPattern(pattern, base));
  return {
    type,
    pattern,
    key: keyOf(type, pattern, base),
    exact: undefined,
    matchesAll: false,
    size: urlPattern.size,
    matches: (topic) => {
      const components = topic.componentsFor(base);
      return components !== undefined && urlPattern.test(components);
    },
  };
}

/**
 * Returns the matcher that a topic selector of the 0.x generation asks for: `*`, a topic, or a URI template.
 *
 * @throws {InvalidMatcherError} as {@link parseMatcher} does.
 */
export function parseTopicSelector(pattern: string, options: Pick<MatcherOptions, "maxLength">): Matcher {
  const type = "template";
  checkPattern(pattern, options);
  if (pattern === WILDCARD) return matchAll(type);
  if (!pattern.includes("{")) return matchExact(type, pattern);
  const template = compile(() => parseTemplate(pattern));
  if (template === undefined) return matchExact(type, pattern);
  return {
    type,
    pattern,
    key: keyOf(type, pattern),
    exact: undefined,
    matchesAll: false,
    size: template.size,
    // A template as a topic selects itself, which its expansions, that have no braces, cannot do.
    matches: (topic) => topic.name === pattern || template.test(topic.name),
  };
}

/** Braces may be part of a topic: undefined for what is no template. */
function parseTemplate(pattern: string): UriTemplate | undefined {
  try {
    return new UriTemplate(pattern);
  } catch (error) {
    if (error instanceof NotATemplateError) return undefined;
    throw error;
  }
}

function checkPattern(pattern: string, { maxLength }: Pick<MatcherOptions, "maxLength">): void {
  const wanted = pattern === ""
    ? "must not be empty"
    : isLongerThan(pattern, maxLength)
    ? `must have at most ${maxLength} bytes`
    : !pattern.isWellFormed()
    ? "must not hold half a surrogate pair"
    : FORBIDDEN.test(pattern)
    ? "must not hold control or invisible format characters"
    : undefined;
  if (wanted !== undefined) throw new InvalidMatcherError(`Cannot take the matcher: its pattern ${wanted}`);
}

const encoder = new TextEncoder();

/** A code unit of UTF-16 has one to three bytes in UTF-8, so most patterns need not be encoded. */
function isLongerThan(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return true;
  return text.length * 3 > maxBytes && encoder.encode(text).length > maxBytes;
}

function compile<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof InvalidPatternError) throw new InvalidMatcherError(error.message);
    throw error;
  }
}

function matchAll(type: MatcherType): Matcher {
  return {
    type,
    pattern: WILDCARD,
    key: keyOf(type, WILDCARD),
    exact: undefined,
    matchesAll: true,
    size: 0,
    matches: () => true,
  };
}

/** Code unit by code unit: neither resolved nor normalised. */
function matchExact(type: MatcherType, pattern: string): Matcher {
  return {
    type,
    pattern,
    key: keyOf(type, pattern),
    exact: pattern,
    matchesAll: false,
    size: 0,
    matches: (topic) => topic.name === pattern,
  };
}

/** Unique because no pattern holds a line feed. */
function keyOf(...parts: readonly string[]): string {
  return parts.join("\n");
}
