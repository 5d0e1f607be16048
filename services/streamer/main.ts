/** The streamer: turns the channel into streams of Server-Sent Events. */
import { openChannel } from "../lib/channels/open.ts";
import { serve } from "../lib/http.ts";
import { logReachability } from "../lib/reachability.ts";
import { runTogether } from "../lib/shutdown.ts";
import { type RunContext, start } from "../lib/start.ts";
import { createStreamer } from "./app.ts";
import { type Config, SETTINGS } from "./config.ts";
import { Hub } from "./hub.ts";

export async function run(config: Config, { log, signal }: RunContext): Promise<void> {
  await using channel = await openChannel(config);
  const hub = new Hub({ channel, log, recentBytes: config.recentBytes });
  const app = createStreamer({ config, channel, hub, log });
  await runTogether(signal, [
    (signal) => hub.run(signal),
    (signal) => serve(app, { hostname: config.ip, port: config.port, signal, log }),
    (signal) => logReachability(channel, { log, signal }),
  ]);
}

if (import.meta.main) await start({ name: "streamer", settings: SETTINGS, run }, Deno);
