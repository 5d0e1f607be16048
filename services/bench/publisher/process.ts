/** The publisher as a process of its own, seen from the one that measures. */
import { type Child, startProgram } from "../child.ts";
import type { Published, PublisherOptions } from "./protocol.ts";

export class PublisherProcess implements AsyncDisposable {
  readonly pid: number;
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
    this.pid = child.pid;
  }

  static async start(options: PublisherOptions): Promise<PublisherProcess> {
    const flags = ["--allow-ffi", "--allow-net=127.0.0.1", "--allow-read", "--allow-env"];
    const child = startProgram("publisher.ts", flags, options);
    await child.line();
    return new PublisherProcess(child);
  }

  go(): Promise<void> {
    return this.#child.tell("go");
  }

  async mark(): Promise<Published> {
    await this.#child.tell("mark");
    return await this.published();
  }

  /** Resolves once all that was sent is acknowledged. */
  async stop(): Promise<Published> {
    await this.#child.tell("stop");
    return await this.published();
  }

  async published(): Promise<Published> {
    return JSON.parse(await this.#child.line());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#child[Symbol.asyncDispose]() as Promise<void>;
  }
}
