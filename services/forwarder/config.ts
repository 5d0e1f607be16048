/** The settings of the forwarder. */
import { DEFAULT_PORTS } from "../lib/channels/zeromq_wire.ts";
import {
  choice,
  COMMON_SETTINGS,
  count,
  duration,
  flag,
  optionalPort,
  path,
  port,
  publicKeys,
  secretKey,
  type SettingsOf,
  size,
} from "../lib/env.ts";

export const SETTINGS = {
  ...COMMON_SETTINGS,
  port: optionalPort("PORT"),
  xsubPort: port("XSUB_PORT", DEFAULT_PORTS.xsub),
  xpubPort: port("XPUB_PORT", DEFAULT_PORTS.xpub),
  routerPort: port("ROUTER_PORT", DEFAULT_PORTS.router),
  serverSecretKey: secretKey("ZMQ_SERVER_SECRET_KEY"),
  clientKeys: publicKeys("ZMQ_CLIENT_KEYS"),
  insecure: flag("ZMQ_INSECURE"),
  updateLog: path("UPDATE_LOG", "data/updates.db"),
  logSync: choice("LOG_SYNC", ["full", "normal"], "full"),
  retainUpdates: count("RETAIN_UPDATES", "1000000"),
  retainAge: duration("RETAIN_AGE", "7d"),
  retainBytes: size("RETAIN_BYTES", "1GiB"),
};

export type Config = SettingsOf<typeof SETTINGS>;
