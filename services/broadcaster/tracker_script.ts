/** Serves the tracker script to the pages of other sites. */
import { cors } from "hono/cors";
import { basename, dirname, relative } from "node:path/posix";
import { type App, compressed } from "../lib/http.ts";
import { digestOf } from "../lib/idempotency.ts";
import { readPage } from "../lib/pages.ts";
import type { Config } from "./config.ts";
import type { TrackerPaths } from "./openapi/routes/broadcaster.ts";

/** How the script says where it sends to, relative to itself. */
const ENDPOINT = 'endpoint = "e"';
const SCRIPT_TYPE = "text/javascript; charset=utf-8";
/** Seconds: an hour without asking, and a day in which the old one may be used while the new one is fetched. */
const CACHE_CONTROL = "public, max-age=3600, stale-while-revalidate=86400";

type TrackerConfig = Pick<Config, "trackerPath" | "eventsPath">;

/** The paths at which the script is, the module, and the types. */
export function trackerPaths(trackerPath: string): TrackerPaths {
  const stem = trackerPath.replace(/\.js$/, "");
  return { script: trackerPath, module: `${stem}.mjs`, types: `${stem}.d.ts` };
}

/** Answers these paths. */
export async function serveTracker(app: App, { trackerPath, eventsPath }: TrackerConfig): Promise<void> {
  const paths = trackerPaths(trackerPath);
  // Not the path itself: relative to a folder of the same name it would be empty, and so the script.
  const folder = relative(dirname(trackerPath), dirname(eventsPath));
  const endpoint = `${folder && `${folder}/`}${basename(eventsPath)}`;
  const script = await readPage("tracker/tracker.js", { [ENDPOINT]: `endpoint = "${endpoint}"` });
  const module = await readPage("tracker/tracker.mjs", {
    'import "./tracker.js"': `import "./${basename(trackerPath)}"`,
  });
  const types = await readPage("tracker/tracker.d.ts", {});

  const headers = cors({ origin: "*" });
  const packed = compressed("access-control-allow-origin", "timing-allow-origin");
  const serve = (path: string, content: string, type: string) => {
    // Made of the content, so that each version has its own.
    const tag = `"${digestOf(content)}"`;
    app.get(path, headers, packed, (c) =>
      c.body(content, 200, {
        "Content-Type": type,
        "Cache-Control": CACHE_CONTROL,
        ETag: tag,
        "Timing-Allow-Origin": "*",
      }));
  };
  serve(paths.script, script, SCRIPT_TYPE);
  serve(paths.module, module, SCRIPT_TYPE);
  serve(paths.types, types, "text/plain; charset=utf-8");
}
