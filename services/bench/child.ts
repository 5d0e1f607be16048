/** Processes of the benchmark's own, and what has to be put away at its end. */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Milliseconds after which a process that owes an answer is given up: far more than anything here takes. */
const SILENT_MS = 180_000;

/** Those that are there now. */
const folders = new Set<string>();

/** From now on, Ctrl-C and its like end all our processes, remove all our folders and end with 130. */
export function watchInterrupts(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {
      // A signal that was sent to us alone has not reached them. All of them end at this one, and nginx takes its
      // worker along.
      new Deno.Command("pkill", { args: ["-TERM", "-P", `${Deno.pid}`] }).outputSync();
      for (const folder of folders) Deno.removeSync(folder, { recursive: true });
      Deno.exit(130);
    });
  }
}

/** An empty folder that is gone afterwards. */
export async function temporaryFolder(parent?: string): Promise<AsyncDisposable & { readonly path: string }> {
  if (parent !== undefined) await Deno.mkdir(parent, { recursive: true });
  const path = await Deno.makeTempDir({ prefix: "bench-", ...(parent !== undefined && { dir: parent }) });
  folders.add(path);
  return {
    path,
    async [Symbol.asyncDispose]() {
      folders.delete(path);
      await Deno.remove(path, { recursive: true });
    },
  };
}

export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** The next line of its output; rejects when it ends before. */
  line(): Promise<string>;
  /** Writes a line to its input. */
  tell(line: string): Promise<void>;
}

export interface ChildOptions {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What ends it. Default: SIGKILL. */
  readonly endSignal?: Deno.Signal;
}

/** Starts a process. Disposing it ends it and waits until it is gone. */
export function startChild(command: string, { args, env = {}, endSignal = "SIGKILL" }: ChildOptions): Child {
  const process = new Deno.Command(command, {
    args: [...args],
    cwd: ROOT,
    env: { ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const name = [command, ...args].join(" ");
  const kill = () => {
    try {
      process.kill(endSignal);
    } catch (error) {
      // It has ended already.
      if (!(error instanceof TypeError)) throw error;
    }
  };
  const lines = createInterface({ input: Readable.fromWeb(process.stdout) })[Symbol.asyncIterator]();
  const errors = new Response(process.stderr).text();
  const input = process.stdin.getWriter();
  return {
    pid: process.pid,
    async line() {
      const { promise: late, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(
        () => reject(new Error(`${name} has said nothing for ${SILENT_MS} ms`)),
        SILENT_MS,
      );
      const { value, done } = await Promise.race([lines.next(), late]).finally(() => clearTimeout(timer));
      if (done) throw new Error(`${name} ended: ${(await errors).trim()}`);
      return value;
    },
    tell: (line) => input.write(new TextEncoder().encode(`${line}\n`)),
    async [Symbol.asyncDispose]() {
      kill();
      await Promise.all([process.status, errors]);
    },
  };
}

/** Starts a Deno program beside this one. */
export function startProgram(name: string, flags: readonly string[], options: unknown): Child {
  const path = fileURLToPath(new URL(name, import.meta.url));
  return startChild(Deno.execPath(), {
    args: ["run", "-q", "--no-check", ...flags, path, JSON.stringify(options)],
  });
}
