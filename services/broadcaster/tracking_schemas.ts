/**
 * What pages report: the batches of `POST /e`, what is answered, and the data of the updates that they become. The
 * schemas judge what comes in and are what `openapi.json` is made of.
 */
import * as v from "valibot";
import { FORBIDDEN } from "../lib/update.ts";

/** Most events of a batch. */
export const MAX_EVENTS = 50;
/** UTF-16 code units of a kind, which is cut there, and of a site, which is refused when it is longer. */
const MAX_NAME_LENGTH = 200;
/** UTF-16 code units of an address; what is longer is cut. */
const MAX_URL_LENGTH = 2048;
/** UTF-16 code units of the properties of one event as JSON; of what is longer only the length is kept. */
const MAX_PROPS_LENGTH = 16 * 1024;
/** How deep properties may be nested: whoever reads them may do so recursively. What is deeper is cut. */
const MAX_DEPTH = 8;
/** What stands where something was cut. */
const CUT = "…";
/** The last moment that a Date can hold, in milliseconds since 1970. Source: ECMA-262, "Time Values". */
const MAX_TIME = 8.64e15;

/** Without a flag for the case: JSON Schema knows none. */
const UUID = /^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[1-8][0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$/;
const FORBIDDEN_EVERYWHERE = new RegExp(FORBIDDEN, "gu");

/** A URL parser drops these segments, and the topic would match as another one: `/tracking/../x` as `/x`. */
const isNoDotSegment = (value: string) => value !== "." && value !== "..";
const NO_DOT_SEGMENT = "must not be . or ..";

/** What an operator has chosen, and can mend. */
const site = v.pipe(
  v.string("must be a string"),
  v.check((value) => value.isWellFormed(), "must not hold half a surrogate pair"),
  v.trim(),
  v.nonEmpty("must not be empty"),
  v.maxLength(MAX_NAME_LENGTH, `must have at most ${MAX_NAME_LENGTH} characters`),
  v.check((value) => !FORBIDDEN.test(value), "must not hold control or invisible format characters"),
  v.check(isNoDotSegment, NO_DOT_SEGMENT),
);

/** What may be the label of a button, with its line breaks and soft hyphens: made a name, where it can be. */
const kind = v.pipe(
  v.string("must be a string"),
  v.transform((value) =>
    cutTo(
      MAX_NAME_LENGTH,
      value.replace(/\s/gu, " ").replace(FORBIDDEN_EVERYWHERE, "").replace(/ +/g, " ").trim(),
    ).trim()
  ),
  v.nonEmpty("must not be empty"),
  v.check(isNoDotSegment, NO_DOT_SEGMENT),
);

const url = v.pipe(v.string("must be a string"), v.transform((value) => cutTo(MAX_URL_LENGTH, value)));

const uuid = v.pipe(v.string("must be a UUID"), v.regex(UUID, "must be a UUID"), v.toLowerCase());

const time = v.pipe(
  v.number("must be milliseconds since 1970"),
  v.transform((value) => Math.round(Math.min(Math.max(value, 0), MAX_TIME))),
);

const WANTED_COUNT = "must be a whole number from 0";
const count = v.pipe(v.number(WANTED_COUNT), v.safeInteger(WANTED_COUNT), v.minValue(0, WANTED_COUNT));

const rate = v.pipe(
  v.number("must be a number from 0 to 1"),
  v.minValue(0, "must be a number from 0 to 1"),
  v.maxValue(1, "must be a number from 0 to 1"),
);

const props = v.pipe(
  v.record(v.string(), v.unknown(), "must be an object"),
  v.transform(cutProps),
);

/** Valibot says the same of a value that is no object and of one in which a field is missing. */
const noObject = ({ expected }: v.BaseIssue<unknown>) =>
  expected === "Object" ? "must be an object" : "is missing";

/** One event of a batch. Short names: thousands of them travel. */
export const TRACKED_INPUT = v.object({
  id: v.pipe(uuid, v.description("Its own id: an event that comes again with it is stored once")),
  n: v.optional(v.pipe(count, v.description("Its number in the session")), 0),
  t: v.pipe(time, v.description("When it happened, by the clock of the browser, in ms since 1970")),
  k: v.pipe(kind, v.description("Its kind, such as pageview, click, or a name of your own")),
  u: v.optional(v.pipe(url, v.description("Address of the page"))),
  r: v.optional(v.pipe(url, v.description("Address of the page before"))),
  p: v.optional(v.pipe(props, v.description("Whatever else there is to say"))),
}, noObject);

export type TrackedInput = v.InferOutput<typeof TRACKED_INPUT>;

/** What all events of a batch share. */
const ENVELOPE = {
  v: v.literal(1, "must be 1"),
  site: v.pipe(site, v.description("Label of the site")),
  sid: v.optional(v.pipe(uuid, v.description("Id of the session"))),
  sent: v.pipe(time, v.description("When the batch was sent, by the clock of the browser, in ms since 1970")),
  try: v.optional(v.pipe(count, v.description("How often it was sent before")), 0),
  drop: v.optional(v.pipe(count, v.description("Events that were given up since the last batch")), 0),
  rate: v.optional(v.pipe(rate, v.description("Part of the sessions that report")), 1),
  privacy: v.optional(
    v.pipe(
      v.literal("ignore", "must be ignore or missing"),
      v.description("The site decided to pass over GPC and Do Not Track"),
    ),
  ),
  bots: v.optional(
    v.pipe(v.literal("allow", "must be allow or missing"), v.description("Automated browsers count")),
  ),
};

/** What is said beside the events: nonsense in it counts as nothing said, and costs no event. */
const BESIDE = {
  sid: v.fallback(ENVELOPE.sid, undefined),
  try: v.fallback(ENVELOPE.try, 0),
  drop: v.fallback(ENVELOPE.drop, 0),
  rate: v.fallback(ENVELOPE.rate, 1),
  privacy: v.fallback(ENVELOPE.privacy, undefined),
  bots: v.fallback(ENVELOPE.bots, undefined),
};

/** A batch, with its events not judged yet: a bad one does not spoil the others. */
export const BATCH = v.object({
  ...ENVELOPE,
  ...BESIDE,
  e: v.pipe(
    v.array(v.unknown(), "must be a list"),
    v.minLength(1, "must have an event"),
    v.maxLength(MAX_EVENTS, `must have at most ${MAX_EVENTS} events`),
  ),
}, noObject);

export type Batch = v.InferOutput<typeof BATCH>;

/** A batch as `openapi.json` documents it: with what each of its events has to be. */
export const DOCUMENTED_BATCH = v.pipe(
  v.object({
    ...ENVELOPE,
    e: v.pipe(v.array(TRACKED_INPUT), v.minLength(1), v.maxLength(MAX_EVENTS)),
  }),
  v.description("What happened on pages of one site, in one session"),
  v.examples([{
    v: 1,
    site: "shop",
    sid: "01a20a53-e715-7167-bac9-5c3790a3b78d",
    sent: 1_764_000_001_000,
    try: 0,
    drop: 0,
    rate: 1,
    e: [{
      id: "01a20a53-e3fb-7d3c-8f54-b2f95a4c4f10",
      n: 0,
      t: 1_764_000_000_950,
      k: "pageview",
      u: "https://shop.test/p",
      p: { title: "A page" },
    }],
  }]),
);

/** What is answered when there is more to say than 204. */
export const ANSWER = v.object({
  now: v.pipe(v.number(), v.description("The server's clock, in ms since 1970")),
  off: v.optional(v.pipe(v.boolean(), v.description("Stop: nothing more is wanted from this page"))),
  rate: v.optional(v.pipe(rate, v.description("Part of the new sessions that should report"))),
  rejected: v.optional(v.pipe(
    v.array(v.object({ index: v.number(), reason: v.string() })),
    v.description("Events of the batch that were not stored, and never will be"),
  )),
});

export type Answer = v.InferOutput<typeof ANSWER>;

/** What may be reported by its name alone, at `POST /event/<type>`. */
export const REPORT_TYPE = v.picklist(["log:open", "pill:blue", "pill:red"]);

export type ReportType = v.InferOutput<typeof REPORT_TYPE>;

/** The types of the updates that such reports become, which are their SSE event names. */
export const REPORTED_TYPE = v.picklist(["login", "user:btn"]);

export type ReportedType = v.InferOutput<typeof REPORTED_TYPE>;

/** The data of the update that such a report becomes, on `/tracking/<type>`. */
export const REPORTED_DATA = v.object({
  message: v.pipe(v.string(), v.description("What happened, for people")),
  level: v.picklist(["debug", "info"]),
  notify: v.optional(v.pipe(v.literal(true), v.description("Watchers should be alerted"))),
});

export type ReportedData = v.InferOutput<typeof REPORTED_DATA>;

/**
 * The type of the updates that all other events become. One for all: an `EventSource` has to know the types in advance, and one of type
 * `error` would be taken for the end of its connection. What happened is in the topic and in the data.
 */
export const TRACKED_TYPE = "track";

/** The data of the update that an event becomes, on `/tracking/<site>/<kind>`. Times are in ms since 1970. */
export const TRACKED_DATA = v.object({
  kind: v.string(),
  site: v.string(),
  id: v.pipe(v.string(), v.description("The event's own id, as its page made it")),
  sid: v.optional(v.string()),
  n: v.number(),
  time: v.pipe(v.number(), v.description("When it happened, corrected where the browser's clock is wrong")),
  clocks: v.pipe(
    v.object({ client: v.number(), sent: v.number(), received: v.number() }),
    v.description("When it happened and was sent by the browser's clock, and came in by the server's"),
  ),
  url: v.optional(v.string()),
  referrer: v.optional(v.string()),
  props: v.optional(v.record(v.string(), v.unknown())),
  try: v.optional(v.pipe(v.number(), v.description("How often it was sent before"))),
  dropped: v.optional(v.pipe(v.number(), v.description("Events that its page gave up before this one"))),
  sample: v.optional(v.pipe(v.number(), v.description("Part of the sessions that report, when not all do"))),
  // The reports of the demo page say the same, whichever way they come.
  ...v.partial(REPORTED_DATA).entries,
});

export type TrackedData = v.InferOutput<typeof TRACKED_DATA>;

/** The text, with at most so many UTF-16 code units; half a surrogate pair, which UTF-8 cannot hold, is replaced. */
function cutTo(maxLength: number, text: string): string {
  return text.slice(0, maxLength).toWellFormed();
}

function cutProps(props: Record<string, unknown>): Record<string, unknown> {
  const cut = cutDeep(props, MAX_DEPTH) as Record<string, unknown>;
  const { length } = JSON.stringify(cut);
  // As the tracker does it: that the event happened counts more than all that is said of it.
  return length > MAX_PROPS_LENGTH ? { _truncated: length } : cut;
}

/** A copy of what came out of JSON, with so many levels of objects, and nothing that harms who merges it. */
function cutDeep(value: unknown, levels: number): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value !== "object" || value === null) return value;
  if (levels === 0) return CUT;
  if (Array.isArray(value)) return value.map((each) => cutDeep(each, levels - 1));
  return Object.fromEntries(
    Object.entries(value).filter(([key]) => key !== "__proto__").map(([key, each]) => [
      key.toWellFormed(),
      cutDeep(each, levels - 1),
    ]),
  );
}
