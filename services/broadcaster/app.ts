/** The HTTP side of the broadcaster: the tracking page and what it reports, and what publishers send by Mercure. */
import { cors } from "hono/cors";
import type { Channel } from "../lib/channel.ts";
import { type App, createApp, problem, readBody } from "../lib/http.ts";
import { publishOptionsFor } from "../lib/idempotency.ts";
import type { Log } from "../lib/log.ts";
import type { Access } from "../lib/mercure/access.ts";
import { hubCors } from "../lib/mercure/hub_cors.ts";
import type { HubUrl } from "../lib/mercure/hub_url.ts";
import { servePublish } from "../lib/mercure/publish.ts";
import { escapeAttribute, listPageFiles, readPage, serveFiles, servePage } from "../lib/pages.ts";
import { EXIT_BAD_SETTINGS, StartError } from "../lib/start.ts";
import { serveCollect } from "./collect.ts";
import type { Config } from "./config.ts";
import { limitClients } from "./limits.ts";
import { serveOpenApi } from "./openapi.ts";
import { reportedUpdate } from "./track.ts";
import { serveTracker, trackerPaths } from "./tracker_script.ts";

/** Bytes of a report's body. The type in the path says all; whatever else a client sends is not looked at. */
const MAX_BODY_BYTES = 16 * 1024;

/** The logger's folder has to be whole for any static host; the tracking page shares its design from there. */
const SHARED_FILES = ["design.css", "favicon.svg"];

export interface BroadcasterOptions {
  readonly config: Config;
  readonly channel: Channel;
  readonly access: Access;
  readonly hubUrl: HubUrl;
  readonly log: Log;
}

export async function createBroadcaster(options: BroadcasterOptions): Promise<App> {
  const { config, channel, access, hubUrl, log } = options;
  const app = createApp({ log, ready: () => channel.status() });

  const page = await readPage("tracking/index.html", {
    'href="/logger/"': `href="${escapeAttribute(config.loggerUrl)}"`,
    // Without the slash: a proxy may have put all of this service below a folder.
    'src="tracker.js"': `src="${escapeAttribute(config.trackerPath.slice(1))}"`,
  });
  servePage(app, "/", page);
  const trackingFiles = await listPageFiles("tracking");
  serveFiles(app, "", "tracking", trackingFiles);
  serveFiles(app, "", "logger", SHARED_FILES);

  app.use(
    "/event/*",
    cors({
      origin: config.corsOrigins,
      allowMethods: ["POST"],
      allowHeaders: ["Idempotency-Key"],
      exposeHeaders: ["Retry-After"],
      maxAge: 86_400,
    }),
  );
  const { trustedProxies } = config;
  const limitClient = limitClients(config.maxBatchesPerClient, { trustedProxies, log });
  app.post(
    "/event/:type",
    limitClient,
    async (c) => {
      await readBody(c, MAX_BODY_BYTES);
      const update = reportedUpdate(c.req.param("type"));
      if (update === undefined) return problem(c, 404, "There is no tracking event of this type");
      // For each type: clients may make keys for each kind of report by themselves.
      const scope = () => [update.topics];
      await channel.publish(
        update,
        publishOptionsFor(c.req.header("Idempotency-Key"), "POST event", scope),
      );
      return c.body(null, 201);
    },
  );

  serveOpenApi(app, {
    config,
    hubUrl,
    files: {
      tracking: [...trackingFiles, ...SHARED_FILES],
      hub: await listPageFiles("hub"),
      logger: await listPageFiles("logger"),
    },
  });

  refuseTakenPaths(app, {
    HUB_URL: [hubUrl.path],
    EVENTS_PATH: [config.eventsPath],
    TRACKER_PATH: Object.values(trackerPaths(config.trackerPath)),
  });
  await serveTracker(app, config);
  serveCollect(app, { config, channel, limitClient, log });

  app.use(hubUrl.path, hubCors(config.corsOrigins));
  servePublish(app, { channel, access, hubUrl, limits: config });
  return app;
}

/** @throws {StartError} when a setting wants a path that something else has: one of the two would be out of reach. */
function refuseTakenPaths(app: App, wanted: Readonly<Record<string, readonly string[]>>): void {
  const taken = new Set(app.routes.map((route) => route.path));
  for (const [name, paths] of Object.entries(wanted)) {
    for (const path of paths) {
      if (taken.has(path)) {
        throw new StartError(`Cannot use ${name}: something else is at ${path}`, {
          exitCode: EXIT_BAD_SETTINGS,
        });
      }
      taken.add(path);
    }
  }
}
