/** The logger: serves the page that shows updates as they come. Any static host can take its place. */
import { serve } from "../lib/http.ts";
import { announce } from "../lib/log.ts";
import { type RunContext, start } from "../lib/start.ts";
import { createLogger } from "./app.ts";
import { type Config, SETTINGS } from "./config.ts";

export async function run(config: Config, { log, signal }: RunContext): Promise<void> {
  await serve(await createLogger({ config, log }), {
    hostname: config.ip,
    port: config.port,
    signal,
    log,
    onListen: (url) => announce(`Logger page:   ${url}logger/`),
  });
}

if (import.meta.main) await start({ name: "logger", settings: SETTINGS, run }, Deno);
