/**
 * One open stream: the bare socket of a request that was answered, and what waits to be written to it.
 *
 * What waits here is bounded. A live subscriber takes chunks while less than its buffer waits; one that reads on at
 * its own pace takes the next piece when the system has taken the last one. A subscriber to which nothing can be
 * written for a while is given up. Chunks are shared: whoever waits for one holds no copy.
 */
import type { Socket } from "node:net";
import type { Cursor } from "../lib/channel.ts";
import type { Chunk } from "./chunk.ts";
import { GzipStream } from "./gzip.ts";
import { isUnanswered, limitPatience } from "./tcp.ts";
import type { View } from "./view.ts";

/** Where a subscriber is: it waits for its last id to be found, reads after a cursor, or has had everything. */
export type Place = { readonly locate: string } | { readonly after: Cursor | "earliest" } | "live";

/** Why a stream is over. */
export const END_REASONS = [
  /** Its client left. */
  "left",
  /** Its client does not answer any more. */
  "vanished",
  /** Its client took nothing for too long. */
  "stalled",
  /** What its client had not read yet is no longer kept. */
  "lagged",
  /** It was open for as long as streams, or its token, may. */
  "expired",
  /** The streamer ends. */
  "shutdown",
  /** It could not go on; the log says why. */
  "failed",
] as const;

export type EndReason = (typeof END_REASONS)[number];

/** Milliseconds after which something is done about a stream. */
export interface Patience {
  /** Of silence, until it gets a comment; 0 for never. */
  readonly heartbeatMs: number;
  /** Without progress, until it is given up; 0 for never. */
  readonly stallMs: number;
}

export interface SubscriberOptions {
  /** The first bytes. */
  readonly preamble: Chunk;
  readonly place: Place;
  readonly view: View;
  /** When it has to be over, in milliseconds since 1970. */
  readonly closesAt?: number | undefined;
  /** Whether it asked for the hub's own events. */
  readonly signals: boolean;
  /** Whether its bytes are compressed. */
  readonly gzip: boolean;
  /** Bytes that may wait here. */
  readonly maxWaiting: number;
  readonly patience: Patience;
  /** Called when a subscriber that is not live can be written to, and not again before it resolves. */
  readonly onRoom: (subscriber: Subscriber) => Promise<void>;
}

/** Most bytes in one write: the system tells of a write when it has taken the whole of it, and that is progress. */
const PIECE_BYTES = 64 * 1024;
/** Milliseconds that a stream which is over has to take what was written to it before. */
const LINGER_MS = 2000;

const NOTHING = new Uint8Array();

export class Subscriber {
  /** Set by the hub when it goes live or falls behind, and by whoever writes to it in between. */
  place: Place;
  readonly view: View;
  readonly signals: boolean;
  readonly #closesAt: number;
  readonly #gzip: GzipStream | undefined;
  readonly #maxWaiting: number;
  readonly #patience: Patience;
  readonly #onRoom: (subscriber: Subscriber) => Promise<void>;
  readonly #onEnd: ((reason: EndReason) => void)[] = [];
  #socket: Socket | undefined;
  /** What the socket has not been given yet, and how much that is. Undefined where there is none. */
  #queue: Uint8Array[] | undefined;
  #queued = 0;
  /** Whether the system has not taken all that the socket was given. */
  #isBlocked = true;
  #isReading = false;
  #reason: EndReason | undefined;
  #ended: AbortController | undefined;
  #expiry: ReturnType<typeof setTimeout> | undefined;
  /** When something was last written, and when the system last took something, by the clock of `performance`. */
  #wroteAt = performance.now();
  #progressAt = this.#wroteAt;

  constructor(options: SubscriberOptions) {
    const { preamble, place, view, closesAt = Infinity, signals, gzip, maxWaiting, patience, onRoom } =
      options;
    this.place = place;
    this.view = view;
    this.#closesAt = closesAt;
    this.signals = signals;
    this.#maxWaiting = maxWaiting;
    this.#patience = patience;
    this.#onRoom = onRoom;
    if (gzip) {
      this.#gzip = new GzipStream();
      this.#put(GzipStream.HEADER);
    }
    this.write(preamble);
  }

  /** Whether the stream is over, or is to have nothing more. */
  get isOver(): boolean {
    return this.#reason !== undefined || Date.now() >= this.#closesAt;
  }

  /** Aborts when the stream is over. Made for who asks: most streams never wait for anything. */
  get ended(): AbortSignal {
    this.#ended ??= new AbortController();
    if (this.#reason !== undefined) this.#ended.abort();
    return this.#ended.signal;
  }

  /** Whether it takes one more chunk now: always while nothing waits, however little may. */
  get hasRoom(): boolean {
    return !this.isOver && (!this.#isBlocked || this.#queued < this.#maxWaiting);
  }

  /** Whether all that was written has left the process, so that a reader of the history may go on. */
  get isDrained(): boolean {
    return !this.isOver && !this.#isBlocked;
  }

  /** Calls back once when the stream is over, whichever side ended it. */
  onEnd(callback: (reason: EndReason) => void): void {
    if (this.#reason !== undefined) callback(this.#reason);
    else this.#onEnd.push(callback);
  }

  /** Takes the socket that the stream goes to. What was written before goes first. */
  attach(socket: Socket): void {
    this.#socket = socket;
    // "close" follows.
    socket.on("error", (error: Error & { code?: string }) => {
      if (error.code === "ETIMEDOUT") this.#end("stalled");
    });
    // A client that sends its end does not listen any more; whatever else it sends is of no interest.
    socket.on("end", destroy);
    socket.on("close", () => this.#end("left"));
    socket.resume();
    limitPatience(socket, this.#patience.stallMs);
    this.#flushed();
    if (this.#reason !== undefined) linger(socket);
  }

  /** Ends the stream before it has a socket: its client did not wait for the answer. */
  abandon(): void {
    this.#end("left");
  }

  /** Hands a chunk to the client. Only while {@link hasRoom}. */
  write(chunk: Chunk): void {
    this.#wroteAt = performance.now();
    this.#put(this.#encode(chunk));
  }

  #encode(chunk: Chunk): Uint8Array {
    return this.#gzip === undefined ? chunk.plain : this.#gzip.add(chunk.deflated);
  }

  /**
   * Looks whether it is time to do something.
   *
   * @param now by the clock of `performance`.
   * @param nextLook milliseconds until the next look at the latest.
   * @param heartbeat what to write after a silence.
   */
  look(now: number, nextLook: number, heartbeat: Chunk): void {
    const { heartbeatMs, stallMs } = this.#patience;
    const left = this.#closesAt - Date.now();
    if (left <= 0) return this.close("expired");
    if (left <= nextLook) {
      // Timers of their own only for the few streams that are about to end.
      this.#expiry ??= setTimeout(() => this.close("expired"), left);
    }
    if (this.#isBlocked) {
      const isStalled = stallMs > 0 && now - this.#progressAt >= stallMs;
      if (isStalled && this.#socket !== undefined) this.close("stalled");
    } else if (heartbeatMs > 0 && now - this.#wroteAt >= heartbeatMs && !this.isOver) {
      this.#beat(heartbeat, heartbeatMs);
    }
  }

  /** Writes a heartbeat, unless the last one, or what was written last, is still on its way. */
  #beat(heartbeat: Chunk, heartbeatMs: number): void {
    const socket = this.#socket as Socket;
    if (!isUnanswered(socket, heartbeatMs / 2)) return this.write(heartbeat);
    this.#end("vanished");
    socket.destroy();
  }

  /** Ends the stream from our side. What waits in it was written in time, and is still delivered if it can be. */
  close(reason: EndReason, farewell?: Chunk): void {
    if (this.#reason !== undefined) return;
    if (farewell !== undefined) this.#put(this.#encode(farewell));
    if (this.#gzip !== undefined) this.#put(this.#gzip.end());
    this.#end(reason);
    if (reason === "stalled") return void this.#socket?.destroy();
    if (!this.#isBlocked) this.#socket?.end();
    if (this.#socket !== undefined) linger(this.#socket);
  }

  #put(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
      const piece = bytes.length <= PIECE_BYTES ? bytes : bytes.subarray(start, start + PIECE_BYTES);
      if (this.#isBlocked) {
        (this.#queue ??= []).push(piece);
        this.#queued += piece.length;
      } else {
        this.#send(piece);
      }
    }
  }

  #send(piece: Uint8Array): void {
    const socket = this.#socket as Socket;
    socket.write(piece);
    if (socket.writableLength > 0) this.#block(socket);
  }

  /** Waits until the system has taken what the socket has. */
  #block(socket: Socket): void {
    this.#isBlocked = true;
    this.#progressAt = performance.now();
    // Nothing, but its turn comes when everything before it was taken.
    socket.write(NOTHING, (error) => {
      // "close" follows.
      if (error === undefined || error === null) this.#flushed();
    });
  }

  #flushed(): void {
    this.#isBlocked = false;
    while (this.#queue !== undefined && !this.#isBlocked) this.#sendQueued(this.#queue);
    if (this.#isBlocked) return;
    if (this.#reason !== undefined) return void this.#socket?.end();
    this.#readOn();
  }

  /** Sends of what waits as much as one write takes. */
  #sendQueued(queue: Uint8Array[]): void {
    const socket = this.#socket as Socket;
    let count = 0;
    let bytes = 0;
    socket.cork();
    do {
      const piece = queue[count++] as Uint8Array;
      bytes += piece.length;
      socket.write(piece);
    } while (count < queue.length && bytes < PIECE_BYTES);
    socket.uncork();
    this.#queued -= bytes;
    this.#queue = count < queue.length ? queue.slice(count) : undefined;
    if (socket.writableLength > 0) this.#block(socket);
  }

  /** Goes on after its place, unless it is live, or does so already. */
  #readOn(): void {
    if (this.place === "live" || this.#isReading || !this.isDrained) return;
    this.#isReading = true;
    this.#onRoom(this).finally(() => {
      this.#isReading = false;
      // There may be room again since it saw that there was none, and nothing else would tell it.
      this.#readOn();
    });
  }

  #end(reason: EndReason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    clearTimeout(this.#expiry);
    this.#ended?.abort();
    for (const callback of this.#onEnd.splice(0)) callback(reason);
  }
}

function destroy(this: Socket): void {
  this.destroy();
}

/** Waits for the client to take the rest and to close its side, and not for long. */
function linger(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.on("close", () => clearTimeout(timer));
}
