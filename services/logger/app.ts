/** The HTTP side of the logger: one static page that is told where the stream is. */
import { type App, createApp } from "../lib/http.ts";
import type { Log } from "../lib/log.ts";
import { escapeAttribute, listPageFiles, readPage, serveFiles, servePage } from "../lib/pages.ts";
import type { Config } from "./config.ts";

export interface LoggerOptions {
  readonly config: Pick<Config, "eventsUrl">;
  readonly log: Log;
}

export async function createLogger({ config: { eventsUrl }, log }: LoggerOptions): Promise<App> {
  const app = createApp({ log });
  const sources = /^https?:/i.test(eventsUrl) ? [new URL(eventsUrl).origin] : [];
  const page = await readPage("logger/index.html", {
    'content="/events"': `content="${escapeAttribute(eventsUrl)}"`,
    "connect-src 'self'": ["connect-src 'self'", ...sources].join(" "),
  });
  app.get("/", (c) => c.redirect("/logger/"));
  app.get("/logger", (c) => c.redirect("/logger/"));
  servePage(app, "/logger/", page);
  serveFiles(app, "/logger", "logger", await listPageFiles("logger"));
  return app;
}
