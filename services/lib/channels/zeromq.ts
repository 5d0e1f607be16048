/**
 * The channel over the forwarder's sockets: requests go to its ROUTER, what is new comes from its XPUB. XPUB may
 * lose messages at its high-water mark, while it reconnects, and before the subscription arrives; the numbers
 * say so and the history fills the holes (see `catch_up.ts`).
 *
 * Once a second the forwarder is probed. The reply proves the way to it; the echo on XPUB proves the way back,
 * and says how far the log has come, so that a loss is noticed even when nothing follows it.
 */
import { Subscriber } from "zeromq";
import {
  type Channel,
  type ChannelStatus,
  ChannelUnavailableError,
  type Cursor,
  type Entry,
  HistoryLostError,
  type PublishOptions,
} from "../channel.ts";
import { InvalidUpdateError, parseUpdate, type Update } from "../update.ts";
import { CatchUp, type Placed, type Position } from "./catch_up.ts";
import { drain, Pacer, SOCKET_OPTIONS } from "./zeromq_receive.ts";
import { ZeromqRequests } from "./zeromq_requests.ts";
import {
  type Broadcast,
  decodeBroadcast,
  formatCursor,
  MAX_MESSAGE_BYTES,
  MAX_PAGE,
  parseCursor,
  WireError,
} from "./zeromq_wire.ts";

/** Milliseconds until a publish or a read is given up. */
const REQUEST_TIMEOUT_MS = 1500;
const PROBE_INTERVAL_MS = 1000;
/** Milliseconds without a sign of life after which the channel counts as unreachable: two probes lost, and some. */
const SILENCE_MS = 2500;
/** Milliseconds without an echo, while requests are answered, after which a subscriber's socket is made anew. */
const DEAF_MS = 5000;
/** Messages taken from XPUB in one turn. */
const TURN_LIMIT = 1000;
/** Messages that may wait in a subscriber's socket while its consumer is busy; what is above is read back. */
const RECEIVE_HIGH_WATER_MARK = 10_000;

export interface ZeromqChannelOptions {
  /** Host of the forwarder: a name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  readonly xpubPort: number;
  readonly routerPort: number;
}

/** An open subscription: a socket on XPUB, and when its last probe came back. */
interface Subscription {
  socket: Subscriber;
  lastEcho: number | undefined;
  openedAt: number;
}

export class ZeromqChannel implements Channel {
  readonly #xpubAddress: string;
  readonly #requests: ZeromqRequests;
  readonly #closed = new AbortController();
  readonly #subscriptions = new Set<Subscription>();
  readonly #nonce = crypto.randomUUID();
  readonly #prober: ReturnType<typeof setInterval>;

  constructor({ host, xpubPort, routerPort }: ZeromqChannelOptions) {
    const authority = host.includes(":") ? `[${host}]` : host;
    this.#xpubAddress = `tcp://${authority}:${xpubPort}`;
    this.#requests = new ZeromqRequests(`tcp://${authority}:${routerPort}`);
    this.#prober = setInterval(() => this.#probe(), PROBE_INTERVAL_MS);
    this.#probe();
  }

  async publish(update: Update, options: PublishOptions = {}): Promise<Entry> {
    const { requestKey = crypto.randomUUID(), signal } = options;
    const [cursor = "", first] = await this.#requests.request(
      { verb: "publish", requestKey, update },
      { timeout: REQUEST_TIMEOUT_MS, signal },
    );
    const stored = first === undefined ? update : parseUpdate(JSON.parse(first));
    return { cursor: cursor as Cursor, update: stored };
  }

  subscribe(
    after: Cursor | "earliest" | "latest",
    { signal }: { signal: AbortSignal },
  ): AsyncIterable<Entry[]> {
    const ended = AbortSignal.any([signal, this.#closed.signal]);
    // Asked for now and not when the first batch is, so that what is published in between is not missed.
    const start = after === "earliest" ? undefined : this.#start(after, ended);
    // Whoever aborts before the first batch never looks at it.
    start?.catch(() => {});
    return this.#follow(start, ended);
  }

  async history(after: Cursor | "earliest", { limit }: { limit: number }): Promise<Entry[]> {
    const { items } = await this.#readHistory(after === "earliest" ? "earliest" : position(after), limit);
    return items.map(({ item }) => item);
  }

  async locate(id: string): Promise<Cursor | undefined> {
    const [cursor] = await this.#requests.request({ verb: "locate", id }, { timeout: REQUEST_TIMEOUT_MS });
    return cursor === undefined || cursor === "" ? undefined : cursor as Cursor;
  }

  async latest(): Promise<Cursor> {
    return formatCursor(await this.#readEnd());
  }

  status(): ChannelStatus {
    if (this.#closed.signal.aborted) return { reachable: false, reason: "The channel is closed" };
    const silence = this.#requests.silence;
    if (silence === undefined || silence > SILENCE_MS) {
      return { reachable: false, reason: "The forwarder does not answer" };
    }
    for (const { lastEcho } of this.#subscriptions) {
      if (lastEcho === undefined || performance.now() - lastEcho > SILENCE_MS) {
        return { reachable: false, reason: "No probe comes back from the forwarder" };
      }
    }
    return { reachable: true };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    clearInterval(this.#prober);
    await this.#requests.close();
  }

  /** Sends a probe. Its loss needs no handling: {@link status} goes by what came back. */
  #probe(): void {
    this.#requests.request({ verb: "probe", nonce: this.#nonce }, { timeout: PROBE_INTERVAL_MS })
      .catch((error) => {
        if (!(error instanceof ChannelUnavailableError)) throw error;
      });
  }

  /** The position at which a subscription begins, waited for while the forwarder cannot be reached. */
  async #start(after: Cursor | "latest", signal: AbortSignal): Promise<Position> {
    if (after !== "latest") return position(after);
    return await this.#whenReachable(() => this.#readEnd(signal), signal);
  }

  async *#follow(start: Promise<Position> | undefined, signal: AbortSignal): AsyncGenerator<Entry[]> {
    const subscription = { socket: this.#connect(), lastEcho: undefined, openedAt: performance.now() };
    this.#subscriptions.add(subscription);
    try {
      yield* this.#catchUpAndFollow(subscription, start, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#subscriptions.delete(subscription);
      subscription.socket.close();
    }
  }

  async *#catchUpAndFollow(
    subscription: Subscription,
    start: Promise<Position> | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Entry[]> {
    const read = (after: Position | "earliest") =>
      this.#whenReachable(() => this.#readHistory(after, MAX_PAGE, signal), signal);
    let catchUp: CatchUp<Entry>;
    if (start === undefined) {
      const { items, end } = await read("earliest");
      catchUp = new CatchUp(items[0] === undefined ? end : before(items[0].position));
      const ready = catchUp.page(items, end);
      if (ready.length > 0) yield ready;
    } else {
      catchUp = new CatchUp(await start);
    }

    const pacer = new Pacer();
    while (!signal.aborted) {
      const broadcasts = (await drain(subscription.socket, TURN_LIMIT)).flatMap(readBroadcast);
      const ready = catchUp.live(this.#takeProbes(subscription, catchUp, broadcasts));
      if (ready.length > 0) yield ready;
      if (catchUp.behind) {
        const { items, end } = await read(catchUp.position);
        const missed = catchUp.page(items, end);
        if (missed.length > 0) yield missed;
      }
      this.#reconnectWhenDeaf(subscription);
      await pacer.pause(broadcasts.length > 0 || catchUp.behind);
    }
  }

  /** Takes the probes out of what arrived; leaves the updates. */
  #takeProbes(
    subscription: Subscription,
    catchUp: CatchUp<Entry>,
    broadcasts: readonly Broadcast[],
  ): Placed<Entry>[] {
    const updates: Placed<Entry>[] = [];
    for (const broadcast of broadcasts) {
      if (broadcast.kind === "update") {
        updates.push(placed(broadcast.position, broadcast.update));
      } else {
        catchUp.exists(broadcast.end);
        if (broadcast.nonce === this.#nonce) subscription.lastEcho = performance.now();
      }
    }
    return updates;
  }

  /** A socket that hears nothing while the forwarder answers is broken, and only a new one helps. */
  #reconnectWhenDeaf(subscription: Subscription): void {
    const now = performance.now();
    const deafFor = now - Math.max(subscription.openedAt, subscription.lastEcho ?? 0);
    const answered = this.#requests.silence !== undefined && this.#requests.silence < SILENCE_MS;
    if (deafFor < DEAF_MS || !answered) return;
    subscription.socket.close();
    subscription.socket = this.#connect();
    subscription.openedAt = now;
  }

  #connect(): Subscriber {
    const socket = new Subscriber({
      ...SOCKET_OPTIONS,
      linger: 0,
      reconnectInterval: 100,
      reconnectMaxInterval: 1000,
      maxMessageSize: MAX_MESSAGE_BYTES,
      receiveHighWaterMark: RECEIVE_HIGH_WATER_MARK,
    });
    socket.connect(this.#xpubAddress);
    socket.subscribe();
    return socket;
  }

  async #readEnd(signal?: AbortSignal): Promise<Position> {
    const [end = ""] = await this.#requests.request(
      { verb: "probe", nonce: crypto.randomUUID() },
      { timeout: REQUEST_TIMEOUT_MS, signal },
    );
    return parseCursor(end);
  }

  async #readHistory(
    after: Position | "earliest",
    limit: number,
    signal?: AbortSignal,
  ): Promise<{ items: Placed<Entry>[]; end: Position }> {
    const [end = "", ...frames] = await this.#requests.request(
      { verb: "history", after, limit },
      { timeout: REQUEST_TIMEOUT_MS, signal },
    );
    const items: Placed<Entry>[] = [];
    for (let index = 0; index + 1 < frames.length; index += 2) {
      const [cursor = "", json = ""] = frames.slice(index, index + 2);
      items.push(placed(parseCursor(cursor), parseUpdate(JSON.parse(json))));
    }
    return { items, end: parseCursor(end) };
  }

  /** Repeats what fails because the forwarder is away, until it is back or the signal aborts. */
  async #whenReachable<T>(action: () => Promise<T>, signal: AbortSignal): Promise<T> {
    while (true) {
      signal.throwIfAborted();
      try {
        return await action();
      } catch (error) {
        // Each attempt has taken its time-out, so the next one may follow at once.
        if (!(error instanceof ChannelUnavailableError)) throw error;
      }
    }
  }
}

function placed(place: Position, update: Update): Placed<Entry> {
  return { position: place, item: { cursor: formatCursor(place), update } };
}

function before({ epoch, number }: Position): Position {
  return { epoch, number: number - 1 };
}

/** The position in a cursor that came from outside; one of another adapter is of another history. */
function position(cursor: Cursor): Position {
  try {
    return parseCursor(cursor);
  } catch (error) {
    if (error instanceof WireError) {
      throw new HistoryLostError(`Cannot read after ${cursor}: not of this channel`);
    }
    throw error;
  }
}

/** Broken frames are passed over: if they stood for an update, its number is missing and history has it. */
function readBroadcast(frames: Uint8Array[]): Broadcast[] {
  try {
    return [decodeBroadcast(frames)];
  } catch (error) {
    if (error instanceof WireError || error instanceof InvalidUpdateError) return [];
    throw error;
  }
}
