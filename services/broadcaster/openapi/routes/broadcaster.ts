/** The routes of the broadcaster: what pages report, the tracker that reports it, and this description. */
import * as v from "valibot";
import { IDEMPOTENCY_KEY } from "../../../lib/api/publish.ts";
import { ANSWER, DOCUMENTED_BATCH, REPORT_TYPE } from "../../tracking_schemas.ts";
import { jsonText } from "../json_text.ts";
import { type Operation, preflight, type Routes } from "../operation.ts";
import { HEALTH_ROUTES } from "./health.ts";
import { HUB_PREFLIGHT, PUBLISH } from "./hub.ts";
import { page, pageFile, taggedText } from "./pages.ts";

/** Where the tracker is: the paths of the script, the module and the types. */
export interface TrackerPaths {
  readonly script: string;
  readonly module: string;
  readonly types: string;
}

export interface BroadcasterRoutesOptions {
  readonly hub: string;
  readonly events: string;
  readonly tracker: TrackerPaths;
  /** The names of the files beside the tracking page. */
  readonly files: readonly string[];
}

export const OPENAPI_PATH = "/openapi.json";

const REPORT_PATH = { type: REPORT_TYPE };

const REPORT: Operation = {
  id: "report",
  summary: "Reports what happened, by its name alone",
  description: "It becomes an update on `/tracking/<type>`. A body is not looked at.",
  path: REPORT_PATH,
  headers: { "Idempotency-Key": v.optional(IDEMPOTENCY_KEY) },
  answers: { 201: { description: "It is stored" } },
  problems: {
    400: "The key is wrong",
    404: "There is no such type",
    408: "The body does not come",
    413: "The body is too large",
    429: "Too much in a minute from this address",
    503: "Nobody acknowledged it in time: send it again with the same key",
  },
};

const TRACK: Operation = {
  id: "track",
  summary: "Reports a batch of events",
  description:
    "Each event becomes an update on `/tracking/<site>/<kind>`, once, however often it is sent. Its data is `TrackedData`. " +
    "The body is read as JSON, whatever its type: `text/plain` spares browsers a preflight. What programs that read " +
    "pages send is not stored, unless `bots` is `allow`; nor is what comes with `Sec-GPC: 1` or `DNT: 1`, unless " +
    "`privacy` is `ignore`.",
  body: { "text/plain": jsonText(["Batch"], DOCUMENTED_BATCH), "application/json": DOCUMENTED_BATCH },
  answers: {
    200: {
      description: "What can be stored is stored, and there is more to say",
      content: { "application/json": ANSWER },
    },
    204: { description: "All that is to be stored is stored" },
  },
  problems: {
    400: "The body is no JSON",
    403: "This site may not report",
    408: "The body does not come",
    413: "The body is too large",
    422: "The body is no batch",
    429: "Too much in a minute from this address, or of this site",
    503: "Nobody acknowledged the events in time: send them again",
  },
};

export function broadcasterRoutes({ hub, events, tracker, files }: BroadcasterRoutesOptions): Routes {
  const script = taggedText({ "text/javascript": v.string() });
  return {
    ...HEALTH_ROUTES,
    "/": { get: page("trackingPage", "The tracking page") },
    "/{file}": { get: pageFile("trackingPageFile", files) },
    "/event/{type}": { post: REPORT, options: preflight("reportPreflight", REPORT_PATH) },
    [events]: { post: TRACK, options: preflight("trackPreflight") },
    [tracker.script]: { get: { id: "trackerScript", summary: "The tracker, as a script", answers: script } },
    [tracker.module]: { get: { id: "trackerModule", summary: "The tracker, as a module", answers: script } },
    [tracker.types]: {
      get: {
        id: "trackerTypes",
        summary: "The types of the tracker",
        answers: taggedText({ "text/plain": v.string() }),
      },
    },
    [OPENAPI_PATH]: {
      get: {
        id: "openApi",
        summary: "This description",
        answers: taggedText({ "application/json": v.record(v.string(), v.unknown()) }),
      },
    },
    [hub]: { post: PUBLISH, options: HUB_PREFLIGHT },
  };
}
