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
import { bracketed } from "../env.ts";
import { whenReachable } from "../reachability.ts";
import { InvalidUpdateError, type Update } from "../update.ts";
import { CatchUp } from "./catch_up.ts";
import { formatCursor, parseCursor, type Position, type Positioned } from "./position.ts";
import { drain, Pacer, SOCKET_OPTIONS, type Wait, waitFor } from "./zeromq_receive.ts";
import { type SecurityOptions, ZeromqRequests } from "./zeromq_requests.ts";
import {
  decodeEnd,
  decodeLocated,
  decodePage,
  decodePublished,
  decodeXpub,
  MAX_FRAME_BYTES,
  MAX_PAGE,
  refuseOversized,
  WireError,
  type XpubMessage,
} from "./zeromq_wire.ts";

/** Reads are given up after as many milliseconds; whoever needs them repeats them. */
const READ = { timeout: 5000 };
const PROBE_INTERVAL_MS = 1000;
/** Milliseconds between two probes while a socket waits for its first echo: until then nobody is ready. */
const FIRST_PROBE_INTERVAL_MS = 100;
/** Milliseconds without a sign of life after which the channel counts as unreachable: two probes lost, and some. */
const SILENCE_MS = 2500;
/** Milliseconds without an echo, while requests are answered, after which a subscriber's socket is made anew. */
const DEAF_MS = 5000;
/** Messages taken from XPUB in one turn. */
const TURN_LIMIT = 1000;
/** Messages that may wait in a subscriber's socket while its consumer is busy; what is above is read back. */
const RECEIVE_HIGH_WATER_MARK = 10_000;

/** What a client needs where the forwarder speaks CURVE. Each key is 40 characters of Z85. */
export interface CurveKeys {
  readonly serverPublicKey: string;
  readonly clientPublicKey: string;
  readonly clientSecretKey: string;
}

export interface ZeromqChannelOptions {
  /** Host of the forwarder: a name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  readonly xpubPort: number;
  readonly routerPort: number;
  /** Default: neither encrypted nor authenticated. */
  readonly curve?: CurveKeys;
  /** Milliseconds until a publish is given up. Default: 2 seconds. */
  readonly publishTimeoutMs?: number;
}

/** A socket that listens to XPUB, one for each call of subscribe(). */
interface Listener {
  socket: Subscriber;
  wait: Wait | undefined;
  openedAt: number;
  /** When a probe of ours last came back on it. */
  lastEcho: number | undefined;
}

export class ZeromqChannel implements Channel {
  readonly #xpubAddress: string;
  readonly #requests: ZeromqRequests;
  readonly #publishTimeoutMs: number;
  readonly #security: SecurityOptions;
  readonly #closed = new AbortController();
  readonly #listeners = new Set<Listener>();
  readonly #keyPrefix = crypto.randomUUID();
  #keys = 0;
  readonly #nonce = crypto.randomUUID();
  #prober: ReturnType<typeof setTimeout> | undefined;

  constructor({ host, xpubPort, routerPort, curve, publishTimeoutMs = 2000 }: ZeromqChannelOptions) {
    this.#security = curve === undefined ? {} : {
      curveServerKey: curve.serverPublicKey,
      curvePublicKey: curve.clientPublicKey,
      curveSecretKey: curve.clientSecretKey,
    };
    this.#publishTimeoutMs = publishTimeoutMs;
    const authority = bracketed(host);
    this.#xpubAddress = `tcp://${authority}:${xpubPort}`;
    this.#requests = new ZeromqRequests(`tcp://${authority}:${routerPort}`, this.#security);
    this.#probe();
  }

  async publish(update: Update, options: PublishOptions = {}): Promise<Entry> {
    refuseOversized(update);
    const { requestKey = this.#nextRequestKey(), signal } = options;
    const { position, first } = await this.#requests.request(
      { verb: "publish", requestKey, update },
      decodePublished,
      { timeout: this.#publishTimeoutMs, signal },
    );
    return { cursor: formatCursor(position), update: first ?? update };
  }

  /** One after another: where keys come in order, the log's index of them is written in one place. */
  #nextRequestKey(): string {
    return `${this.#keyPrefix}-${(this.#keys++).toString(36).padStart(8, "0")}`;
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
    const { entries } = await this.#readPage(after === "earliest" ? "earliest" : positionOf(after), limit);
    return entries.map(({ item }) => item);
  }

  async historyBefore(
    before: Cursor | "latest",
    { limit, inclusive = false }: { limit: number; inclusive?: boolean },
  ): Promise<Entry[]> {
    const position = before === "latest" ? await this.#readEnd(0) : positionOf(before);
    const last = before === "latest" || inclusive ? position : previous(position);
    // Numbers have no holes: what comes right before a place is what follows another one.
    for (let count = Math.min(limit, MAX_PAGE);;) {
      const page = await this.#readKept(last, count);
      const newest = page.at(-1)?.position.number ?? Infinity;
      if (newest >= last.number || count === 1) {
        return page.filter(({ position }) => position.number <= last.number).map(({ item }) => item);
      }
      // Large updates fill a page before it comes so far; what does not fit is read when it is asked for. With each
      // of these steps at most half as many are wanted, and one alone fits always.
      count = Math.max(1, Math.min(page.length, Math.floor(count / 2)));
    }
  }

  async locate(id: string): Promise<Cursor | undefined> {
    const position = await this.#requests.request({ verb: "locate", id }, decodeLocated, READ);
    return position && formatCursor(position);
  }

  async latest({ msAgo = 0 }: { msAgo?: number } = {}): Promise<Cursor> {
    return formatCursor(await this.#readEnd(msAgo));
  }

  async epoch(): Promise<string> {
    return (await this.#readEnd(0)).epoch;
  }

  status(): ChannelStatus {
    if (this.#closed.signal.aborted) return { reachable: false, reason: "The channel is closed" };
    if (!this.#requests.answered) {
      return { reachable: false, reason: "The forwarder does not answer" };
    }
    for (const { lastEcho } of this.#listeners) {
      if (lastEcho === undefined || performance.now() - lastEcho > SILENCE_MS) {
        return { reachable: false, reason: "No probe comes back from the forwarder" };
      }
    }
    return { reachable: true };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    clearTimeout(this.#prober);
    await this.#requests.close();
  }

  /** Sends a probe, and the next one in a while. Whatever becomes of it: {@link status} goes by what came back. */
  #probe(): void {
    clearTimeout(this.#prober);
    const isWaiting = this.#listeners.values().some(({ lastEcho }) => lastEcho === undefined);
    this.#prober = setTimeout(() => this.#probe(), isWaiting ? FIRST_PROBE_INTERVAL_MS : PROBE_INTERVAL_MS);
    this.#requests.request({ verb: "probe", nonce: this.#nonce }, decodeEnd, { timeout: PROBE_INTERVAL_MS })
      .catch((error) => {
        const answered = error instanceof ChannelUnavailableError || error instanceof InvalidUpdateError ||
          error instanceof HistoryLostError;
        if (!answered) throw error;
      });
  }

  /** The position at which a subscription begins, waited for while the forwarder cannot be reached. */
  async #start(after: Cursor | "latest", signal: AbortSignal): Promise<Position> {
    if (after !== "latest") return positionOf(after);
    return await whenReachable(() => this.#readEnd(0, signal), signal);
  }

  async *#follow(start: Promise<Position> | undefined, signal: AbortSignal): AsyncGenerator<Entry[]> {
    const listener: Listener = { ...this.#listen(), lastEcho: undefined };
    this.#listeners.add(listener);
    this.#probe();
    try {
      yield* this.#catchUpAndFollow(listener, start, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#listeners.delete(listener);
      listener.socket.close();
    }
  }

  async *#catchUpAndFollow(
    listener: Listener,
    start: Promise<Position> | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Entry[]> {
    const read = (after: Position | "earliest") =>
      whenReachable(() => this.#readPage(after, MAX_PAGE, signal), signal);
    let catchUp: CatchUp<Entry>;
    if (start === undefined) {
      const { entries, end } = await read("earliest");
      catchUp = new CatchUp(entries[0] === undefined ? end : previous(entries[0].position));
      const ready = catchUp.page(entries, end);
      if (ready.length > 0) yield ready;
    } else {
      catchUp = new CatchUp(await start);
    }

    const pacer = new Pacer();
    while (!signal.aborted) {
      const messages = await drain(listener.socket, TURN_LIMIT);
      const ready = catchUp.live(this.#takeProbes(listener, catchUp, messages));
      if (ready.length > 0) yield ready;
      if (catchUp.behind) {
        const { entries, end } = await read(catchUp.position);
        const missed = catchUp.page(entries, end);
        if (missed.length > 0) yield missed;
      }
      this.#reconnectWhenDeaf(listener);
      await pacer.pause(catchUp.behind ? TURN_LIMIT : messages.length, listener.wait);
    }
  }

  /** Takes the probes out of what arrived; leaves the updates. */
  #takeProbes(
    listener: Listener,
    catchUp: CatchUp<Entry>,
    messages: readonly Uint8Array[][],
  ): Positioned<Entry>[] {
    const entries: Positioned<Entry>[] = [];
    for (const frames of messages) {
      const message = readXpub(frames);
      if (message === undefined) continue;
      if (message.kind === "update") {
        entries.push(entryOf({ position: message.position, item: message.update }));
      } else {
        catchUp.exists(message.end);
        if (message.nonce === this.#nonce) listener.lastEcho = performance.now();
      }
    }
    return entries;
  }

  /** A socket that hears nothing while the forwarder answers is broken, and only a new one helps. */
  #reconnectWhenDeaf(listener: Listener): void {
    const now = performance.now();
    const deafFor = now - Math.max(listener.openedAt, listener.lastEcho ?? 0);
    if (deafFor < DEAF_MS || !this.#requests.answered) return;
    listener.socket.close();
    Object.assign(listener, this.#listen());
  }

  #listen(): Pick<Listener, "socket" | "wait" | "openedAt"> {
    const socket = new Subscriber({
      ...SOCKET_OPTIONS,
      ...this.#security,
      linger: 0,
      reconnectInterval: 100,
      reconnectMaxInterval: 1000,
      maxMessageSize: MAX_FRAME_BYTES,
      receiveHighWaterMark: RECEIVE_HIGH_WATER_MARK,
    });
    socket.connect(this.#xpubAddress);
    socket.subscribe();
    return { socket, wait: waitFor([socket]), openedAt: performance.now() };
  }

  async #readEnd(msAgo: number, signal?: AbortSignal): Promise<Position> {
    const asked = performance.now();
    // The request may wait long for a forwarder that is away; what is published in that time is not long ago.
    const waited = () => msAgo === 0 ? 0 : performance.now() - asked;
    return await this.#requests.request(
      () => ({ verb: "end", msAgo: Math.ceil(msAgo + waited()) }),
      decodeEnd,
      { ...READ, signal },
    );
  }

  /** A page that begins where as many are wanted up to the last one; with what is kept, where that has been forgotten. */
  async #readKept(last: Position, count: number): Promise<Positioned<Entry>[]> {
    const { epoch, number } = last;
    const after = { epoch, number: Math.max(0, number - count) };
    const { entries, end } = await this.#readPage(after, count).catch((error) => {
      if (error instanceof HistoryLostError) return this.#readPage("earliest", count);
      throw error;
    });
    if (end.epoch !== epoch || end.number < number) {
      throw new HistoryLostError("Cannot read before the cursor: it is not of this history");
    }
    return entries;
  }

  async #readPage(
    after: Position | "earliest",
    limit: number,
    signal?: AbortSignal,
  ): Promise<{ entries: Positioned<Entry>[]; end: Position }> {
    const request = { verb: "history", after, limit } as const;
    const { end, updates } = await this.#requests.request(request, decodePage, { ...READ, signal });
    return { end, entries: updates.map(entryOf) };
  }
}

function entryOf({ position, item }: Positioned<Update>): Positioned<Entry> {
  return { position, item: { cursor: formatCursor(position), update: item } };
}

function previous({ epoch, number }: Position): Position {
  return { epoch, number: number - 1 };
}

/** The position in a cursor that came from outside; one of another adapter is of another history. */
function positionOf(cursor: Cursor): Position {
  const position = parseCursor(cursor);
  if (position === undefined) throw new HistoryLostError(`Cannot read after ${cursor}: not of this channel`);
  return position;
}

/** Broken frames are passed over: if they stood for an update, its number is missing and history has it. */
function readXpub(frames: Uint8Array[]): XpubMessage | undefined {
  try {
    return decodeXpub(frames);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}
