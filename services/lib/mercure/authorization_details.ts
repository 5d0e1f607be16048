/**
 * What a token allows: its `authorization_details`, or the `mercure` claim of the 0.x generation. Any defect rejects
 * the token as a whole: to skip a part would silently change what its issuer meant.
 * Source: RFC 9396; draft-dunglas-mercure-08, "Authorization Details".
 */
import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import {
  InvalidMatcherError,
  type Matcher,
  type MatcherOptions,
  parseMatcher,
  parseTopicSelector,
} from "../matcher.ts";

export const DETAIL_TYPE = "https://mercure.rocks/authorization-detail";

/** The claims of the 0.x generation; the longer one takes the other's place. */
const LEGACY_CLAIMS = ["https://mercure.rocks/", "mercure"] as const;

export interface SubscribeGrant {
  readonly matchers: readonly Matcher[];
  /** What the hub tells of a subscription that these matchers allow: an object, but for 0.x tokens anything. */
  readonly payload?: JsonValue;
}

/** What a token allows. */
export interface TopicGrants {
  readonly publish: readonly Matcher[];
  /** In the order of the token. */
  readonly subscribe: readonly SubscribeGrant[];
  /** What 0.x tokens have the hub tell of the subscriptions for which no grant has a payload of its own. */
  readonly payload?: JsonValue;
}

export interface DetailOptions extends MatcherOptions {
  /** Most Mercure entries, and most topics in all of them together. */
  readonly maxDetails: number;
}

/** The claim is no list of valid entries. The message says where and why, for the log only. */
export class InvalidDetailsError extends Error {
  override readonly name = "InvalidDetailsError";
}

/** Most selectors in each list of a 0.x token. */
const MAX_LEGACY_SELECTORS = 1000;

/**
 * Reads the claim `authorization_details`; without it, a token allows nothing.
 *
 * @throws {InvalidDetailsError}
 */
export function parseAuthorizationDetails(claim: unknown, options: DetailOptions): TopicGrants {
  const publish: Matcher[] = [];
  const subscribe: SubscribeGrant[] = [];
  if (claim === undefined) return { publish, subscribe };
  if (!Array.isArray(claim)) throw new InvalidDetailsError("authorization_details is no list");
  let details = 0;
  let topics = 0;
  for (const [index, entry] of claim.entries()) {
    // Entries of other types belong to other services, and their shape is none of our business.
    if (!isObject(entry) || entry.type !== DETAIL_TYPE) continue;
    const place = `authorization_details[${index}]`;
    details++;
    topics += Array.isArray(entry.topics) ? entry.topics.length : 0;
    const { maxDetails } = options;
    if (details > maxDetails) throw new InvalidDetailsError(`it has more than ${maxDetails} Mercure entries`);
    if (topics > maxDetails) throw new InvalidDetailsError(`its entries have more than ${maxDetails} topics`);
    const { actions, matchers, payload } = parseDetail(entry, place, options);
    if (actions.has("publish")) publish.push(...matchers);
    if (actions.has("subscribe")) subscribe.push({ matchers, ...(payload !== undefined && { payload }) });
  }
  return { publish, subscribe };
}

interface Detail {
  readonly actions: ReadonlySet<unknown>;
  readonly matchers: readonly Matcher[];
  readonly payload: JsonObject | undefined;
}

function parseDetail(entry: JsonObject, place: string, options: DetailOptions): Detail {
  const { actions, topics, payload } = entry;
  // Actions that are not known yet are allowed, and grant nothing.
  if (!isFilledList(actions) || !actions.every((action) => typeof action === "string")) {
    throw new InvalidDetailsError(`${place}.actions is not a list of one text at least`);
  }
  if (!isFilledList(topics)) {
    throw new InvalidDetailsError(`${place}.topics is not a list of one matcher at least`);
  }
  if (payload !== undefined && !isObject(payload)) {
    throw new InvalidDetailsError(`${place}.payload is no object`);
  }
  const matchers = topics.map((topic, index) => parseTopic(topic, `${place}.topics[${index}]`, options));
  return { actions: new Set(actions), matchers, payload };
}

/** Reads `{match, match_type}`. */
function parseTopic(topic: unknown, place: string, options: MatcherOptions): Matcher {
  if (!isObject(topic)) throw new InvalidDetailsError(`${place} is no object`);
  const { match, match_type: type = "exact" } = topic;
  if (typeof match !== "string") throw new InvalidDetailsError(`${place}.match is no text`);
  if (typeof type !== "string") throw new InvalidDetailsError(`${place}.match_type is no text`);
  return atPlace(place, () => parseMatcher(type, match, options));
}

/** @throws {InvalidDetailsError} where the parser finds no matcher. */
function atPlace(place: string, parse: () => Matcher): Matcher {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof InvalidMatcherError)) throw error;
    throw new InvalidDetailsError(`${place}: ${error.message}`, { cause: error });
  }
}

/** The claim of a 0.x token; undefined where it has none. */
export function legacyClaimOf(claims: Readonly<Record<string, unknown>>): unknown {
  const name = LEGACY_CLAIMS.find((name) => Object.hasOwn(claims, name));
  return name === undefined ? undefined : claims[name];
}

/**
 * Reads the claim of a 0.x token, `{publish, subscribe, payload}`, of which each may be missing. The lists hold topic
 * selectors, or objects with `match`, `match_type` and a payload of their own.
 *
 * @throws {InvalidDetailsError}
 */
export function parseLegacyClaim(claim: unknown, options: MatcherOptions): TopicGrants {
  if (!isObject(claim)) throw new InvalidDetailsError("its mercure claim is no object");
  const publish = selectorsOf(claim.publish, "mercure.publish").map((entry, index) =>
    parseSelector(entry, `mercure.publish[${index}]`, options)
  );
  const subscribe = selectorsOf(claim.subscribe, "mercure.subscribe").map((entry, index) => {
    const matcher = parseSelector(entry, `mercure.subscribe[${index}]`, options);
    const own = isObject(entry) ? entry.payload : undefined;
    return { matchers: [matcher], ...(isGiven(own) && { payload: own }) };
  });
  return { publish, subscribe, ...(isGiven(claim.payload) && { payload: claim.payload }) };
}

/** Encoders of other languages write what is not there as null. */
function isGiven(value: JsonValue | undefined): value is JsonValue {
  return value !== undefined && value !== null;
}

function selectorsOf(value: unknown, place: string): readonly unknown[] {
  // Encoders of other languages write an empty list as null.
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new InvalidDetailsError(`${place} is no list`);
  if (value.length > MAX_LEGACY_SELECTORS) {
    throw new InvalidDetailsError(`${place} has more than ${MAX_LEGACY_SELECTORS} entries`);
  }
  return value;
}

function parseSelector(entry: unknown, place: string, options: MatcherOptions): Matcher {
  if (typeof entry !== "string") return parseTopic(entry, place, options);
  return atPlace(place, () => parseTopicSelector(entry, options));
}

function isFilledList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > 0;
}
