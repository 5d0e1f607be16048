/** Turns settings into a channel. The only file that names an adapter. */
import type { Channel } from "../channel.ts";
import { choice, host, publicKey, remotePort, secretKey, type SettingsOf } from "../env.ts";
import { EXIT_BAD_SETTINGS, StartError } from "../start.ts";
import type { CurveKeys } from "./zeromq.ts";
import { DEFAULT_PORTS } from "./zeromq_wire.ts";

/** What a service that uses the channel has to be told. */
export const CHANNEL_SETTINGS = {
  // The memory channel is not among them: it does not leave its process, and the services are four.
  channel: choice("CHANNEL", ["zeromq"], "zeromq"),
  zmqHost: host("ZMQ_HOST", "127.0.0.1"),
  xpubPort: remotePort("XPUB_PORT", DEFAULT_PORTS.xpub),
  routerPort: remotePort("ROUTER_PORT", DEFAULT_PORTS.router),
  serverPublicKey: publicKey("ZMQ_SERVER_PUBLIC_KEY"),
  clientPublicKey: publicKey("ZMQ_CLIENT_PUBLIC_KEY"),
  clientSecretKey: secretKey("ZMQ_CLIENT_SECRET_KEY"),
};

export interface OpenOptions {
  /** Milliseconds until a publish is given up. */
  readonly publishTimeoutMs?: number;
}

/** @throws {StartError} when the settings contradict each other. */
export async function openChannel(
  settings: SettingsOf<typeof CHANNEL_SETTINGS>,
  options: OpenOptions = {},
): Promise<Channel> {
  const curve = curveOf(settings);
  // Imported here, so that only the chosen adapter loads its native code, and after the runtime was checked.
  const { ZeromqChannel } = await import("./zeromq.ts");
  return new ZeromqChannel({
    host: settings.zmqHost,
    xpubPort: settings.xpubPort,
    routerPort: settings.routerPort,
    ...(curve && { curve }),
    ...options,
  });
}

/** The keys, of which all three are needed or none. */
function curveOf(settings: SettingsOf<typeof CHANNEL_SETTINGS>): CurveKeys | undefined {
  const { serverPublicKey, clientPublicKey, clientSecretKey } = settings;
  if (serverPublicKey && clientPublicKey && clientSecretKey) {
    return { serverPublicKey, clientPublicKey, clientSecretKey };
  }
  if (!serverPublicKey && !clientPublicKey && !clientSecretKey) return undefined;
  throw new StartError(
    "ZMQ_SERVER_PUBLIC_KEY, ZMQ_CLIENT_PUBLIC_KEY and ZMQ_CLIENT_SECRET_KEY must all be set, or none of them",
    { exitCode: EXIT_BAD_SETTINGS },
  );
}
