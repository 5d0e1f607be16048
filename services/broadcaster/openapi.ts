/** Serves the description of all HTTP routes. */
import { compress } from "hono/compress";
import { cors } from "hono/cors";
import { openApiDocument } from "../lib/api/openapi.ts";
import { OPENAPI_PATH } from "../lib/api/routes/broadcaster.ts";
import { type App, tagged } from "../lib/http.ts";
import { digestOf } from "../lib/idempotency.ts";
import type { HubUrl } from "../lib/mercure/hub_url.ts";
import type { Config } from "./config.ts";
import { trackerPaths } from "./tracker_script.ts";

export interface OpenApiRouteOptions {
  readonly config: Pick<Config, "trackerPath" | "eventsPath" | "loggerUrl" | "cookieName">;
  readonly hubUrl: HubUrl;
}

/** Answers `GET /openapi.json`, for tools on pages of any origin too. */
export function serveOpenApi(app: App, { config, hubUrl }: OpenApiRouteOptions): void {
  const { trackerPath, eventsPath, loggerUrl, cookieName } = config;
  const text = JSON.stringify(
    openApiDocument({ hubUrl, eventsPath, tracker: trackerPaths(trackerPath), loggerUrl, cookieName }),
  );
  const headers = {
    "Content-Type": "application/json",
    // Asked for again each time, answered with 304 mostly: after an upgrade nobody reads an old one.
    "Cache-Control": "no-cache",
    ETag: `"${digestOf(text)}"`,
  };
  const unchanged = tagged("access-control-allow-origin");
  app.get(OPENAPI_PATH, cors({ origin: "*" }), compress(), unchanged, (c) => c.body(text, 200, headers));
}
