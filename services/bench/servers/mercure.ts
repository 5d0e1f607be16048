/** A hub of the Mercure project, in Go. Source: https://mercure.rocks/docs/hub/config. */
import { eventually } from "../../lib/testing/deadline.ts";
import { freePorts } from "../../lib/testing/ports.ts";
import { signToken } from "../../lib/mercure/signing.ts";
import { startChild, temporaryFolder } from "../child.ts";
import { dataLengthFor, NotInstalledError, OUR_ID_LINE, type Server } from "./server.ts";

const PATH = "/.well-known/mercure";
const KEY = "a key for benchmarks only, of 256 bits or more";

/** @throws {NotInstalledError} when `MERCURE_BIN` names no program. */
export async function startMercure(): Promise<Server> {
  const command = Deno.env.get("MERCURE_BIN");
  if (!command) throw new NotInstalledError("MERCURE_BIN names no hub");
  await using owned = new AsyncDisposableStack();
  const folder = owned.use(await temporaryFolder());
  const [port = 0] = freePorts(1);
  await Deno.writeTextFile(`${folder.path}/Caddyfile`, configuration(port));
  const child = owned.use(startChild(command, {
    args: ["run", "--config", `${folder.path}/Caddyfile`, "--adapter", "caddyfile"],
    // Where Caddy keeps what it wants to keep.
    env: { XDG_CONFIG_HOME: folder.path, XDG_DATA_HOME: folder.path },
  }));
  await eventually("the Mercure hub to listen", async () => {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
    await response?.body?.cancel();
    return response?.ok;
  });
  const token = await publisherToken();
  const all = owned.move();
  return {
    name: "Mercure",
    port,
    streamPath: (topic) => `${PATH}?topic=${topic}`,
    target: {
      kind: "http",
      port,
      path: PATH,
      headers: { "Authorization": `Bearer ${token}`, "Content-Type": "application/x-www-form-urlencoded" },
      body: "form",
      connections: 16,
    },
    dataLength: dataLengthFor(OUR_ID_LINE),
    pids: [child.pid],
    others: {},
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function publisherToken(): Promise<string> {
  const key = await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode(KEY),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  return await signToken({ mercure: { publish: ["*"] } }, { key, algorithm: "HS256" }, { legacy: true });
}

/** Nothing is kept, everybody may read, and nothing is logged for each request. */
function configuration(port: number): string {
  return `{
  admin off
  auto_https off
  log {
    level ERROR
  }
}
http://127.0.0.1:${port} {
  route {
    mercure {
      transport local
      anonymous
      publisher_jwt "${KEY}" HS256
      write_timeout 0s
    }
    respond /healthz 200
  }
}
`;
}
