/** For tests: a streamer on a real port, and a client that is nothing but a connection. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { MemoryChannel } from "../lib/channels/memory.ts";
import type { Channel } from "../lib/channel.ts";
import { readSettings } from "../lib/env.ts";
import type { App } from "../lib/http.ts";
import { createLog } from "../lib/log.ts";
import { openAccess } from "../lib/mercure/settings.ts";
import { within } from "../lib/testing/deadline.ts";
import { createStreamer } from "./app.ts";
import { SETTINGS } from "./config.ts";
import { Hub, type HubOptions } from "./hub.ts";
import { listenForStreams } from "./server.ts";

const log = createLog({ service: "test", level: "error" });

export interface Streamer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly hub: Hub;
  readonly channel: Channel;
  /** Ends the hub and then the server; resolves when all connections are closed. */
  shutdown(): Promise<void>;
}

export interface StreamerOptions extends Partial<HubOptions> {
  /** Settings, by their names in the environment. The hub has options instead. */
  readonly env?: Readonly<Record<string, string>>;
  /** Adds what only a test needs. */
  readonly extend?: (app: App) => void;
}

/** A streamer on a real port, over a channel inside this process. */
export async function startStreamer(options: StreamerOptions = {}): Promise<Streamer> {
  const { channel = new MemoryChannel(), env = {}, extend } = options;
  const config = readSettings(SETTINGS, { get: (name) => env[name] });
  const ended = new AbortController();
  const hub = new Hub({ log, ...options, channel });
  const app = await createStreamer({
    config,
    channel,
    hub,
    presence: undefined,
    log,
    ...await openAccess(config, { log }),
  });
  extend?.(app);
  const running = hub.run(ended.signal);
  const server = await listenForStreams()(app, { port: 0, hostname: "127.0.0.1" });
  let closing: Promise<void> | undefined;
  const shutdown = () =>
    closing ??= (async () => {
      ended.abort();
      await running;
      await within("the end of all connections", server.shutdown());
      // Under the app, two timers one after the other look for the rest of a body that nobody reads.
      for (let count = 0; count < 3; count++) await new Promise((resolve) => setTimeout(resolve));
    })();
  return {
    url: `http://127.0.0.1:${server.port}/`,
    port: server.port,
    hub,
    channel,
    shutdown,
    async [Symbol.asyncDispose]() {
      await shutdown();
      await channel[Symbol.asyncDispose]();
    },
  };
}

/** Bytes asked for in one read. */
const READ_BYTES = 64 * 1024;

/** A client that reads only when it is told to, and sends what no library would. */
export class RawClient implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #chunks: Uint8Array[] = [];
  #size = 0;
  #end: "open" | "ended" | "reset" = "open";

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async connect(port: number): Promise<RawClient> {
    return new RawClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Connects, and asks for a stream. */
  static async get(port: number, path = "/events", headers: Record<string, string> = {}): Promise<RawClient> {
    const client = await RawClient.connect(port);
    await client.send(requestFor(path, headers));
    return client;
  }

  /** Sends text, one byte for each character. */
  async send(text: string): Promise<void> {
    const bytes = Buffer.from(text, "latin1");
    for (let sent = 0; sent < bytes.length;) {
      sent += await within("room to send", this.#connection.write(bytes.subarray(sent)));
    }
  }

  /** Reads once; false at the end. */
  async read(maxBytes = READ_BYTES): Promise<boolean> {
    if (this.#end !== "open") return false;
    const buffer = new Uint8Array(maxBytes);
    try {
      const count = await within("something to read", this.#connection.read(buffer));
      if (count === null) this.#end = "ended";
      else {
        this.#chunks.push(buffer.subarray(0, count));
        this.#size += count;
      }
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset) this.#end = "reset";
      // The test has closed it.
      else if (error instanceof Deno.errors.Interrupted) this.#end = "ended";
      else throw error;
    }
    return this.#end === "open";
  }

  /** Reads until the condition holds. */
  async until(what: string, condition: (text: string) => boolean): Promise<void> {
    while (!condition(this.text)) {
      if (!await this.read()) assert.fail(`${this.#end} while waiting for ${what}: ${this.text.slice(-500)}`);
    }
  }

  /** Reads until this text, of ASCII, has come. */
  async untilText(text: string): Promise<void> {
    let tail = this.text;
    while (!tail.includes(text)) {
      const before = this.#chunks.length;
      if (!await this.read()) assert.fail(`${this.#end} while waiting for ${text}: ${this.text.slice(-500)}`);
      // What came before is not searched again.
      tail = tail.slice(1 - text.length) + Buffer.concat(this.#chunks.slice(before)).toString("latin1");
    }
  }

  /** Reads until at least so many bytes have come. */
  async untilSize(size: number): Promise<void> {
    while (this.#size < size) {
      if (!await this.read()) assert.fail(`${this.#end} after ${this.#size} of ${size} bytes`);
    }
  }

  /** Reads to the end, and resolves with how that came. */
  async untilEnd(): Promise<"ended" | "reset"> {
    while (await this.read());
    return this.#end as "ended" | "reset";
  }

  /** How many bytes have come. */
  get size(): number {
    return this.#size;
  }

  get bytes(): Uint8Array {
    const all = Buffer.concat(this.#chunks);
    this.#chunks.splice(0, Infinity, all);
    return all;
  }

  /** All that has come, one character for each byte. */
  get text(): string {
    return Buffer.from(this.bytes).toString("latin1");
  }

  /** The status and the headers of the first response, by their lower-case names. */
  get head(): { status: number; headers: [string, string][] } {
    const [first = "", ...lines] = this.text.slice(0, this.#bodyStart - 4).split("\r\n");
    return {
      status: Number(first.split(" ")[1]),
      headers: lines.map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    };
  }

  header(name: string): string[] {
    return this.head.headers.filter(([each]) => each === name).map(([, value]) => value);
  }

  /** What has come of the body of the first response. */
  get body(): Uint8Array {
    return this.bytes.subarray(this.#bodyStart);
  }

  get #bodyStart(): number {
    const end = this.text.indexOf("\r\n\r\n");
    assert.ok(end >= 0, "The head has not come");
    return end + 4;
  }

  /** Says that it sends no more. */
  async closeWrite(): Promise<void> {
    await this.#connection.closeWrite();
  }

  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch (error) {
      // Closed by the test already.
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}

/** A request for a stream as a small client sends it. */
export function requestFor(path = "/events", headers: Record<string, string> = {}): string {
  const lines = Object.entries({ Host: "hub.test", ...headers }).map(([name, value]) =>
    `${name}: ${value}\r\n`
  );
  return `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}
