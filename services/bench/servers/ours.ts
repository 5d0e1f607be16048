/** Our own services, as the tasks run them: with their permission sets and flags, and settings of their own defaults. */
import { ZeromqChannel } from "../../lib/channels/zeromq.ts";
import {
  type ForwarderPorts,
  ready,
  startForwarder,
  startHttpService,
  startService,
} from "../../lib/testing/processes.ts";
import { HUB_PATH, ISSUER, KEY, mint } from "../../mercure/harness.ts";
import type { Target } from "../publisher/protocol.ts";
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
  const { ports, pid: forwarder } = owned.use(await startForwarder(folder === undefined ? {} : { folder }));
  const streamer = owned.use(await startStreamer({ ...ports, ...env }));
  const broadcaster = overHttp ? await startBroadcaster(ports, owned) : undefined;
  const all = owned.move();
  return {
    name: "ours",
    port: Number(new URL(streamer.url).port),
    streamPath: (topic) => `${HUB_PATH}?match=${topic}`,
    target: broadcaster?.target ?? { kind: "zeromq", ...channelPorts(ports) },
    dataLength: dataLengthFor(OUR_ID_LINE),
    pids: [streamer.pid],
    others: { forwarder, ...(broadcaster && { broadcaster: broadcaster.pid }) },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

export interface StreamerProcess extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

/** A streamer that can do its work. */
export async function startStreamer(env: Readonly<Record<string, string>>): Promise<StreamerProcess> {
  const service = startService("streamer", { PORT: "0", ...env }, await v8FlagsOf("streamer"));
  await using owned = new AsyncDisposableStack();
  owned.use(service);
  const url = `${(await service.logged("Listening")).url}`;
  const { pid } = service;
  await ready(url);
  const all = owned.move();
  return { url, pid, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** The flags for V8 with which a task runs its service: they decide how much memory it takes. */
async function v8FlagsOf(task: string): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("../../../deno.json", import.meta.url)));
  return tasks[task].command.split(" ").filter((word: string) => word.startsWith("--v8-flags="));
}

/** A channel of this process. */
export function connect(ports: ForwarderPorts): ZeromqChannel {
  return new ZeromqChannel({ host: "127.0.0.1", ...channelPorts(ports) });
}

function channelPorts({ ROUTER_PORT, XPUB_PORT }: ForwarderPorts): { routerPort: number; xpubPort: number } {
  return { routerPort: Number(ROUTER_PORT), xpubPort: Number(XPUB_PORT) };
}

async function startBroadcaster(
  ports: ForwarderPorts,
  owned: AsyncDisposableStack,
): Promise<{ readonly target: Target; readonly pid: number }> {
  const issuer = { JWT_ISSUER: ISSUER, JWT_KEY: KEY };
  const { url, pid } = owned.use(await startHttpService("broadcaster", { ...ports, ...issuer }));
  await ready(url);
  const token = await mint(new URL(HUB_PATH, url).href, { publish: ["*"], claims: { exp: 4_000_000_000 } });
  const headers = { "Authorization": `Bearer ${token}`, "Content-Type": "application/x-www-form-urlencoded" };
  const port = Number(new URL(url).port);
  return {
    pid,
    target: { kind: "http", port, path: HUB_PATH, headers, body: "form", connections: CONNECTIONS },
  };
}
