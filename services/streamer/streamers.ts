/**
 * Runs several streamers on one port, so that they use several processors; the system deals new connections out
 * among them. A streamer may not run programs, so this is a program of its own, which can do little else.
 */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { COMMON_SETTINGS, count, port, type SettingsOf } from "../lib/env.ts";
import { announce } from "../lib/log.ts";
import { aborted, pause, runTogether } from "../lib/shutdown.ts";
import { EXIT_BAD_SETTINGS, type RunContext, start, StartError } from "../lib/start.ts";

const STREAMER = fileURLToPath(new URL("main.ts", import.meta.url));

/** Settings of the streamer too, which reads them in the same way. */
export const LAUNCHER_SETTINGS = {
  logLevel: COMMON_SETTINGS.logLevel,
  port: port("PORT", 8001),
  streamers: count("STREAMERS", "1", { most: 256 }),
};

type Config = SettingsOf<typeof LAUNCHER_SETTINGS>;

/**
 * As in the tasks that run one streamer. By itself V8 lets the heap grow to a multiple of what is in use before it
 * looks for garbage; with this, thousands of streams take half of the memory.
 */
export const V8_FLAGS = "--v8-flags=--memory-saver-mode";

/** Milliseconds before a streamer is started again; twice as many each time that it has not listened in between. */
const LEAST_BACK_OFF_MS = 200;
const MOST_BACK_OFF_MS = 10_000;

/** Milliseconds after which a streamer is killed that was told to end: a little more than it gives itself. */
const KILL_MS = 4700;
/** And then the end has to come. */
const GRACE_MS = 4900;

/** Signals with which people end processes, and we ours; any other one comes from a fault. */
const END_SIGNALS: readonly (Deno.Signal | null)[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * How many streamers the settings ask for on this machine.
 *
 * @throws {StartError} when they cannot share the port.
 */
export function howMany(
  { streamers, port }: Pick<Config, "streamers" | "port">,
  { os, processors }: { os: typeof Deno.build.os; processors: number } = {
    os: Deno.build.os,
    processors: navigator.hardwareConcurrency,
  },
): number {
  // Elsewhere Deno shares a port within one process only.
  const canShare = os === "linux";
  const wanted = streamers > 0 ? streamers : canShare ? processors : 1;
  if (wanted > 1 && !canShare) {
    const message = `STREAMERS is "${wanted}", but must be 1 or 0: processes can share a port on Linux only`;
    throw new StartError(message, { exitCode: EXIT_BAD_SETTINGS });
  }
  if (wanted > 1 && port === 0) {
    const message = `PORT is "0", but must be the port that the ${wanted} streamers of STREAMERS share`;
    throw new StartError(message, { exitCode: EXIT_BAD_SETTINGS });
  }
  return wanted;
}

class Streamers {
  readonly #options: readonly string[];
  readonly #running = new Set<Deno.ChildProcess>();

  /** @param options for `deno run`, beside the streamer's own. */
  constructor(options: readonly string[]) {
    this.#options = options;
  }

  /**
   * Runs the streamers until the signal aborts, and starts each one again that ends before.
   *
   * @throws {StartError} when one cannot start or has bad settings, or does not end as it should; all have ended.
   */
  async run(config: Config, { log, signal }: RunContext): Promise<void> {
    const wanted = howMany(config);
    const firstListens = new AbortController();
    const keep = (signal: AbortSignal) =>
      this.#keep({ wanted, log, signal, onListen: () => firstListens.abort() });
    // One goes ahead: what is wrong with settings and port is said once, and not by each.
    const keepLater = async (signal: AbortSignal) => {
      await aborted(AbortSignal.any([signal, firstListens.signal]));
      await keep(signal);
    };
    await runTogether(signal, [keep, ...Array.from({ length: wanted - 1 }, () => keepLater)]);
  }

  /** Ends at once whatever runs. */
  kill(): void {
    for (const child of this.#running) send(child, "SIGKILL");
  }

  async #keep(
    { wanted, log, signal, onListen }: RunContext & { wanted: number; onListen: () => void },
  ): Promise<void> {
    let hasListened = false;
    let backOffMs = LEAST_BACK_OFF_MS;
    while (!signal.aborted) {
      const child = this.#spawn(wanted);
      const { pid } = child;
      log.info("Started a streamer", { pid });
      const status = await this.#ended(child, signal, () => {
        hasListened = true;
        backOffMs = LEAST_BACK_OFF_MS;
        onListen();
      });
      const how = status.signal ?? `exit code ${status.code}`;
      const isTold = status.code === 0 || END_SIGNALS.includes(status.signal);
      if (signal.aborted) {
        if (!isTold) throw new StartError(`A streamer did not end as it was told, but with ${how}`);
        return;
      }
      const couldStart = hasListened || isTold || status.signal === "SIGKILL";
      if (!couldStart || status.code === EXIT_BAD_SETTINGS) {
        throw new StartError(`A streamer cannot run: it ended with ${how}`, { exitCode: status.code });
      }
      log.warn(`A streamer ended with ${how}; another one takes its place`, { pid, backOffMs });
      await pause(backOffMs, signal);
      backOffMs = Math.min(2 * backOffMs, MOST_BACK_OFF_MS);
    }
  }

  #spawn(wanted: number): Deno.ChildProcess {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-q",
        V8_FLAGS,
        "-P=streamer",
        ...this.#options,
        STREAMER,
      ],
      // It shares its port when there are several, and 0 stands for a number that it need not work out.
      env: { STREAMERS: `${wanted}` },
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#running.add(child);
    return child;
  }

  /** Passes on what it says, tells it to end when the signal aborts, and resolves when it has ended. */
  async #ended(
    child: Deno.ChildProcess,
    signal: AbortSignal,
    onListen: () => void,
  ): Promise<Deno.CommandStatus> {
    let killing: ReturnType<typeof setTimeout> | undefined;
    const end = () => {
      // The one that also ends a streamer which is watched for changes of its code.
      send(child, "SIGINT");
      killing = setTimeout(() => send(child, "SIGKILL"), KILL_MS);
    };
    signal.addEventListener("abort", end, { once: true });
    const status = child.status.finally(() => {
      signal.removeEventListener("abort", end);
      clearTimeout(killing);
      this.#running.delete(child);
    });
    // A streamer prints where its page is once it listens, and nothing before, whatever the level of its log.
    for await (const line of createInterface({ input: Readable.fromWeb(child.stdout) })) {
      onListen();
      announce(line);
    }
    return await status;
  }
}

function send(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    // It has just ended, which is what was wanted of it.
    if (!(error instanceof TypeError)) throw error;
  }
}

if (import.meta.main) {
  const streamers = new Streamers(Deno.args);
  await start({
    name: "streamers",
    settings: LAUNCHER_SETTINGS,
    graceMs: GRACE_MS,
    run: (config, context) => streamers.run(config, context),
  }, {
    env: Deno.env,
    version: Deno.version,
    addSignalListener: Deno.addSignalListener,
    exit: (code) => {
      // However it comes to this: nobody would look after what is left.
      streamers.kill();
      return Deno.exit(code);
    },
  });
}
