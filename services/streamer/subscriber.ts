/**
 * One open stream. What waits in it is bounded: it takes a chunk only while less than its buffer waits, and asks
 * for more when its client has read. Whoever cannot give it a chunk now gives it from the history later.
 */

import type { Cursor } from "../lib/channel.ts";

/** Bytes that may wait for the client before the stream takes no more. */
const BUFFER_BYTES = 64 * 1024;

/** Where a subscriber is: it waits for its last id to be found, reads after a cursor, or has had everything. */
export type Place = { readonly locate: string } | { readonly after: Cursor | "earliest" } | "live";

export interface SubscriberOptions {
  /** The first bytes. */
  readonly preamble: Uint8Array;
  readonly place: Place;
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
  readonly signals: boolean;
  readonly #ended = new AbortController();
  readonly #onEnded: (subscriber: Subscriber) => void;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #lastWrite = performance.now();

  constructor({ preamble, place, signals, onRoom, onEnded }: SubscriberOptions) {
    this.place = place;
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
  }

  /** Aborts when the stream is over. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Whether the stream takes a chunk now. */
  get hasRoom(): boolean {
    return !this.#ended.signal.aborted && (this.#controller.desiredSize ?? 0) > 0;
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

  /** Ends the stream from our side; what waits is still delivered. */
  close(): void {
    if (this.#ended.signal.aborted) return;
    this.#controller.close();
    this.#end();
  }

  #end(): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    this.#onEnded(this);
  }
}
