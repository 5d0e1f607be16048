/**
 * The description of all HTTP routes of all services, made of the schemas by which they judge and answer.
 * Source: OpenAPI Specification 3.1.
 */
import { HISTORY_ANSWER } from "../../lib/api/history.ts";
import { METADATA } from "../../lib/api/metadata.ts";
import { PROBLEM, PROBLEM_TYPE } from "../../lib/api/problem.ts";
import { PUBLISH_FORM } from "../../lib/api/publish.ts";
import { SIGNAL } from "../../lib/api/signal.ts";
import { STREAM_QUERY } from "../../lib/api/subscribe.ts";
import {
  LEGACY_SUBSCRIPTION,
  LEGACY_SUBSCRIPTIONS,
  SUBSCRIPTION,
  SUBSCRIPTIONS,
} from "../../lib/api/subscriptions.ts";
import type { HubUrl } from "../../lib/mercure/hub_url.ts";
import { ANSWER, DOCUMENTED_BATCH, REPORTED_DATA, TRACKED_DATA } from "../tracking_schemas.ts";
import { type Part, SchemaParts } from "./json_schema.ts";
import type { Schema } from "./operation.ts";
import {
  headersOf,
  pathsOf,
  PROBLEM_RESPONSE,
  REQUEST_ID,
  type RoutesOf,
  type Servers,
  type Service,
} from "./paths.ts";
import { broadcasterRoutes, type TrackerPaths } from "./routes/broadcaster.ts";
import { FORWARDER_ROUTES } from "./routes/forwarder.ts";
import { loggerRoutes } from "./routes/logger.ts";
import { pageFile } from "./routes/pages.ts";
import { streamerRoutes } from "./routes/streamer.ts";
import {
  REPORTED_SSE_EVENT,
  SIGNAL_SSE_EVENT,
  SSE_EVENT,
  SUBSCRIPTION_SSE_EVENT,
  TRACKED_SSE_EVENT,
  UPDATE_SSE_EVENT,
} from "./sse_events.ts";

/** The names of the files beside each page, as the services serve them. */
export interface PageFiles {
  readonly tracking: readonly string[];
  readonly hub: readonly string[];
  readonly logger: readonly string[];
}

/** What the broadcaster is told of where things are. */
export interface OpenApiOptions {
  readonly hubUrl: HubUrl;
  readonly eventsPath: string;
  readonly tracker: TrackerPaths;
  /** The address of the logger page. */
  readonly loggerUrl: string;
  readonly cookieName: string;
  readonly files: PageFiles;
}

const SERVICES: Readonly<Record<Service, string>> = {
  broadcaster: "Turns reports and publications into updates; it serves this description",
  streamer: "Turns updates into streams: the hub of the Mercure protocol",
  logger: "Serves the page that shows updates as they come",
  forwarder: "Owns the order and the history; it has an HTTP port only where its PORT is set",
};

/** The schemas that have a name in the document. */
const NAMED: Readonly<Record<string, Schema>> = {
  Problem: PROBLEM,
  Batch: DOCUMENTED_BATCH,
  BatchAnswer: ANSWER,
  TrackedData: TRACKED_DATA,
  ReportedData: REPORTED_DATA,
  PublishForm: PUBLISH_FORM,
  SubscribeForm: STREAM_QUERY,
  SseEvent: SSE_EVENT,
  TrackedSseEvent: TRACKED_SSE_EVENT,
  ReportedSseEvent: REPORTED_SSE_EVENT,
  SubscriptionSseEvent: SUBSCRIPTION_SSE_EVENT,
  SignalSseEvent: SIGNAL_SSE_EVENT,
  UpdateSseEvent: UPDATE_SSE_EVENT,
  Signal: SIGNAL,
  History: HISTORY_ANSWER,
  Subscription: SUBSCRIPTION,
  Subscriptions: SUBSCRIPTIONS,
  LegacySubscription: LEGACY_SUBSCRIPTION,
  LegacySubscriptions: LEGACY_SUBSCRIPTIONS,
  HubMetadata: METADATA,
};

/** Where they listen unless they are told otherwise; for the forwarder, as the guides to hosts have it. */
export const DEFAULT_PORTS = { streamer: "8001", logger: "8002", forwarder: "8303" } as const;

const DESCRIPTION = `All routes of all services; each operation names the service that has it as its tag.

- Each path that takes GET takes HEAD as well. Where something else depends on that, it is described.
- \`x-query\` is an operation of the method QUERY, as \`query\` is in OpenAPI 3.2.
- The schema of \`text/event-stream\` is that of the list of its events, by their fields.
- Every refusal and failure is a problem document (RFC 9457).`;

export function openApiDocument(options: OpenApiOptions): Part {
  const { hubUrl, eventsPath, tracker, files } = options;
  // One operation of two services: the hub page shares files of the logger's.
  const loggerFile = pageFile("loggerPageFile", files.logger);
  const routes: RoutesOf = {
    broadcaster: broadcasterRoutes({ hub: hubUrl.path, events: eventsPath, tracker, files: files.tracking }),
    streamer: streamerRoutes({
      hub: hubUrl.path,
      metadata: hubUrl.metadataPath,
      files: files.hub,
      loggerFile,
    }),
    logger: loggerRoutes(loggerFile),
    forwarder: FORWARDER_ROUTES,
  };
  const schemas = new SchemaParts(NAMED);
  return {
    openapi: "3.1.1",
    info: {
      title: "Live updates over Server-Sent Events",
      version: "1.0.0",
      description: DESCRIPTION,
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    tags: Object.entries(SERVICES).map(([name, description]) => ({ name, description })),
    paths: pathsOf(routes, { schemas, servers: serversOf(options) }),
    components: {
      schemas: schemas.components,
      responses: { [PROBLEM_RESPONSE]: problemResponse(schemas) },
      headers: {
        RequestId: { description: "Names the request in the log of the service", schema: { type: "string" } },
      },
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: "A token of an issuer that the hub knows",
        },
        cookie: {
          type: "apiKey",
          in: "cookie",
          name: options.cookieName,
          description: "A token of such an issuer, for pages: an EventSource cannot send headers",
        },
      },
    },
  };
}

/** One for all: it differs in its words and in what comes with them. */
function problemResponse(schemas: SchemaParts): Part {
  return {
    description: "What is wrong",
    headers: {
      ...REQUEST_ID,
      ...headersOf({
        "Accept-Query": "At streams: what the body of a `QUERY` has to be",
        "Allow": "With 405: the methods that there are",
        "Retry-After": "With 429 and 503: seconds after which to come back",
        "WWW-Authenticate": "With 401 and 403: how to come with a token",
      }),
    },
    content: { [PROBLEM_TYPE]: { schema: schemas.of(PROBLEM) } },
  };
}

/** Where the services are, as far as the broadcaster knows. */
function serversOf({ hubUrl, loggerUrl }: OpenApiOptions): Servers {
  return {
    broadcaster: [{ url: "/", description: "The broadcaster, which serves this description" }],
    streamer: [
      hubUrl.origin === undefined
        ? serverAt(DEFAULT_PORTS.streamer, "The streamer")
        : { url: hubUrl.origin, description: "The streamer, by HUB_URL" },
    ],
    logger: [loggerServer(loggerUrl) ?? serverAt(DEFAULT_PORTS.logger, "The logger")],
    forwarder: [serverAt(DEFAULT_PORTS.forwarder, "The forwarder")],
  };
}

/** The one that has the page at this address; undefined where the address does not tell. */
function loggerServer(loggerUrl: string): Part | undefined {
  const [, prefix] = /^((?:https?:\/\/[^/?#]+)?(?:\/[^?#]*)?)\/logger\/$/i.exec(loggerUrl) ?? [];
  return prefix === undefined ? undefined : { url: prefix || "/", description: "The logger, by LOGGER_URL" };
}

function serverAt(port: string, description: string): Part {
  return {
    url: "{scheme}://{host}:{port}",
    description,
    variables: {
      scheme: { enum: ["http", "https"], default: "http" },
      host: { default: "127.0.0.1" },
      port: { default: port },
    },
  };
}
