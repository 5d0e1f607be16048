/** Our own services, as the README says to run them: with their permission sets, and settings of their own defaults. */
import { HUB_PATH, ISSUER, KEY, mint } from "../../mercure/harness.ts";
import type { Target } from "../publisher/options.ts";
import { type ForwarderPorts, ready, startForwarder, startHttpService } from "../../lib/testing/processes.ts";
import { childPid } from "../measure.ts";
import { dataLengthFor, OUR_ID_LINE, type Server } from "./server.ts";

/** Of publishers over HTTP: each waits until its update is stored, with those of the others. */
const CONNECTIONS = 256;

export interface OurOptions {
  /** Settings of the streamer. */
  readonly env?: Readonly<Record<string, string>>;
  /** Folder of the update log. Default: none, it lives in memory. */
  readonly folder?: string;
  /** Whether updates go in by HTTP, at a broadcaster. Default: by ØMQ, at the forwarder. */
  readonly overHttp?: boolean;
}

export async function startOurs({ env = {}, folder, overHttp = false }: OurOptions = {}): Promise<Server> {
  await using owned = new AsyncDisposableStack();
  const { ports } = owned.use(await startForwarder(folder === undefined ? {} : { folder }));
  const forwarder = await childPid("services/forwarder/main.ts");
  const { url } = owned.use(await startHttpService("streamer", { ...ports, ...env }));
  const streamer = await childPid("services/streamer/main.ts");
  await ready(url);
  const broadcaster = overHttp ? await startBroadcaster(ports, owned) : undefined;
  const all = owned.move();
  return {
    name: "ours",
    port: Number(new URL(url).port),
    streamPath: (topic) => `${HUB_PATH}?match=${topic}`,
    target: broadcaster?.target ??
      { kind: "zeromq", routerPort: Number(ports.ROUTER_PORT), xpubPort: Number(ports.XPUB_PORT) },
    dataLength: dataLengthFor(OUR_ID_LINE),
    pids: [streamer],
    others: { forwarder, ...(broadcaster && { broadcaster: broadcaster.pid }) },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function startBroadcaster(
  ports: ForwarderPorts,
  owned: AsyncDisposableStack,
): Promise<{ readonly target: Target; readonly pid: number }> {
  const issuer = { JWT_ISSUER: ISSUER, JWT_KEY: KEY };
  const { url } = owned.use(await startHttpService("broadcaster", { ...ports, ...issuer }));
  const pid = await childPid("services/broadcaster/main.ts");
  await ready(url);
  const token = await mint(new URL(HUB_PATH, url).href, { publish: ["*"], claims: { exp: 4_000_000_000 } });
  const headers = { "Authorization": `Bearer ${token}`, "Content-Type": "application/x-www-form-urlencoded" };
  const port = Number(new URL(url).port);
  return {
    pid,
    target: { kind: "http", port, path: HUB_PATH, headers, body: "form", connections: CONNECTIONS },
  };
}
