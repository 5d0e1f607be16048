/** Stands between two services, so that single connections between them can be cut. */
import type { Random } from "./random.ts";

export class Relay implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #target: number;
  /** Each connection, with its both ends. */
  readonly #connections = new Set<readonly Deno.TcpConn[]>();
  /** Those among them that are cut within what comes next from the target. */
  readonly #breaking = new Set<readonly Deno.TcpConn[]>();
  readonly #done: Promise<void>;

  /** @param target - the port, on loopback, to which connections are passed on */
  constructor(port: number, target: number) {
    this.#target = target;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.#done = this.#accept();
  }

  /** Cuts one connection; returns whether there was any. */
  cut(random: Random): boolean {
    if (this.#connections.size === 0) return false;
    cut(random.pick([...this.#connections]));
    return true;
  }

  /** Cuts every connection in the middle of what comes next from the target. */
  breakAll(): void {
    for (const connection of this.#connections) this.#breaking.add(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) cut(connection);
    await this.#done;
  }

  async #accept(): Promise<void> {
    const passing: Promise<void>[] = [];
    try {
      for await (const near of this.#listener) passing.push(this.#pass(near));
    } finally {
      await Promise.all(passing);
    }
  }

  async #pass(near: Deno.TcpConn): Promise<void> {
    let far: Deno.TcpConn;
    try {
      far = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    } catch {
      // Nobody is there; the near side finds out as it would without us.
      return near.close();
    }
    const connection = [near, far];
    this.#connections.add(connection);
    await Promise.all([copy(near, far), copy(far, near, () => this.#breaking.has(connection))]);
    this.#connections.delete(connection);
    this.#breaking.delete(connection);
    cut(connection);
  }
}

/** Copies until either side is gone, or breaks, and then takes the other one with it. */
async function copy(from: Deno.TcpConn, to: Deno.TcpConn, breaks = () => false): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  try {
    for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
      const end = breaks() ? Math.floor(count / 2) : count;
      for (let sent = 0; sent < end;) sent += await to.write(buffer.subarray(sent, end));
      if (end < count) break;
    }
  } catch {
    // Cut on purpose, or by one of the services. Whichever it was, this connection is over.
  }
  cut([from, to]);
}

function cut(connection: readonly Deno.TcpConn[]): void {
  for (const end of connection) {
    try {
      end.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}
