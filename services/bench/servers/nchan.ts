/** Nchan, a module of nginx, in C. Source: https://nchan.io. */
import { freePorts } from "../../lib/testing/ports.ts";
import { eventually } from "../../lib/testing/deadline.ts";
import { startChild, temporaryFolder } from "../child.ts";
import { childrenOf } from "../measure.ts";
import { dataLengthFor, NotInstalledError, type Server } from "./server.ts";

/** Where systems put the modules of nginx. */
const MODULES = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules"];
const COMMANDS = ["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"];

/** @throws {NotInstalledError} when nginx or the module is missing. */
export async function startNchan(): Promise<Server> {
  const command = await findCommand();
  const module = findModule();
  await using owned = new AsyncDisposableStack();
  const folder = owned.use(await temporaryFolder());
  // The worker is another user where nginx is started by root.
  await Deno.chmod(folder.path, 0o755);
  const [port = 0] = freePorts(1);
  await Deno.writeTextFile(`${folder.path}/nginx.conf`, configuration({ module, port, folder: folder.path }));
  const child = owned.use(startChild(command, {
    args: ["-e", "stderr", "-p", folder.path, "-c", "nginx.conf"],
    // To the master, which would leave its worker behind when it is killed.
    endSignal: "SIGTERM",
  }));
  await eventually("nginx to listen", async () => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
    connection?.close();
    return connection !== undefined;
  });
  const workers = await childrenOf(child.pid);
  const all = owned.move();
  return {
    name: "Nchan",
    port,
    streamPath: (topic) => `/sub${topic}`,
    target: { kind: "http", port, path: "/pub/bench/all", headers: {}, body: "data", connections: 16 },
    dataLength: dataLengthFor(`id: ${Math.floor(Date.now() / 1000)}:0\n`),
    pids: [child.pid, ...workers],
    others: {},
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function findCommand(): Promise<string> {
  for (const command of COMMANDS) {
    try {
      await new Deno.Command(command, { args: ["-v"], stderr: "null" }).output();
      return command;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new NotInstalledError("there is no nginx");
}

function findModule(): string {
  for (const folder of MODULES) {
    const path = `${folder}/ngx_nchan_module.so`;
    try {
      Deno.statSync(path);
      return path;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new NotInstalledError(`there is no ngx_nchan_module.so in ${MODULES.join(", ")}`);
}

function configuration({ module, port, folder }: { module: string; port: number; folder: string }): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${folder}/${name};`);
  return `
load_module ${module};
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr warn;
events {
  worker_connections 19000;
}
http {
${temporary.join("\n")}
  access_log off;
  keepalive_requests 1000000000;
  nchan_max_reserved_memory 512M;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location ~ ^/sub(/.+)$ {
      nchan_subscriber eventsource;
      nchan_channel_id $1;
      nchan_subscriber_first_message newest;
    }
    location ~ ^/pub(/.+)$ {
      nchan_publisher http;
      nchan_channel_id $1;
      nchan_message_buffer_length 10000;
      nchan_message_timeout 1m;
    }
  }
}
`;
}
