/** The settings of the forwarder. */
import { DEFAULT_PORTS } from "../lib/channels/zeromq_wire.ts";
import { COMMON_SETTINGS, optionalPort, port, type SettingsOf } from "../lib/env.ts";

export const SETTINGS = {
  ...COMMON_SETTINGS,
  port: optionalPort("PORT"),
  xsubPort: port("XSUB_PORT", DEFAULT_PORTS.xsub),
  xpubPort: port("XPUB_PORT", DEFAULT_PORTS.xpub),
  routerPort: port("ROUTER_PORT", DEFAULT_PORTS.router),
};

export type Config = SettingsOf<typeof SETTINGS>;
