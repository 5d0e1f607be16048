/**
 * What the tests of the Mercure protocol stand on. They see the hub from outside only: the real processes, over HTTP.
 *
 * Each section of the checklist is a module beside this one that exports `register(suite: Suite): void`, and
 * `services/mercure_test.ts` runs them all as steps of one test:
 *
 * - `suite.requirement(13, async (hubs, t) => …)` tests requirement 13 of `requirements.ts`, where its section, level
 *   and text stand. Each number has one test; its cases are assertions with a message, or steps of `t`.
 * - `suite.reference("Publish", "what the reference hub does", async (hubs, t) => …)` tests what no requirement says.
 * - `hubs.open({ HEARTBEAT: "1s" })` gives the hub with these settings, started at the first use and shared by all
 *   tests that ask for the same ones. What one test publishes stays in the history that all of these hubs share: take
 *   topics from `unique()`, and never expect the history to be empty.
 * - `await using hub = await hubs.fresh(settings, forwarderOptions)` gives one of its own, with its own forwarder.
 * - `await using stream = await hub.subscribe({ match: topic })` opens a stream; `hub.get({ match: topic })` is for what
 *   is refused. `hub.publish({ topic, data })` publishes, with a token for everything unless told otherwise.
 * - `await stream.drain(topic)` returns what has come since the last time, up to a marker that it publishes on the
 *   topic: so a test proves that something was not delivered, and never sleeps.
 *
 * Only some of them: `deno test -P --no-check services/mercure_test.ts -- 13 60-99 Publish Host`
 */
import assert from "node:assert/strict";
import { type JWTPayload, SignJWT } from "jose";
import { within } from "../lib/testing/deadline.ts";
import {
  type ForwarderOptions,
  type ForwarderProcess,
  type HttpProcess,
  ready,
  startForwarder,
  startHttpService,
} from "../lib/testing/processes.ts";
import { openSse, type SseReader } from "../lib/testing/sse_reader.ts";
import type { Section } from "./requirements.ts";

/** The path of the hub, as the protocol recommends it. */
export const HUB_PATH = "/.well-known/mercure";

/** The issuer of the tests and its secret: those of the protocol's official test suite. */
export const ISSUER = "https://localhost";
export const KEY = "!ChangeThisMercureHubJWTSecretKey!";

/** The type of the authorization details that the protocol defines. */
export const DETAIL_TYPE = "https://mercure.rocks/authorization-detail";

const FORM = "application/x-www-form-urlencoded";

/** What a test is given: the hubs, and its context for steps. */
export type Check = (hubs: Hubs, t: Deno.TestContext) => Promise<void>;

/** Where a section registers its tests. */
export interface Suite {
  requirement(number: number, check: Check): void;
  reference(section: Section, name: string, check: Check): void;
}

/** Environment variables of a service; an empty one counts as missing. */
export type Settings = Readonly<Record<string, string>>;

/** Names and values of a query or a form; text is taken as it is, already encoded. */
export type Fields =
  | string
  | Readonly<Record<string, string | readonly string[]>>
  | readonly (readonly [name: string, value: string])[];

/** Fields as text, form-urlencoded. */
export function encode(fields: Fields): string {
  if (typeof fields === "string") return fields;
  const pairs = isPairs(fields)
    ? fields
    : Object.entries(fields).flatMap(([name, values]) =>
      [values].flat().map((value) => [name, value] as const)
    );
  return new URLSearchParams(pairs.map(([name, value]) => [name, value])).toString();
}

function isPairs(fields: Exclude<Fields, string>): fields is readonly (readonly [string, string])[] {
  return Array.isArray(fields);
}

/** A response that has been read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Sends a request and reads the whole response, but of an event stream only the headers: it need not end. */
export async function request(url: string | URL, init: RequestInit = {}): Promise<Answer> {
  const { method = "GET" } = init;
  return await within(
    `the response to ${method} ${url}`.slice(0, 300),
    (async () => {
      const response = await fetch(url, { redirect: "manual", ...init });
      const { status, headers } = response;
      if (headers.get("Content-Type")?.startsWith("text/event-stream")) {
        await response.body?.cancel();
        return { status, headers, text: "" };
      }
      return { status, headers, text: await response.text() };
    })(),
  );
}

/**
 * The events of a stream as they stand in it. A block without data is none, and what the hub says before the first
 * one, a comment and how soon to come back, does not belong to it.
 */
export function eventsIn(text: string): string[] {
  return text.replace(/^:\nretry: [0-9]+\n/, "").split("\n\n").filter((block) => /^data:/m.test(block));
}

/** Fails when the answer to what was asked has another status. */
export function assertStatus(answer: Answer, status: number, what: string): void {
  assert.equal(
    answer.status,
    status,
    `${what} was answered with ${answer.status} ${answer.text}`.slice(0, 500),
  );
}

/** How text travels in a header: one character per byte of its UTF-8. */
export function headerText(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

/** The reverse of `headerText`. */
export function fromHeaderText(text: string): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(
    Uint8Array.from(text, (char) => char.charCodeAt(0)),
  );
}

let names = 0;

/** A topic that no other test of this run has, below `https://example.test/`. */
export function unique(name = "topic"): string {
  return `https://example.test/${++names}/${name}`;
}

/** A matcher in a token; text stands for an exact one. */
export type Granted = string | { readonly match: string; readonly match_type?: string };

export interface TokenOptions {
  /** Matchers of one detail with the action `publish`. */
  readonly publish?: readonly Granted[];
  /** Matchers of one detail with the action `subscribe`. */
  readonly subscribe?: readonly Granted[];
  /** The payload of the detail for `subscribe`. */
  readonly payload?: unknown;
  /** The whole claim `authorization_details`, of any shape, in place of the above. */
  readonly details?: unknown;
  /** Claims that replace or add to the usual ones; undefined takes one away. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Header parameters likewise. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** What signs. Default: `KEY`. */
  readonly key?: string | Uint8Array | CryptoKey;
}

/** The claims that a good token for a hub has; tests spoil them. */
export function goodClaims(audience: string, details: readonly unknown[] = []): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: ISSUER,
    aud: audience,
    sub: "test",
    client_id: "test",
    iat: now,
    exp: now + 600,
    jti: crypto.randomUUID(),
    authorization_details: details,
  };
}

/** Signs a token as an issuer does: RFC 9068 with the protocol's authorization details, good for ten minutes. */
export async function mint(audience: string, options: TokenOptions = {}): Promise<string> {
  const { publish, subscribe, payload, key = KEY } = options;
  const claims = {
    ...goodClaims(audience),
    authorization_details: "details" in options ? options.details : [
      ...(subscribe ? [detail("subscribe", subscribe, payload)] : []),
      ...(publish ? [detail("publish", publish)] : []),
    ],
    ...options.claims,
  };
  return await new SignJWT(JSON.parse(JSON.stringify(claims)) as JWTPayload)
    .setProtectedHeader({ alg: "HS256", typ: "at+jwt", ...options.header })
    .sign(typeof key === "string" ? new TextEncoder().encode(key) : key);
}

/** One entry of `authorization_details`. */
export function detail(
  action: "publish" | "subscribe",
  matchers: readonly Granted[],
  payload?: unknown,
): Record<string, unknown> {
  return {
    type: DETAIL_TYPE,
    actions: [action],
    topics: matchers.map((matcher) => typeof matcher === "string" ? { match: matcher } : matcher),
    ...(payload !== undefined && { payload }),
  };
}

export interface RequestOptions {
  /** Sent as `Authorization: Bearer`. Default: none, but for publishing one that may publish everything. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface SubscribeOptions extends RequestOptions {
  readonly method?: string;
  /** For `QUERY`: the form in the body, or its bytes as they are. */
  readonly body?: Fields | Uint8Array<ArrayBuffer>;
  /** The body of the response is not read before this resolves. */
  readonly readAfter?: Promise<void>;
}

/** An event as a client sees it. */
export type Event = SseReader["events"][number];

export interface Stream extends SseReader {
  /** Resolves with all events so far once there are at least this many. */
  next(count: number): Promise<readonly Event[]>;
  /**
   * Publishes a public marker on a topic that the stream matches, waits for it, and resolves with what came before it
   * and since the last call.
   */
  drain(topic: string): Promise<Event[]>;
}

/** The bytes of a stream as text, for what a parser hides. */
export interface Wire extends AsyncDisposable {
  readonly response: Response;
  readonly text: string;
  readonly ended: boolean;
  until(what: string, condition: (text: string) => boolean): Promise<string>;
}

/** Something that takes updates at `POST`: a streamer or a broadcaster. */
export class Door {
  /** Where the hub is, absolute: also its resource identifier, hence the audience of tokens. */
  readonly url: string;
  #publisher: Promise<string> | undefined;

  constructor(readonly service: HttpProcess, path = HUB_PATH) {
    this.url = new URL(path, service.url).href;
  }

  /** The origin of the hub, without a slash at its end. */
  get origin(): string {
    return new URL(this.url).origin;
  }

  /** Signs a token for this hub. */
  token(options: TokenOptions = {}): Promise<string> {
    return mint(this.url, options);
  }

  /** Publishes an update: fields, or the bytes of a body as they are. */
  async publish(form: Fields | Uint8Array<ArrayBuffer>, options: RequestOptions = {}): Promise<Answer> {
    const token = options.token === undefined
      ? await (this.#publisher ??= this.token({ publish: ["*"], claims: { exp: 4_000_000_000 } }))
      : options.token;
    const headers = { "Content-Type": FORM, ...headersOf({ ...options, token }) };
    return await request(this.url, {
      method: "POST",
      headers,
      body: bodyOf(form),
      ...(options.signal && { signal: options.signal }),
    });
  }

  /** Publishes an update that must be taken, and returns its id. */
  async publishOk(form: Fields | Uint8Array<ArrayBuffer>, options: RequestOptions = {}): Promise<string> {
    const { status, text } = await this.publish(form, options);
    assert.equal(status, 200, `publish was refused: ${text}`);
    return text;
  }
}

/** A hub: a streamer with the forwarder behind it. Disposing it ends both, unless they are shared. */
export class Hub extends Door implements AsyncDisposable {
  readonly #owned: AsyncDisposableStack;

  constructor(
    readonly streamer: HttpProcess,
    readonly forwarder: ForwarderProcess,
    owned: AsyncDisposableStack,
  ) {
    super(streamer);
    this.#owned = owned;
  }

  /** The URL of a subscription with these matchers. */
  urlOf(query: Fields): string {
    const text = encode(query);
    return text === "" ? this.url : `${this.url}?${text}`;
  }

  /** Opens a stream, which must succeed. */
  async subscribe(query: Fields, options: SubscribeOptions = {}): Promise<Stream> {
    const { readAfter } = options;
    const reader = await openSse(this.urlOf(query), initOf(options), readAfter ? { readAfter } : {});
    if (reader.response.status !== 200) {
      await using _closed = reader;
      assert.fail(`the stream was refused with ${reader.response.status}`);
    }
    return this.#stream(reader);
  }

  #stream(reader: SseReader): Stream {
    let seen = 0;
    const next = async (count: number) => {
      await reader.until(`${count} events`, () => reader.events.length >= count);
      return reader.events;
    };
    const drain = async (topic: string) => {
      const id = await this.publishOk({ topic, data: "marker" });
      await reader.until(`a marker on ${topic}`, () => reader.events.some((event) => event.id === id));
      const end = reader.events.findIndex((event) => event.id === id);
      const events = reader.events.slice(seen, end);
      seen = end + 1;
      return events;
    };
    // Not a copy: what the reader has so far is behind getters.
    return Object.defineProperties(reader, { next: { value: next }, drain: { value: drain } }) as Stream;
  }

  /** Opens a stream, which must succeed, and shows its text as it comes. */
  async wire(query: Fields, options: SubscribeOptions = {}): Promise<Wire> {
    const leave = new AbortController();
    const response = await within(
      "the headers of a stream",
      fetch(this.urlOf(query), { ...initOf(options), signal: leave.signal }),
    );
    assert.equal(response.status, 200);
    let text = "";
    let ended = false;
    let progress = Promise.withResolvers<void>();
    const reading = (async () => {
      try {
        for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
          text += chunk;
          progress.resolve();
          progress = Promise.withResolvers();
        }
      } catch (error) {
        if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
      }
      ended = true;
      progress.resolve();
    })();
    const wait = async (what: string, condition: (text: string) => boolean) => {
      while (!condition(text)) {
        if (ended) throw new Error(`The stream ended while waiting for ${what}`);
        await progress.promise;
      }
      return text;
    };
    return {
      response,
      get text() {
        return text;
      },
      get ended() {
        return ended;
      },
      until: (what, condition) => within(what, wait(what, condition)),
      async [Symbol.asyncDispose]() {
        leave.abort();
        await reading;
      },
    };
  }

  /** Asks for a stream that is to be refused, or for anything else that ends, and reads the whole response. */
  get(query: Fields, options: SubscribeOptions = {}): Promise<Answer> {
    return request(this.urlOf(query), initOf(options));
  }

  /** Requests a path on the hub's origin, such as one below `HUB_PATH`. */
  path(path: string, options: SubscribeOptions = {}): Promise<Answer> {
    return request(new URL(path, this.url), initOf(options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

function initOf({ method = "GET", body, signal, ...options }: SubscribeOptions): RequestInit {
  const form = body === undefined ? {} : { "Content-Type": FORM };
  return {
    method,
    headers: { ...form, ...headersOf(options) },
    ...(body !== undefined && { body: bodyOf(body) }),
    ...(signal && { signal }),
  };
}

function bodyOf(form: Fields | Uint8Array<ArrayBuffer>): string | Uint8Array<ArrayBuffer> {
  return form instanceof Uint8Array ? form : encode(form);
}

function headersOf({ token, headers }: RequestOptions): Record<string, string> {
  return { ...(typeof token === "string" && { Authorization: `Bearer ${token}` }), ...headers };
}

/** The settings that a hub of the tests has unless told otherwise. */
const USUAL: Settings = { JWT_ISSUER: ISSUER, JWT_KEY: KEY };

/** A hub that knows no issuer, and that says nothing by itself. */
export const OPEN: Settings = { JWT_ISSUER: "", JWT_KEY: "", HEARTBEAT: "0" };

/** A hub whose limits are low enough to run into. */
export const SMALL: Settings = {
  MAX_BODY: "4KiB",
  MAX_TOPICS: "3",
  MAX_MATCHERS: "2",
  MAX_MATCHER_LENGTH: "100",
};

/** The hubs of a run. Disposing it ends them all. */
export class Hubs implements AsyncDisposable {
  readonly #shared = new Map<string, Promise<Hub>>();
  readonly #owned = new AsyncDisposableStack();
  #forwarder: Promise<ForwarderProcess> | undefined;
  #broadcaster: Promise<Door> | undefined;

  /** The shared hub with these settings, beside the issuer of the tests. */
  open(settings: Settings = {}): Promise<Hub> {
    const key = JSON.stringify(Object.entries(settings).toSorted());
    const known = this.#shared.get(key);
    if (known) return known;
    const hub = (async () => {
      const forwarder = await this.#sharedForwarder();
      const streamer = this.#owned.use(await startStreamer(forwarder, settings));
      return new Hub(streamer, forwarder, new AsyncDisposableStack());
    })();
    this.#shared.set(key, hub);
    return hub;
  }

  /** A hub of its own, with its own forwarder. */
  async fresh(settings: Settings = {}, forwarderOptions: ForwarderOptions = {}): Promise<Hub> {
    await using owned = new AsyncDisposableStack();
    const forwarder = owned.use(await startForwarder(forwarderOptions));
    const streamer = owned.use(await startStreamer(forwarder, settings));
    return new Hub(streamer, forwarder, owned.move());
  }

  /** A broadcaster before the forwarder of the shared hubs. Tokens for it name its own URL as audience. */
  broadcaster(): Promise<Door> {
    return this.#broadcaster ??= (async () => {
      const { ports } = await this.#sharedForwarder();
      const service = this.#owned.use(await startHttpService("broadcaster", { ...ports, ...USUAL }));
      await ready(service.url);
      return new Door(service);
    })();
  }

  #sharedForwarder(): Promise<ForwarderProcess> {
    return this.#forwarder ??= (async () => this.#owned.use(await startForwarder()))();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#forwarder, this.#broadcaster, ...this.#shared.values()]);
    await this.#owned.disposeAsync();
  }
}

/** Starts a streamer before a forwarder, with the issuer of the tests, and waits until it can do its work. */
export async function startStreamer(
  forwarder: ForwarderProcess,
  settings: Settings = {},
): Promise<HttpProcess> {
  await using starting = new AsyncDisposableStack();
  const streamer = starting.use(
    await startHttpService("streamer", { ...forwarder.ports, ...USUAL, ...settings }),
  );
  await ready(streamer.url);
  starting.move();
  return streamer;
}
