/** The streamer: turns the channel into streams of Server-Sent Events, as a hub of the Mercure protocol. */
import { openChannel } from "../lib/channels/open.ts";
import { serve } from "../lib/http.ts";
import { libc } from "../lib/libc.ts";
import { announce, messageOf } from "../lib/log.ts";
import { openAccess } from "../lib/mercure/settings.ts";
import { logReachability } from "../lib/reachability.ts";
import { runTogether } from "../lib/shutdown.ts";
import { type RunContext, start } from "../lib/start.ts";
import { createStreamer } from "./app.ts";
import { type Config, SETTINGS } from "./config.ts";
import { announceDevelopment } from "./development.ts";
import { Hub } from "./hub.ts";
import { Presence } from "./presence.ts";
import { listenForStreams } from "./server.ts";

export async function run(config: Config, { log, signal }: RunContext): Promise<void> {
  const { access, hubUrl, isDevelopment } = await openAccess(config, { log });
  await using channel = await openChannel(config, { publishTimeoutMs: config.publishTimeout });
  const hub = new Hub({
    channel,
    log,
    heartbeatMs: config.heartbeat,
    recentBytes: config.recentBytes,
    maxBatchDelayMs: config.maxBatchDelay,
    stallMs: config.subscriberTimeout,
  });
  const { subscriptions } = config;
  const presence = subscriptions === "on" || subscriptions === "auto" && isDevelopment
    ? new Presence({
      channel,
      log,
      hubPath: hubUrl.path,
      intervalMs: config.presenceInterval,
      maxStreamLifeMs: config.maxStreamLife,
    })
    : undefined;
  if (presence !== undefined) hub.observe(presence);
  if (libc === undefined) {
    log.info("The system cannot be told when to give up clients that vanish; that takes it some 15 minutes");
  }
  const app = await createStreamer({ config, channel, hub, access, hubUrl, presence, log });
  const onListen = (url: string) => {
    announce(`Hub page: ${url}hub/`);
    const secret = config.developmentKey;
    if (!isDevelopment || secret === undefined) return;
    announceDevelopment({ secret, hubUrl: hubUrl.resolve(url) })
      .catch((error) => log.warn(`Cannot make a token to develop with: ${messageOf(error)}`));
  };
  await runTogether(signal, [
    (signal) => hub.run(signal),
    (signal) =>
      serve(app, {
        hostname: config.ip,
        port: config.port,
        signal,
        log,
        onListen,
        listen: listenForStreams({ reusePort: config.streamers !== 1 }),
      }),
    (signal) => logReachability(channel, { log, signal }),
    (signal) => presence?.run(signal) ?? Promise.resolve(),
  ]);
  await presence?.drain();
}

if (import.meta.main) await start({ name: "streamer", settings: SETTINGS, run }, Deno);
