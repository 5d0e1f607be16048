/** Starts the real services as processes of their own, with the permission set that each has in `deno.json`. */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { eventually, within } from "./deadline.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

export type ServiceName = "forwarder" | "broadcaster" | "streamer" | "logger";

/** One line of a service's log. */
export type LogEntry = Readonly<Record<string, unknown>> & {
  readonly level: string;
  readonly message: string;
};

export interface ServiceProcess extends AsyncDisposable {
  /** Its log so far. */
  readonly entries: readonly LogEntry[];
  /** What else it wrote so far, on either stream. */
  readonly output: readonly string[];
  readonly exit: Promise<Deno.CommandStatus>;
  /** Of the service, or of the command that runs it. */
  readonly pid: number;
  /** Resolves with the first log entry of this message; rejects when the process ends before. */
  logged(message: string): Promise<LogEntry>;
  kill(signal: Deno.Signal): void;
}

/** Runs a service. Disposing it kills it at once and waits until it is gone. */
export function startService(
  name: ServiceName,
  env: Readonly<Record<string, string>> = {},
  flags: readonly string[] = [],
  wrapper: readonly string[] = [],
): ServiceProcess {
  return startProcess(["run", "-q", `-P=${name}`, ...flags, `services/${name}/main.ts`], env, wrapper);
}

/**
 * Runs Deno with these arguments in the project's folder, with nothing of our environment but what it needs. A
 * wrapper is a command that runs another one.
 */
export function startProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  wrapper: readonly string[] = [],
): ServiceProcess {
  const inherited = Object.fromEntries(
    ["PATH", "HOME", "DENO_DIR", "TMPDIR"].flatMap((name) => {
      const value = Deno.env.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const [command = "", ...words] = [...wrapper, Deno.execPath(), ...args];
  const child = new Deno.Command(command, {
    args: words,
    cwd: ROOT,
    clearEnv: true,
    env: { ...inherited, NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const entries: LogEntry[] = [];
  const output: string[] = [];
  const reading = Promise.all([child.stdout, child.stderr].map(async (stream) => {
    for await (const line of createInterface({ input: Readable.fromWeb(stream) })) {
      if (line.startsWith("{")) entries.push(JSON.parse(line));
      else output.push(line);
    }
  }));
  let gone = false;
  const exit = (async () => {
    const [status] = await Promise.all([child.status, reading]);
    gone = true;
    return status;
  })();
  const kill = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch (error) {
      // It has ended already, which is all that the signal could have brought about.
      if (!(error instanceof TypeError)) throw error;
    }
  };
  return {
    entries,
    output,
    exit,
    pid: child.pid,
    kill,
    logged: (message) =>
      eventually(`the log entry "${message}" of ${args.join(" ")}`, () => {
        const entry = entries.find((candidate) => candidate.message === message);
        if (entry === undefined && gone) throw new Error(`It ended without it: ${JSON.stringify(entries)}`);
        return entry;
      }),
    async [Symbol.asyncDispose]() {
      kill("SIGKILL");
      await within(`the end of ${args.join(" ")}`, exit);
    },
  };
}

/** The ports of a forwarder, as its environment and those of its clients name them. */
export type ForwarderPorts = Readonly<Record<"XSUB_PORT" | "XPUB_PORT" | "ROUTER_PORT", string>>;

const ANY_PORTS: ForwarderPorts = { XSUB_PORT: "0", XPUB_PORT: "0", ROUTER_PORT: "0" };

export interface ForwarderProcess extends ServiceProcess {
  readonly ports: ForwarderPorts;
}

export interface ForwarderOptions {
  /** Default: any free ones. */
  readonly ports?: ForwarderPorts;
  /** Folder of the update log. Default: none, the log lives in memory. */
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A command that runs it, such as one that sets limits. */
  readonly wrapper?: readonly string[];
}

/** Runs a forwarder and waits until it relays. */
export async function startForwarder(options: ForwarderOptions = {}): Promise<ForwarderProcess> {
  const service = startUnreadyForwarder(options);
  const { xsub, xpub, router } = await service.logged("Relaying");
  return Object.assign(service, {
    ports: { XSUB_PORT: `${xsub}`, XPUB_PORT: `${xpub}`, ROUTER_PORT: `${router}` },
  });
}

/** Runs a forwarder that may not come so far as to relay. */
export function startUnreadyForwarder(options: ForwarderOptions): ServiceProcess {
  const { ports = ANY_PORTS, folder, env = {}, wrapper = [] } = options;
  const log = folder === undefined ? ":memory:" : `${folder}/updates.db`;
  const flags = folder === undefined ? [] : [
    // As the README says for a log in another folder: a flag takes the place of the set's own list.
    `--allow-read=./node_modules,/etc/alpine-release,${folder}`,
    `--allow-write=${folder}`,
  ];
  return startService("forwarder", { ...ports, UPDATE_LOG: log, ...env }, flags, wrapper);
}

export interface HttpProcess extends ServiceProcess {
  /** Where it listens, with a slash at the end. */
  readonly url: string;
}

/** Runs a service, on any free port unless one is given, and waits until it listens. */
export async function startHttpService(
  name: ServiceName,
  env: Readonly<Record<string, string>> = {},
): Promise<HttpProcess> {
  const service = startService(name, { PORT: "0", ...env });
  const { url } = await service.logged("Listening");
  return Object.assign(service, { url: `${url}` });
}

/** Waits until a service says that it can do its work. */
export async function ready(url: string): Promise<void> {
  await eventually(`${url}readyz`, async () => {
    const response = await fetch(`${url}readyz`);
    await response.body?.cancel();
    return response.ok;
  });
}
