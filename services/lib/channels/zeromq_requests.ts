/**
 * The asking side of the forwarder's ROUTER socket: many requests in flight over one DEALER, each repeated until
 * it is answered or out of time. Repeating is safe, for reading changes nothing and a publish has its key.
 */
import { Dealer } from "zeromq";
import { ChannelUnavailableError, HistoryLostError } from "../channel.ts";
import { InvalidUpdateError } from "../update.ts";
import { drain, Pacer, SOCKET_OPTIONS } from "./zeromq_receive.ts";
import {
  decodeReply,
  decodeText,
  encodeRequest,
  type Reply,
  type RouterRequest,
  WireError,
} from "./zeromq_wire.ts";

/** Most requests that wait for an answer; one more is refused at once, so that an outage cannot fill the memory. */
const MAX_PENDING = 10_000;
/** Replies taken in one turn. */
const TURN_LIMIT = 1000;
/** Milliseconds after which a request is sent again; doubles up to the second number. */
const RESEND_AFTER_MS = 250;
const RESEND_AT_MOST_MS = 1000;
/** How often resends and deadlines are looked at. */
const TICK_MS = 25;

export interface RequestOptions {
  /** Milliseconds until the request is given up. */
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
}

interface Pending {
  readonly frames: readonly string[];
  readonly deadline: number;
  readonly resolve: (payload: readonly string[]) => void;
  readonly reject: (error: Error) => void;
  resendAt: number;
  resendAfter: number;
}

export class ZeromqRequests {
  readonly #address: string;
  readonly #socket: Dealer;
  readonly #pending = new Map<string, Pending>();
  /** Correlations to send, oldest first. */
  readonly #outbox: string[] = [];
  readonly #ticker: ReturnType<typeof setInterval>;
  readonly #loop: Promise<void>;
  #sending = false;
  #closed = false;
  #count = 0;
  #lastReply: number | undefined;

  /** @param address - such as `tcp://127.0.0.1:8302` */
  constructor(address: string) {
    this.#address = address;
    this.#socket = new Dealer({
      ...SOCKET_OPTIONS,
      sendTimeout: 0,
      linger: 0,
      reconnectInterval: 100,
      reconnectMaxInterval: 1000,
      // Without a connection nothing is queued inside ØMQ. What is given up here was then never sent, so that an
      // update which its publisher was told is not accepted does not appear minutes later.
      immediate: true,
    });
    this.#socket.connect(address);
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#loop = this.#receive();
  }

  /** Milliseconds since the forwarder answered anything, or undefined when it never did. */
  get silence(): number | undefined {
    return this.#lastReply === undefined ? undefined : performance.now() - this.#lastReply;
  }

  /**
   * Sends a request and resolves with the payload of its reply.
   *
   * @throws {ChannelUnavailableError} when no reply came in time, or too many requests wait.
   * @throws {HistoryLostError} as the forwarder says.
   * @throws {InvalidUpdateError} when the forwarder refuses the request.
   */
  async request(request: RouterRequest, { timeout, signal }: RequestOptions): Promise<readonly string[]> {
    signal?.throwIfAborted();
    if (this.#closed) throw new ChannelUnavailableError("Cannot use the channel: it is closed");
    if (this.#pending.size >= MAX_PENDING) {
      throw new ChannelUnavailableError(`Cannot send a request: ${MAX_PENDING} wait for an answer already`);
    }
    const correlation = (this.#count++).toString(36);
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    const now = performance.now();
    this.#pending.set(correlation, {
      frames: [correlation, ...encodeRequest(request)],
      deadline: now + timeout,
      resolve,
      reject,
      resendAt: Infinity,
      resendAfter: RESEND_AFTER_MS,
    });
    const abandon = () => reject(signal?.reason);
    signal?.addEventListener("abort", abandon, { once: true });
    this.#outbox.push(correlation);
    this.#flush();
    try {
      return await promise;
    } finally {
      this.#pending.delete(correlation);
      signal?.removeEventListener("abort", abandon);
    }
  }

  /** Gives up what waits, and resolves once the socket is closed. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#ticker);
    for (const { reject } of this.#pending.values()) {
      reject(new ChannelUnavailableError("Cannot wait for the answer: the channel was closed"));
    }
    await this.#loop;
    this.#socket.close();
  }

  /** Sends what waits to be sent. One at a time: a socket takes a single pending send. */
  async #flush(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    while (!this.#closed) {
      const correlation = this.#outbox[0];
      if (correlation === undefined) break;
      const pending = this.#pending.get(correlation);
      if (pending !== undefined && !(await this.#send(pending))) break;
      this.#outbox.shift();
    }
    this.#sending = false;
  }

  /** Returns whether the socket took the request; it does not without a connection or at its high-water mark. */
  async #send(pending: Pending): Promise<boolean> {
    try {
      await this.#socket.send([...pending.frames]);
    } catch (error) {
      if ((error as { code?: string }).code === "EAGAIN") return false;
      throw error;
    }
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
      } else if (pending.resendAt <= now) {
        pending.resendAt = Infinity;
        this.#outbox.push(correlation);
      }
    }
    this.#flush();
  }

  async #receive(): Promise<void> {
    const pacer = new Pacer();
    while (!this.#closed) {
      const replies = await drain(this.#socket, TURN_LIMIT);
      for (const frames of replies) this.#settle(frames);
      await pacer.pause(replies.length > 0);
    }
  }

  #settle([correlation, ...frames]: Uint8Array[]): void {
    if (correlation === undefined) return;
    this.#lastReply = performance.now();
    // A second answer, to a request that was repeated, finds nobody.
    const pending = this.#pending.get(decodeText(correlation));
    if (pending === undefined) return;
    try {
      const reply = decodeReply(frames);
      if (reply.ok) pending.resolve(reply.payload);
      else pending.reject(errorOf(reply));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      pending.reject(new ChannelUnavailableError(`Cannot read the forwarder's answer: ${error.message}`));
    }
  }
}

function errorOf({ code, reason }: Reply & { ok: false }): Error {
  switch (code) {
    case "history-lost":
      return new HistoryLostError(reason);
    case "invalid":
      return new InvalidUpdateError(reason);
  }
}
