/**
 * The asking side of the forwarder's ROUTER socket: many requests in flight over one DEALER, each repeated until
 * it is answered or out of time. Repeating is safe, for reading changes nothing and a publish has its key.
 *
 * A request is repeated when it seems lost, and not because its answer takes long: to send again what waits in line
 * makes the line longer, until nothing is left of the forwarder for what is new.
 */
import { Dealer, type SocketOptions } from "zeromq";
import { ChannelUnavailableError, HistoryLostError } from "../channel.ts";
import { InvalidUpdateError } from "../update.ts";
import { drain, Pacer, SOCKET_OPTIONS } from "./zeromq_receive.ts";
import {
  decodeReply,
  encodeRequest,
  MAX_FRAME_BYTES,
  type Reply,
  type RouterRequest,
  WireError,
} from "./zeromq_wire.ts";

/** Most requests that wait for an answer; one more is refused at once, so that an outage cannot fill the memory. */
const MAX_PENDING = 10_000;
/** Replies taken in one turn. */
const TURN_LIMIT = 1000;
/** Milliseconds after which a publish is sent again; doubles up to the second number, at which reads begin. */
const RESEND_AFTER_MS = 250;
const RESEND_AT_MOST_MS = 1000;
/** Milliseconds without an answer, of which one is due each second, after which only probes are sent. */
const SILENCE_MS = 2500;
/** How often resends and deadlines are looked at. */
const TICK_MS = 25;

/** Options of a socket that speaks CURVE, or none. */
export type SecurityOptions = Pick<
  SocketOptions<Dealer>,
  "curveServerKey" | "curvePublicKey" | "curveSecretKey"
>;

export interface RequestOptions {
  /** Milliseconds until the request is given up. */
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
}

interface Pending {
  /** The frames as they are at the moment of sending. */
  readonly frames: () => string[];
  /** Whether it may be sent while nobody knows that the forwarder is there. */
  readonly isProbe: boolean;
  readonly deadline: number;
  readonly resolve: (payload: readonly string[]) => void;
  readonly reject: (error: Error) => void;
  resendAt: number;
  resendAfter: number;
  /** The socket that it was last given to. */
  sentOn: Dealer | undefined;
  /** Where it then stood in the line. */
  place: number;
}

/**
 * What was sent, in order, and how far the answers have come. The forwarder answers what comes over one socket in
 * order: as long as answers come and none has overtaken it, a request is not lost and only waits. Pure: it is told
 * the time, in milliseconds.
 */
export class Line {
  #last = 0;
  #answered = 0;
  #answeredAt = -Infinity;

  /** Puts a request at the end; returns its place. */
  join(): number {
    return ++this.#last;
  }

  /** Takes note of the answer to the request at a place. */
  answer(place: number, now: number): void {
    this.#answered = Math.max(this.#answered, place);
    this.#answeredAt = now;
  }

  /** Whether the request at a place waits for its turn. */
  holds(place: number, now: number): boolean {
    return place > this.#answered && now - this.#answeredAt < RESEND_AFTER_MS;
  }
}

export class ZeromqRequests {
  readonly #address: string;
  readonly #security: SecurityOptions;
  #socket: Dealer;
  readonly #pending = new Map<string, Pending>();
  /** Correlations to send, oldest first: probes, which always may, and the rest, which waits for an answer. */
  readonly #probes: string[] = [];
  #outbox: string[] = [];
  readonly #loop: Promise<void>;
  #sending = false;
  #closed = false;
  #count = 0;
  readonly #line = new Line();
  #lastReply = -Infinity;
  /** Resolves when there is a request, or the end: nobody looks for answers while nothing was asked. */
  #asked = Promise.withResolvers<void>();

  /** @param address - such as `tcp://127.0.0.1:8302` */
  constructor(address: string, security: SecurityOptions = {}) {
    this.#address = address;
    this.#security = security;
    this.#socket = this.#connect();
    this.#loop = this.#receive();
  }

  /** Whether the forwarder has answered anything lately. */
  get answered(): boolean {
    return performance.now() - this.#lastReply < SILENCE_MS;
  }

  /**
   * Sends a request and resolves with its reply, as `decode` reads the payload.
   *
   * @throws {ChannelUnavailableError} when no reply came in time, or too many requests wait.
   * @throws {HistoryLostError} as the forwarder says.
   * @throws {InvalidUpdateError} when the forwarder refuses the request.
   */
  async request<T>(
    request: RouterRequest | (() => RouterRequest),
    decode: (payload: readonly string[]) => T,
    { timeout, signal }: RequestOptions,
  ): Promise<T> {
    signal?.throwIfAborted();
    if (this.#closed) throw new ChannelUnavailableError("Cannot use the channel: it is closed");
    const current = typeof request === "function" ? request : () => request;
    const { verb } = current();
    if (this.#pending.size >= MAX_PENDING && verb !== "probe") {
      throw new ChannelUnavailableError(`Cannot send a request: ${MAX_PENDING} wait for an answer already`);
    }
    const correlation = (this.#count++).toString(36);
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    const now = performance.now();
    this.#pending.set(correlation, {
      frames: () => [correlation, ...encodeRequest(current())],
      isProbe: verb === "probe",
      deadline: now + timeout,
      resolve,
      reject,
      resendAt: Infinity,
      resendAfter: verb === "publish" ? RESEND_AFTER_MS : RESEND_AT_MOST_MS,
      sentOn: undefined,
      place: 0,
    });
    this.#asked.resolve();
    const abandon = () => reject(signal?.reason);
    signal?.addEventListener("abort", abandon, { once: true });
    this.#enqueue(correlation, verb === "probe");
    this.#flush();
    try {
      return decode(await promise);
    } catch (error) {
      throw error instanceof WireError ? unreadable(error) : error;
    } finally {
      this.#pending.delete(correlation);
      signal?.removeEventListener("abort", abandon);
    }
  }

  /** Gives up what waits, and resolves once the socket is closed. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#pending.values()) {
      reject(new ChannelUnavailableError("Cannot wait for the answer: the channel was closed"));
    }
    this.#asked.resolve();
    await this.#loop;
    this.#socket.close();
  }

  #enqueue(correlation: string, isProbe: boolean): void {
    (isProbe ? this.#probes : this.#outbox).push(correlation);
  }

  /** Sends what may be sent. One at a time: a socket takes a single pending send. */
  async #flush(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    await this.#sendFrom(this.#probes);
    if (this.answered) await this.#sendFrom(this.#outbox);
    this.#sending = false;
  }

  /** Stops at the first that does not fit, so that none overtakes it: updates keep the order of their publishing. */
  async #sendFrom(queue: string[]): Promise<void> {
    let sent = 0;
    for (; sent < queue.length && !this.#closed; sent++) {
      const pending = this.#pending.get(queue[sent] as string);
      if (pending !== undefined && !(await this.#send(pending))) break;
    }
    queue.splice(0, sent);
  }

  /** Returns whether the socket took the request; it does not at its high-water mark. */
  async #send(pending: Pending): Promise<boolean> {
    const socket = this.#socket;
    try {
      await socket.send(pending.frames());
    } catch (error) {
      if ((error as { code?: string }).code === "EAGAIN" || socket.closed) return false;
      throw error;
    }
    pending.sentOn = socket;
    pending.place = this.#line.join();
    // Jitter keeps many clients that lost one forwarder from asking in step.
    pending.resendAt = performance.now() + pending.resendAfter * (0.75 + Math.random() / 2);
    pending.resendAfter = Math.min(pending.resendAfter * 2, RESEND_AT_MOST_MS);
    return true;
  }

  #tick(): void {
    const now = performance.now();
    for (const [correlation, pending] of this.#pending) {
      if (pending.deadline <= now) {
        pending.reject(
          new ChannelUnavailableError(`Cannot reach the forwarder at ${this.#address}: no answer`),
        );
        if (!pending.isProbe && pending.sentOn === this.#socket) this.#reconnect();
      } else if (pending.resendAt <= now && !this.#isInLine(pending, now)) {
        pending.resendAt = Infinity;
        this.#enqueue(correlation, pending.isProbe);
      }
    }
    // What was given up while nothing could be sent must not pile up.
    if (this.#outbox.length > 2 * MAX_PENDING) {
      this.#outbox = this.#outbox.filter((correlation) => this.#pending.has(correlation));
    }
    this.#flush();
  }

  #isInLine({ place, sentOn }: Pending, now: number): boolean {
    return sentOn === this.#socket && this.#line.holds(place, now);
  }

  /**
   * Takes a new socket, so that what the old one has not delivered is lost with it: an update whose publisher was
   * told that it is not accepted must not appear minutes later. The option `immediate` would do so too, but with
   * it libzmq aborts the process when a connection ends inside a message (fq.cpp, `!_more`).
   */
  #reconnect(): void {
    this.#socket.close();
    this.#socket = this.#connect();
  }

  #connect(): Dealer {
    const socket = new Dealer({
      ...SOCKET_OPTIONS,
      ...this.#security,
      sendTimeout: 0,
      sendHighWaterMark: MAX_PENDING,
      linger: 0,
      reconnectInterval: 100,
      reconnectMaxInterval: 1000,
      maxMessageSize: MAX_FRAME_BYTES,
    });
    socket.connect(this.#address);
    return socket;
  }

  async #receive(): Promise<void> {
    const pacer = new Pacer();
    let tickAt = performance.now() + TICK_MS;
    while (!this.#closed) {
      const replies = await drain(this.#socket, TURN_LIMIT);
      for (const frames of replies) this.#settle(frames);
      const now = performance.now();
      if (now >= tickAt) {
        tickAt = now + TICK_MS;
        this.#tick();
      } else if (replies.length > 0) this.#flush();
      if (this.#pending.size > 0) {
        await pacer.pause(replies.length);
      } else if (!this.#closed) {
        this.#asked = Promise.withResolvers();
        await this.#asked.promise;
        pacer.wake();
      }
    }
  }

  #settle([correlation, ...frames]: Uint8Array[]): void {
    this.#lastReply = performance.now();
    // A second answer, to a request that was repeated, finds nobody; nor does one that is nobody's.
    const pending = this.#pending.get(`${correlation}`);
    if (pending === undefined) return;
    this.#line.answer(pending.place, this.#lastReply);
    try {
      const reply = decodeReply(frames);
      if (reply.ok) pending.resolve(reply.payload);
      else pending.reject(errorOf(reply));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      pending.reject(unreadable(error));
    }
  }
}

/** The error for an answer that is not of the wire format: on the other side is no forwarder, or another version. */
function unreadable(cause: WireError): ChannelUnavailableError {
  return new ChannelUnavailableError(`Cannot read the forwarder's answer: ${cause.message}`, { cause });
}

function errorOf({ code, reason }: Reply & { ok: false }): Error {
  switch (code) {
    case "history-lost":
      return new HistoryLostError(reason);
    case "invalid":
      return new InvalidUpdateError(reason);
    case "unavailable":
      return new ChannelUnavailableError(`The forwarder refuses for now: ${reason}`);
  }
}
