/** The broadcaster: turns into updates what the tracking page reports, and what publishers send by Mercure. */
import { openChannel } from "../lib/channels/open.ts";
import { isLoopback } from "../lib/env.ts";
import { serve } from "../lib/http.ts";
import { announce } from "../lib/log.ts";
import { openAccess } from "../lib/mercure/settings.ts";
import { logReachability } from "../lib/reachability.ts";
import { runTogether } from "../lib/shutdown.ts";
import { type RunContext, start } from "../lib/start.ts";
import { createBroadcaster } from "./app.ts";
import { type Config, SETTINGS } from "./config.ts";

export async function run(config: Config, { log, signal }: RunContext): Promise<void> {
  const { access, hubUrl } = await openAccess(config, { log });
  await using channel = await openChannel(config, { publishTimeoutMs: config.publishTimeout });
  const app = await createBroadcaster({ config, channel, access, hubUrl, log });
  const { ip: hostname, port } = config;
  if (!isLoopback(hostname)) {
    log.warn(
      `Whoever reaches this service can publish tracking events: POST ${config.eventsPath} and /event/… ask for no token`,
    );
  }
  const onListen = (url: string) => announce(`Tracking page: ${url}`);
  await runTogether(signal, [
    (signal) => serve(app, { hostname, port, signal, log, onListen }),
    (signal) => logReachability(channel, { log, signal }),
  ]);
}

if (import.meta.main) await start({ name: "broadcaster", settings: SETTINGS, run }, Deno);
