/** The forwarder: owns the order and the history of all updates, and relays them between its ØMQ sockets. */
import { isLoopback } from "../lib/env.ts";
import { serve } from "../lib/http.ts";
import { runTogether } from "../lib/shutdown.ts";
import { EXIT_BAD_SETTINGS, type RunContext, start, StartError } from "../lib/start.ts";
import { createForwarder } from "./app.ts";
import { type Config, SETTINGS } from "./config.ts";
import { retain } from "./retention.ts";
import { UpdateLog } from "./update_log.ts";

export async function run(config: Config, { log, signal }: RunContext): Promise<void> {
  refuseOpenDoor(config);
  // Imported here, so that the runtime was checked before the native code loads.
  const { Broker } = await import("./broker.ts");
  const bounds = { updates: config.retainUpdates, ageMs: config.retainAge, bytes: config.retainBytes };
  using updates = new UpdateLog({ path: config.updateLog, sync: config.logSync, bounds });
  if (config.insecure) {
    log.warn("ZMQ_INSECURE is set: whoever reaches the sockets can publish and read everything");
  }
  using broker = await Broker.bind({ ...config, updates, log });
  log.info("Relaying", { ip: config.ip, ...broker.ports });
  await runTogether(signal, [
    (signal) => broker.run(signal),
    (signal) => retain(updates, { log, signal }),
    (signal) => serveHealth(config, { log, signal }),
  ]);
}

/** Without keys the sockets are for this machine only, unless somebody says that the contrary is meant. */
function refuseOpenDoor({ ip, serverSecretKey, clientKeys, insecure }: Config): void {
  const refuse = (message: string) => {
    throw new StartError(message, { exitCode: EXIT_BAD_SETTINGS });
  };
  if (serverSecretKey !== undefined && clientKeys.length === 0) {
    refuse("ZMQ_CLIENT_KEYS must list the clients' public keys when ZMQ_SERVER_SECRET_KEY is set");
  }
  if (serverSecretKey === undefined && clientKeys.length > 0) {
    refuse("ZMQ_CLIENT_KEYS is set and ZMQ_SERVER_SECRET_KEY is not, so nobody would be asked for a key");
  }
  if (!isLoopback(ip) && serverSecretKey === undefined && !insecure) {
    refuse(
      `IP is ${ip}, where others may reach the sockets: set ZMQ_SERVER_SECRET_KEY and ZMQ_CLIENT_KEYS ` +
        "(deno task keys makes them), or ZMQ_INSECURE=1 if everybody is meant to publish and read",
    );
  }
}

async function serveHealth({ ip, port }: Config, context: RunContext): Promise<void> {
  if (port === undefined) return;
  await serve(createForwarder(context), { hostname: ip, port, ...context });
}

if (import.meta.main) await start({ name: "forwarder", settings: SETTINGS, run }, Deno);
