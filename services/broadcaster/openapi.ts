/** Serves the description of all HTTP routes. */
import { cors } from "hono/cors";
import { type App, compressed } from "../lib/http.ts";
import { digestOf } from "../lib/idempotency.ts";
import type { HubUrl } from "../lib/mercure/hub_url.ts";
import type { Config } from "./config.ts";
import { openApiDocument, type PageFiles } from "./openapi/document.ts";
import { OPENAPI_PATH } from "./openapi/routes/broadcaster.ts";
import { trackerPaths } from "./tracker_script.ts";

export interface OpenApiRouteOptions {
  readonly config: Pick<Config, "trackerPath" | "eventsPath" | "loggerUrl" | "cookieName">;
  readonly hubUrl: HubUrl;
  readonly files: PageFiles;
}

/** Answers `GET /openapi.json`, for tools on pages of any origin too. */
export function serveOpenApi(app: App, { config, hubUrl, files }: OpenApiRouteOptions): void {
  const { trackerPath, eventsPath, loggerUrl, cookieName } = config;
  const text = JSON.stringify(
    openApiDocument({ hubUrl, eventsPath, tracker: trackerPaths(trackerPath), loggerUrl, cookieName, files }),
  );
  const headers = {
    "Content-Type": "application/json",
    // Asked for again each time, answered with 304 mostly: after an upgrade nobody reads an old one.
    "Cache-Control": "no-cache",
    ETag: `"${digestOf(text)}"`,
  };
  const packed = compressed("access-control-allow-origin");
  app.get(OPENAPI_PATH, cors({ origin: "*" }), packed, (c) => c.body(text, 200, headers));
}
