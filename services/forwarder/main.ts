/** The forwarder: owns the order and the history of all updates, and relays them between its ØMQ sockets. */
import { createApp, serve } from "../lib/http.ts";
import { runTogether } from "../lib/shutdown.ts";
import { type RunContext, start } from "../lib/start.ts";
import { type Config, SETTINGS } from "./config.ts";
import { retain } from "./retention.ts";
import { UpdateLog } from "./update_log.ts";

export async function run(config: Config, { log, signal }: RunContext): Promise<void> {
  // Imported here, so that the runtime was checked before the native code loads.
  const { Broker } = await import("./broker.ts");
  const bounds = { updates: config.retainUpdates, ageMs: config.retainAge, bytes: config.retainBytes };
  using updates = new UpdateLog({ path: config.updateLog, sync: config.logSync, bounds });
  using broker = await Broker.bind({ ...config, updates, log });
  log.info("Relaying", { ip: config.ip, ...broker.ports });
  await runTogether(signal, [
    (signal) => broker.run(signal),
    (signal) => retain(updates, { log, signal }),
    (signal) => serveHealth(config, { log, signal }),
  ]);
}

async function serveHealth({ ip, port }: Config, context: RunContext): Promise<void> {
  if (port === undefined) return;
  const app = createApp(context);
  await serve(app, { hostname: ip, port, ...context });
}

if (import.meta.main) await start({ name: "forwarder", settings: SETTINGS, run }, Deno);
