/** What stands between a browser and the broadcaster in tests of the tracker: pages that embed it, and a network that fails. */
import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const TRACKER_FOLDER = new URL("../../static/tracker/", import.meta.url);

/** A batch as it came in. */
export interface ReceivedBatch {
  readonly v: number;
  readonly site: string;
  readonly sid?: string;
  readonly sent: number;
  readonly try: number;
  readonly drop: number;
  readonly rate: number;
  readonly privacy?: string;
  readonly bots?: string;
  readonly e: readonly ReceivedEvent[];
  /** What it came with. */
  readonly request: {
    readonly bytes: number;
    readonly contentType: string;
    readonly cookie: string | undefined;
    readonly isBeacon: boolean;
  };
}

export interface ReceivedEvent {
  readonly id: string;
  readonly n: number;
  readonly t: number;
  readonly k: string;
  readonly u: string;
  readonly r?: string;
  readonly p: Readonly<Record<string, unknown>>;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * What becomes of a batch: it is answered, or passed on to the broadcaster, whose answer may get lost, or the connection
 * breaks before any of it is read by anybody.
 */
export type Fate = Answer | "pass on" | "lose the answer" | "break";

export interface Page {
  readonly html: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const CORS = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers": "Retry-After",
};

/** One server that is reached by many names: `localhost` and `127.0.0.1` are two sites to a browser, `a.localhost` is a third. */
export class Gateway implements AsyncDisposable {
  /** By path. */
  readonly pages = new Map<string, Page>();
  /** In the order of arrival, whatever became of them. */
  readonly batches: ReceivedBatch[] = [];
  /** Preflight requests for batches. */
  preflights = 0;
  /** Batches whose fate is not fulfilled yet. */
  busy = 0;
  fate: (batch: ReceivedBatch) => Fate | Promise<Fate> = () => ({ status: 204 });
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #upstream: string | undefined;

  private constructor(upstream: string | undefined) {
    this.#upstream = upstream;
  }

  /** @param upstream - of the broadcaster, with a slash at the end; the tracker then comes from there */
  static async open(upstream?: string): Promise<Gateway> {
    const gateway = new Gateway(upstream);
    await new Promise<void>((resolve) => gateway.#server.listen(0, "127.0.0.1", resolve));
    return gateway;
  }

  /** Its address, under one of its names. */
  url(path: string, host = "localhost"): string {
    return `http://${host}:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  /** Every event that came in, again and again if it came so. */
  get events(): readonly ReceivedEvent[] {
    return this.batches.flatMap(({ e }) => e);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? "/", "http://gateway.test").pathname;
    if (path === "/e" && request.method === "POST") return await this.#take(request, response);
    if (path === "/e") {
      this.preflights++;
      return answer(response, { status: 204, headers: { "Access-Control-Allow-Headers": "*" } });
    }
    const file = /^\/(tracker\.(js|mjs))$/.exec(path)?.[1];
    if (file !== undefined) {
      const body = this.#upstream === undefined
        ? await Deno.readTextFile(new URL(file, TRACKER_FOLDER))
        : await (await fetch(`${this.#upstream}${file}`)).text();
      return answer(response, { status: 200, headers: { "Content-Type": "text/javascript" }, body });
    }
    const page = this.pages.get(path);
    if (page === undefined) return answer(response, { status: 404 });
    const headers = { "Content-Type": "text/html; charset=utf-8", ...page.headers };
    answer(response, { status: 200, headers, body: page.html });
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.busy++;
    try {
      const bytes = await readAll(request);
      if (bytes === undefined) return;
      const { headers } = request;
      const batch: ReceivedBatch = {
        ...JSON.parse(new TextDecoder().decode(bytes)),
        request: {
          bytes: bytes.length,
          contentType: headers["content-type"] ?? "",
          cookie: headers.cookie,
          isBeacon: headers["sec-fetch-mode"] === "no-cors",
        },
      };
      this.batches.push(batch);
      const fate = await this.fate(batch);
      if (fate === "break") return void request.socket.destroy();
      if (typeof fate === "object") return answer(response, fate);
      const passed = await this.#passOn(request, bytes);
      if (fate === "lose the answer") request.socket.destroy();
      // As it is: what the broadcaster allows pages of other sites is for it to say.
      else send(response, passed);
    } finally {
      this.busy--;
    }
  }

  async #passOn({ headers }: IncomingMessage, body: Uint8Array): Promise<Answer> {
    const passed = new Headers();
    for (const name of ["content-type", "user-agent", "dnt", "sec-gpc", "origin"]) {
      const value = headers[name];
      if (typeof value === "string") passed.set(name, value);
    }
    const init = { method: "POST", headers: passed, body: body as BodyInit };
    const response = await fetch(`${this.#upstream}e`, init);
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: await response.text(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function answer(response: ServerResponse, { headers, ...rest }: Answer): void {
  send(response, { ...rest, headers: { ...CORS, ...headers } });
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers);
  response.end(body);
}

/** The whole body; undefined when its sender went away in the middle, which is what a killed page does. */
async function readAll(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ECONNRESET") return undefined;
    throw error;
  }
  return Buffer.concat(chunks);
}
