/** The broadcaster: serves the tracking page, takes what it reports, and turns that into updates. */
import { openChannel } from "../lib/channels/open.ts";
import { serve } from "../lib/http.ts";
import { announce, type Log } from "../lib/log.ts";
import { start } from "../lib/start.ts";
import { createBroadcaster } from "./app.ts";
import { type Config, SETTINGS } from "./config.ts";

export async function run(config: Config, { log, signal }: { log: Log; signal: AbortSignal }): Promise<void> {
  await using channel = await openChannel(config);
  const app = await createBroadcaster({ config, channel, log });
  await serve(app, {
    hostname: config.ip,
    port: config.port,
    signal,
    log,
    onListen: (url) => announce(`Tracking page: ${url}`),
  });
}

if (import.meta.main) await start({ name: "broadcaster", settings: SETTINGS, run }, Deno);
