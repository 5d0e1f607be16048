/** The settings of the forwarder. */
import { DEFAULT_PORTS } from "../lib/channels/open.ts";
import { address, logLevel, optionalPort, port, type SettingsOf } from "../lib/env.ts";

export const SETTINGS = {
  ip: address("IP", "127.0.0.1"),
  port: optionalPort("PORT"),
  xsubPort: port("XSUB_PORT", DEFAULT_PORTS.xsub),
  xpubPort: port("XPUB_PORT", DEFAULT_PORTS.xpub),
  routerPort: port("ROUTER_PORT", DEFAULT_PORTS.router),
  logLevel: logLevel("LOG_LEVEL", "info"),
};

export type Config = SettingsOf<typeof SETTINGS>;
