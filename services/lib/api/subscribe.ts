/**
 * What subscribers ask for. The parameters stand in the query, or in the form that is the body of a `QUERY`.
 * Source: draft-dunglas-mercure-08, "Subscription" and "Reconnection".
 */
import * as v from "valibot";

/** The parameters that are matchers, and the type of each. */
export const MATCHER_PARAMETERS = {
  match: "exact",
  match_exact: "exact",
  match_urlpattern: "urlpattern",
} as const;

/** What clients call the last id: the protocol, then 0.x, then the polyfills for browsers without EventSource. */
export const ID_PARAMETERS = [
  "last_event_id",
  "lastEventID",
  "Last-Event-ID",
  "lastEventId",
  "evs_last_event_id",
] as const;

const MATCHER_DESCRIPTIONS = {
  exact: "Topics to see; `*` is every topic",
  urlpattern: "URL patterns of the topics to see",
} as const;

const matchers = Object.fromEntries(
  Object.entries(MATCHER_PARAMETERS).map(([name, type]) => [
    name,
    v.optional(v.pipe(v.array(v.string()), v.description(MATCHER_DESCRIPTIONS[type]))),
  ]),
);

/** Which updates to see: what any of them matches. */
export const MATCHERS_QUERY = v.object({
  ...matchers,
  topic: v.optional(v.pipe(
    v.array(v.string()),
    v.description("Topics or URI templates, as in Mercure 0.x; only where an issuer is of that generation"),
    v.metadata({ deprecated: true }),
  )),
  authorization: v.optional(v.pipe(
    v.string(),
    v.description("The token, as in Mercure 0.x; only where an issuer is of that generation"),
    v.metadata({ deprecated: true }),
  )),
});

const [LAST_EVENT_ID, ...OTHER_NAMES] = ID_PARAMETERS;

/** What a request for a stream may say: which updates to see, from where on, and how. */
export const STREAM_QUERY = v.object({
  ...MATCHERS_QUERY.entries,
  [LAST_EVENT_ID]: v.optional(v.pipe(
    v.string(),
    v.description("The id after which to resume; `earliest` stands for all that is kept"),
  )),
  ...Object.fromEntries(
    OTHER_NAMES.map((name) => [
      name,
      v.optional(
        v.pipe(v.string(), v.description(`Another name of ${LAST_EVENT_ID}, for clients that say so`)),
      ),
    ]),
  ),
  signals: v.optional(v.pipe(
    v.literal("1"),
    v.description("Adds what the hub itself has to say, as events of the type `mercure` without an id"),
  )),
});

export const STREAM_HEADERS = v.object({
  "Last-Event-ID": v.optional(v.pipe(
    v.string(),
    v.description("The id after which to resume, as browsers send it; it wins over the parameters"),
  )),
});
