/** A client of the stream that comes back with its last id whenever it is cut off, as a browser does. */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { pause } from "../lib/shutdown.ts";
import type { Ids } from "./ids.ts";
import type { Random } from "./random.ts";

export interface ReaderOptions {
  /** Streams to choose from, anew with each connection: the order is one, whichever streamer shows it. */
  readonly urls: readonly string[];
  readonly ids: Ids;
  readonly random: Random;
  /** The end of the reader. */
  readonly signal: AbortSignal;
}

interface Connection {
  readonly number: number;
  readonly url: string;
  readonly lastId: string;
  /** How many events had come before it. */
  readonly from: number;
}

/** Longest wait before a client that does not go by `retry:` is back, in milliseconds. */
const IMPATIENT_MS = 200;

export class Reader {
  /** What it saw, in the order in which it came. */
  readonly seen: number[] = [];
  /** Resolves when it has left for good. */
  readonly done: Promise<void>;
  readonly #options: ReaderOptions;
  /** Those that brought something. */
  readonly #connections: Connection[] = [];
  #count = 0;
  #lastId = "earliest";
  #retryMs = 1000;
  #cut = new AbortController();

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.done = this.#run();
  }

  /** How many connections it has opened, or tried to. */
  get connections(): number {
    return this.#count;
  }

  /** Cuts its connection, if it has one. */
  cut(): void {
    this.#cut.abort();
  }

  /** Says how an event came, by its place in {@link seen}. */
  cameBy(index: number): string {
    const connection = this.#connections.findLast(({ from }) => from <= index);
    if (connection === undefined) return "?";
    const { number, url, lastId, from } = connection;
    return `event ${index - from} of connection ${number} to ${url} after ${lastId}`;
  }

  async #run(): Promise<void> {
    const { random, signal } = this.#options;
    while (!signal.aborted) {
      await this.#connect(random.pick(this.#options.urls));
      // Some clients wait as they are told, others are impatient: a page that is reloaded, a polyfill.
      await pause(random.next() < 0.5 ? this.#retryMs : random.between(0, IMPATIENT_MS), signal);
    }
  }

  async #connect(url: string): Promise<void> {
    const { signal } = this.#options;
    const cut = new AbortController();
    this.#cut = cut;
    const leave = () => cut.abort();
    signal.addEventListener("abort", leave);
    try {
      await this.#read(url, cut.signal);
    } catch (error) {
      // A connection that is cut or refused ends the stream, on whichever side.
      if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  async #read(url: string, signal: AbortSignal): Promise<void> {
    const connection = { number: ++this.#count, url, lastId: this.#lastId, from: this.seen.length };
    const headers = { "Accept": "text/event-stream", "Last-Event-ID": this.#lastId };
    const response = await fetch(url, { headers, signal });
    if (!response.ok || response.body === null) return await response.body?.cancel();
    const parser = createParser({
      onEvent: (event) => this.#take(event, connection),
      onRetry: (milliseconds) => this.#retryMs = milliseconds,
    });
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) parser.feed(text);
  }

  #take({ id }: EventSourceMessage, connection: Connection): void {
    if (this.#connections.at(-1) !== connection) this.#connections.push(connection);
    this.seen.push(this.#options.ids.numberOf(id ?? "(an event without id)"));
    if (id !== undefined) this.#lastId = id;
  }
}
