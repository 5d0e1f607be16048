/** The routes of the streamer: the hub, streams, the history, and the page to try it all. */
import * as v from "valibot";
import { HISTORY_ANSWER, HISTORY_QUERY } from "../../../lib/api/history.ts";
import { METADATA } from "../../../lib/api/metadata.ts";
import { MATCHERS_QUERY, STREAM_HEADERS, STREAM_QUERY } from "../../../lib/api/subscribe.ts";
import {
  LEGACY_SUBSCRIPTION,
  LEGACY_SUBSCRIPTIONS,
  SUBSCRIPTION,
  SUBSCRIPTION_PATH,
  SUBSCRIPTIONS,
} from "../../../lib/api/subscriptions.ts";
import { FORM_TYPE } from "../../../lib/mercure/form.ts";
import {
  type Answer,
  type Fields,
  headOf,
  type Operation,
  preflight,
  type Route,
  type Routes,
  type Schema,
} from "../operation.ts";
import { SSE_EVENT } from "../sse_events.ts";
import { HEALTH_ROUTES } from "./health.ts";
import { HUB_PREFLIGHT, PUBLISH } from "./hub.ts";
import { page, pageFile, redirect, redirection } from "./pages.ts";

export interface StreamerRoutesOptions {
  readonly hub: string;
  /** Where the hub describes itself. */
  readonly metadata: string;
  /** The names of the files beside the hub page. */
  readonly files: readonly string[];
  /** How the files that the hub page shares with the logger page are served. */
  readonly loggerFile: Operation;
}

const EVERYTHING = "The stream of everything, unless there are matchers";

/** What a token, or a request without one, is refused for. */
const REFUSALS = {
  400: "A parameter, or the way in which the token came, is wrong",
  401: "The token is not accepted, or there is none and ANONYMOUS is off",
};

/** What the form of a `QUERY` is refused for. */
const FORM_REFUSALS = {
  408: "The body does not come",
  413: "The body is too large",
  415: "The body is no form",
};

const STREAM_ANSWER: Answer = {
  description: "The stream, which lasts; one that is over at once where there are too many",
  content: { "text/event-stream": v.array(SSE_EVENT) },
  headers: {
    "Accept-Query": "What the body of a `QUERY` has to be",
    "Mercure-Last-Event-ID":
      "The id after which it begins; `earliest` too when nobody knows the one that was asked for",
    "Last-Event-ID": "What `Mercure-Last-Event-ID` says, where the token or a matcher is of Mercure 0.x",
  },
};

/** A stream at one address, however it is asked for. */
function stream(id: string, summary: string): Route & { readonly get: Operation } {
  const shared = {
    summary,
    description:
      "An update comes once, whichever of the matchers match. A token lets private updates be seen that it grants. " +
      "Comments keep a silent connection open; `retry` says how long to wait before a reconnection.",
    headers: STREAM_HEADERS.entries,
    answers: { 200: STREAM_ANSWER },
    token: "taken",
  } as const;
  const problems = { ...REFUSALS, 429: "There are too many streams, and this is no EventSource" };
  const get = { ...shared, id, query: STREAM_QUERY.entries, problems };
  return {
    get,
    head: headOf(get),
    query: {
      ...shared,
      id: `${id}Query`,
      body: { [FORM_TYPE]: STREAM_QUERY },
      problems: { ...problems, ...FORM_REFUSALS },
    },
    options: preflight(`${id}Preflight`),
  };
}

function history(id: string): Route {
  const query = v.object({ ...MATCHERS_QUERY.entries, ...HISTORY_QUERY.entries });
  const shared = {
    summary: "What happened before, page by page in both directions",
    description:
      "At most one of the places may be given; without one, it is the newest. Without a matcher, it is all.",
    answers: { 200: { description: "A page", content: { "application/json": HISTORY_ANSWER } } },
    token: "taken",
  } as const;
  const problems = {
    ...REFUSALS,
    404: "Nobody knows the id",
    410: "What the place names is no longer kept",
    503: "The history cannot be read now: come back",
  };
  return {
    get: { ...shared, id, query: query.entries, problems },
    query: {
      ...shared,
      id: `${id}Query`,
      body: { [FORM_TYPE]: query },
      problems: { ...problems, ...FORM_REFUSALS },
    },
    options: preflight(`${id}Preflight`),
  };
}

interface SubscriptionsOptions {
  readonly path?: Fields;
  /** What is answered; undefined at a path that only Mercure 0.x has. */
  readonly json?: Schema;
  /** What is answered to tokens of the 0.x generation. */
  readonly legacy: Schema;
}

/** Active subscriptions at one path. */
function subscriptions(
  id: string,
  summary: string,
  { path = {}, json, legacy }: SubscriptionsOptions,
): Route {
  const headers = {
    ETag: "Tells this list from others",
    Link: "The hub, and the id of the last update before the answer",
  };
  return {
    get: {
      id,
      summary,
      description: "With SUBSCRIPTIONS=on, for tokens that grant subscribing to this very path. " +
        "Tokens and paths of Mercure 0.x are answered with JSON-LD.",
      path,
      answers: {
        200: {
          description: "What is active now",
          content: { ...(json && { "application/json": json }), "application/ld+json": legacy },
          headers,
        },
        304: { description: "The client has it already", headers },
      },
      problems: {
        400: "There is no such type of matcher, or the token did not come as it has to",
        401: "There is no token, or it is not accepted",
        403: "The token does not grant this path",
        404: "There is nothing at this path",
        503: "The list is not known yet",
      },
      token: "needed",
    },
    options: preflight(`${id}Preflight`, path),
  };
}

/** The paths of active subscriptions. */
function subscriptionRoutes(root: string): Routes {
  const { match_type, match, subscriber, topic } = SUBSCRIPTION_PATH;
  return {
    [root]: subscriptions("subscriptions", "All active subscriptions", {
      json: SUBSCRIPTIONS,
      legacy: LEGACY_SUBSCRIPTIONS,
    }),
    [`${root}/{topic}`]: subscriptions("legacySubscriptions", "Those to one topic, as in Mercure 0.x", {
      path: { topic },
      legacy: LEGACY_SUBSCRIPTIONS,
    }),
    [`${root}/{match_type}/{match}`]: subscriptions(
      "subscriptionsOfMatcher",
      "Those by one matcher; in Mercure 0.x the parts are a topic and a subscriber, and the answer is one",
      {
        path: { match_type, match },
        json: SUBSCRIPTIONS,
        legacy: v.union([LEGACY_SUBSCRIPTIONS, LEGACY_SUBSCRIPTION]),
      },
    ),
    [`${root}/{match_type}/{match}/{subscriber}`]: subscriptions(
      "subscription",
      "That of one stream by one matcher",
      { path: { match_type, match, subscriber }, json: SUBSCRIPTION, legacy: LEGACY_SUBSCRIPTION },
    ),
  };
}

export function streamerRoutes({ hub, metadata, files, loggerFile }: StreamerRoutesOptions): Routes {
  const all = stream("streamAll", EVERYTHING);
  return {
    ...HEALTH_ROUTES,
    [hub]: {
      ...stream("subscribe", "A stream of the updates that the matchers match, one at least"),
      post: PUBLISH,
      options: HUB_PREFLIGHT,
    },
    "/events": all,
    "/events/": stream("streamAllWithSlash", EVERYTHING),
    "/history": history("history"),
    "/events/history": history("historyBelowEvents"),
    ...subscriptionRoutes(`${hub}/subscriptions`),
    [metadata]: {
      get: {
        id: "hubMetadata",
        summary: "How the hub is protected",
        description: "Where there is an issuer.",
        answers: { 200: { description: "Its metadata", content: { "application/json": METADATA } } },
      },
      options: preflight("hubMetadataPreflight"),
    },
    "/metrics": {
      get: {
        id: "metrics",
        summary: "What the hub has done, for Prometheus",
        description: "With METRICS=on.",
        answers: {
          200: { description: "Text-based exposition format 0.0.4", content: { "text/plain": v.string() } },
        },
      },
    },
    "/": {
      get: {
        ...all.get,
        id: "streamerRoot",
        summary: "The stream of everything where text/event-stream is accepted, else the way to /hub/",
        answers: { ...all.get.answers, ...redirection("/hub/") },
      },
    },
    "/hub": { get: redirect("hubPageWithoutSlash", "/hub/") },
    "/hub/": { get: page("hubPage", "The page to try the hub") },
    "/hub/{file}": { get: pageFile("hubPageFile", files) },
    "/logger/{file}": { get: loggerFile },
  };
}
