/** The broadcaster: serves the tracking page, takes what it reports, and turns that into updates. */
import { openChannel } from "../lib/channels/open.ts";
import { serve } from "../lib/http.ts";
import { announce } from "../lib/log.ts";
import { logReachability } from "../lib/reachability.ts";
import { runTogether } from "../lib/shutdown.ts";
import { type RunContext, start } from "../lib/start.ts";
import { createBroadcaster } from "./app.ts";
import { type Config, SETTINGS } from "./config.ts";

export async function run(config: Config, { log, signal }: RunContext): Promise<void> {
  await using channel = await openChannel(config, { publishTimeoutMs: config.publishTimeout });
  const app = await createBroadcaster({ config, channel, log });
  const { ip: hostname, port } = config;
  const onListen = (url: string) => announce(`Tracking page: ${url}`);
  await runTogether(signal, [
    (signal) => serve(app, { hostname, port, signal, log, onListen }),
    (signal) => logReachability(channel, { log, signal }),
  ]);
}

if (import.meta.main) await start({ name: "broadcaster", settings: SETTINGS, run }, Deno);
