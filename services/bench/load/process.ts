/** The load as a process of its own, seen from the one that measures. */
import { type Child, startProgram } from "../child.ts";
import type { CaughtUp, LoadOptions, LoadReport, Mark, Ready } from "./protocol.ts";

export class LoadProcess implements AsyncDisposable {
  readonly pid: number;
  readonly ready: Ready;
  readonly #child: Child;

  private constructor(child: Child, ready: Ready) {
    this.#child = child;
    this.pid = child.pid;
    this.ready = ready;
  }

  /** Resolves once every client has the head of its answer, or never will. */
  static async start(
    options: Partial<LoadOptions> & Pick<LoadOptions, "port" | "path" | "clients">,
  ): Promise<LoadProcess> {
    const child = startProgram("load.ts", ["--allow-ffi"], {
      headers: {},
      samples: 64,
      stalled: 0,
      inFlight: 128,
      behind: 0,
      ...options,
    });
    return new LoadProcess(child, await report(child, "ready"));
  }

  async begin(): Promise<Mark> {
    await this.#child.tell("begin");
    return await report(this.#child, "mark");
  }

  async mark(): Promise<Mark> {
    await this.#child.tell("mark");
    return await report(this.#child, "mark");
  }

  /** Resolves once all have what they missed. */
  async caughtUp(): Promise<CaughtUp> {
    return await report(this.#child, "caught up");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#child[Symbol.asyncDispose]() as Promise<void>;
  }
}

async function report<Kind extends LoadReport["kind"]>(
  child: Child,
  kind: Kind,
): Promise<Extract<LoadReport, { kind: Kind }>> {
  const answer: LoadReport = JSON.parse(await child.line());
  if (answer.kind !== kind) throw new Error(`The load said "${answer.kind}" instead of "${kind}"`);
  return answer as Extract<LoadReport, { kind: Kind }>;
}
