/**
 * One open stream. What waits in it is bounded: it takes a chunk only while less than its buffer waits, and asks
 * for more when its client has read. Whoever cannot give it a chunk now gives it from the history later.
 */

import type { Cursor } from "../lib/channel.ts";
import type { View } from "./view.ts";

/** Bytes that may wait for the client before the stream takes no more. */
const BUFFER_BYTES = 64 * 1024;

/** Longest time of a timer, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Where a subscriber is: it waits for its last id to be found, reads after a cursor, or has had everything. */
export type Place = { readonly locate: string } | { readonly after: Cursor | "earliest" } | "live";

export interface SubscriberOptions {
  /** The first bytes. */
  readonly preamble: Uint8Array;
  readonly place: Place;
  readonly view: View;
  /** When it has to be over, in milliseconds since 1970. */
  readonly closesAt?: number | undefined;
  /** Whether it asked for the hub's own events. */
  readonly signals: boolean;
  /** Called whenever the stream has room, and not again before it resolves. */
  readonly onRoom: (subscriber: Subscriber) => Promise<void>;
  /** Called once when the stream is over, whichever side ended it. */
  readonly onEnded: (subscriber: Subscriber) => void;
}

export class Subscriber {
  /** The body of the response. */
  readonly stream: ReadableStream<Uint8Array>;
  /** Set by the hub when it goes live or falls behind, and by whoever writes to it in between. */
  place: Place;
  readonly view: View;
  readonly signals: boolean;
  readonly #closesAt: number;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #ended = new AbortController();
  readonly #onEnded: (subscriber: Subscriber) => void;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #lastWrite = performance.now();

  constructor(options: SubscriberOptions) {
    const { preamble, place, view, closesAt = Infinity, signals, onRoom, onEnded } = options;
    this.place = place;
    this.view = view;
    this.#closesAt = closesAt;
    this.signals = signals;
    this.#onEnded = onEnded;
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
        controller.enqueue(preamble);
      },
      pull: () => onRoom(this),
      cancel: () => this.#end(),
    }, new ByteLengthQueuingStrategy({ highWaterMark: BUFFER_BYTES }));
    if (closesAt === Infinity) return;
    const left = Math.max(0, closesAt - Date.now());
    this.#timer = setTimeout(() => this.close(), Math.min(left, MAX_TIMER_MS));
  }

  /** Aborts when the stream is over. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Whether the stream takes a chunk now. */
  get hasRoom(): boolean {
    return !this.#ended.signal.aborted && Date.now() < this.#closesAt &&
      (this.#controller.desiredSize ?? 0) > 0;
  }

  /** Milliseconds since something was last written. */
  get idle(): number {
    return performance.now() - this.#lastWrite;
  }

  /** Hands bytes to the client. Only while {@link hasRoom}. */
  write(chunk: Uint8Array): void {
    this.#controller.enqueue(chunk);
    this.#lastWrite = performance.now();
  }

  /** Ends the stream from our side. What waits in it was written in time, and is still delivered. */
  close(): void {
    if (this.#ended.signal.aborted) return;
    this.#controller.close();
    this.#end();
  }

  #end(): void {
    if (this.#ended.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#ended.abort();
    this.#onEnded(this);
  }
}
