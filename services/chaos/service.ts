/** One service that is killed, frozen and restarted on purpose, and watched for ending without one. */
import { pause } from "../lib/shutdown.ts";
import { within } from "../lib/testing/deadline.ts";
import type { LogEntry, ServiceProcess } from "../lib/testing/processes.ts";

export interface ServiceOptions {
  readonly name: string;
  readonly start: () => ServiceProcess;
  /** The log entry with which it says that it is up. */
  readonly up: string;
  /** Takes what a service should not do by itself. */
  readonly complain: (what: string) => void;
}

export class Service implements AsyncDisposable {
  readonly name: string;
  readonly #options: ServiceOptions;
  #process: ServiceProcess | undefined;

  constructor(options: ServiceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Starts it and waits until it is up. */
  async start(): Promise<void> {
    const process = this.#options.start();
    this.#process = process;
    this.#watch(process);
    await process.logged(this.#options.up);
  }

  async kill(): Promise<void> {
    const process = this.#release();
    await process?.[Symbol.asyncDispose]();
  }

  /** Ends it as a host does. */
  async end(): Promise<void> {
    const process = this.#release();
    process?.kill("SIGTERM");
    if (process === undefined) return;
    const { code, signal } = await within(`the end of ${this.name} after SIGTERM`, process.exit);
    if (code !== 0) this.#options.complain(`${this.name} ended after SIGTERM with ${signal ?? code}`);
  }

  /** Lets it stand still for a while. */
  async freeze(ms: number, signal: AbortSignal): Promise<void> {
    const process = this.#process;
    process?.kill("SIGSTOP");
    await pause(ms, signal);
    process?.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  /** Takes the process out: from now on its end is meant. */
  #release(): ServiceProcess | undefined {
    const process = this.#process;
    this.#process = undefined;
    return process;
  }

  async #watch(process: ServiceProcess): Promise<void> {
    const { complain } = this.#options;
    const { code, signal } = await process.exit;
    for (const entry of process.entries.filter(({ level }) => level === "error")) {
      complain(`${this.name} logged an error: ${describe(entry)}`);
    }
    if (this.#process !== process) return;
    complain(`${this.name} ended by itself with ${signal ?? code}: ${process.output.slice(-5).join(" | ")}`);
  }
}

function describe({ level: _level, message, ...fields }: LogEntry): string {
  return `${message} ${JSON.stringify(fields)}`;
}
