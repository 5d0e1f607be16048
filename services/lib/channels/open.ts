/** Turns settings into a channel. The only file that names an adapter. */
import type { Channel } from "../channel.ts";
import { choice, host, remotePort, type SettingsOf } from "../env.ts";
import { DEFAULT_PORTS } from "./zeromq_wire.ts";

/** What a service that uses the channel has to be told. */
export const CHANNEL_SETTINGS = {
  // The memory channel is not among them: it does not leave its process, and the services are four.
  channel: choice("CHANNEL", ["zeromq"], "zeromq"),
  zmqHost: host("ZMQ_HOST", "127.0.0.1"),
  xpubPort: remotePort("XPUB_PORT", DEFAULT_PORTS.xpub),
  routerPort: remotePort("ROUTER_PORT", DEFAULT_PORTS.router),
};

export interface OpenOptions {
  /** Milliseconds until a publish is given up. */
  readonly publishTimeoutMs?: number;
}

export async function openChannel(
  settings: SettingsOf<typeof CHANNEL_SETTINGS>,
  options: OpenOptions = {},
): Promise<Channel> {
  // Imported here, so that only the chosen adapter loads its native code, and after the runtime was checked.
  const { ZeromqChannel } = await import("./zeromq.ts");
  return new ZeromqChannel({
    host: settings.zmqHost,
    xpubPort: settings.xpubPort,
    routerPort: settings.routerPort,
    ...options,
  });
}
