/**
 * The three sockets around the log. Each turn takes what has arrived, stores all of it in one step, and only then
 * tells the subscribers and acknowledges: what was acknowledged is stored, and what is shown has its number.
 */
import { Router, type Socket, XPublisher, XSubscriber } from "zeromq";
import { HistoryLostError } from "../lib/channel.ts";
import type { Position } from "../lib/channels/position.ts";
import { drain, Pacer, SOCKET_OPTIONS, waitFor } from "../lib/channels/zeromq_receive.ts";
import {
  type AddressedRequest,
  decodeRequest,
  decodeXsub,
  encodeEnd,
  encodeLocated,
  encodePage,
  encodeProbe,
  encodePublished,
  encodeReply,
  encodeUpdate,
  MAX_FRAME_BYTES,
  type Reply,
  type RouterRequest,
  WireError,
} from "../lib/channels/zeromq_wire.ts";
import { bracketed } from "../lib/env.ts";
import { type Log, messageOf } from "../lib/log.ts";
import { StartError } from "../lib/start.ts";
import type { Update } from "../lib/update.ts";
import { Gatekeeper, ZAP_DOMAIN } from "./zap.ts";
import { type AppendRequest, type AppendResult, LogUnavailableError, type UpdateLog } from "./update_log.ts";

export interface BrokerOptions {
  /** Address to bind, without brackets. */
  readonly ip: string;
  /** 0 stands for any free one, here and below. */
  readonly xsubPort: number;
  readonly xpubPort: number;
  readonly routerPort: number;
  /** Default: the sockets neither encrypt nor ask who comes. */
  readonly serverSecretKey?: string | undefined;
  /** The public keys of those who may come when there is a secret key. */
  readonly clientKeys?: readonly string[];
  readonly updates: UpdateLog;
  readonly log: Log;
}

/** The ports that were opened. */
export interface Ports {
  readonly xsub: number;
  readonly xpub: number;
  readonly router: number;
}

/** Messages taken from one socket in one turn; the rest waits for the next, so that no socket starves another. */
const TURN_LIMIT = 1000;
/** Messages that wait for one slow subscriber; above it ØMQ drops, and the subscriber reads history. */
const SEND_HIGH_WATER_MARK = 10_000;
/** Milliseconds that what was already sent has to leave when the broker closes. */
const LINGER_MS = 500;
/** Least milliseconds between two records about one kind of trouble. */
const REPORT_INTERVAL_MS = 1000;

const BOUND_SOCKET_OPTIONS = {
  ...SOCKET_OPTIONS,
  linger: LINGER_MS,
  maxMessageSize: MAX_FRAME_BYTES,
  // A bounded mark lets one hostile connection abort the process inside libzmq (zeromq/libzmq#4364, #4841).
  // What bounds the memory is that every turn takes all that has arrived, and the size of one message.
  receiveHighWaterMark: 0,
} as const;

interface Sockets {
  readonly xsub: XSubscriber;
  readonly xpub: XPublisher;
  readonly router: Router;
  /** Answers who may connect, where that is asked. */
  readonly gatekeeper: Gatekeeper | undefined;
}

/** A request from ROUTER, with the frame that names who sent it. */
type PeerRequest = AddressedRequest & { readonly peer: Uint8Array };

export class Broker implements Disposable {
  /** The ports that are open. */
  readonly ports: Ports;
  readonly #sockets: Sockets;
  readonly #updates: UpdateLog;
  readonly #refused: Complaints;
  readonly #unstored: Complaints;
  readonly #strangers: Complaints;

  private constructor(sockets: Sockets, ports: Ports, { updates, log }: BrokerOptions) {
    this.#sockets = sockets;
    this.ports = ports;
    this.#updates = updates;
    this.#refused = new Complaints("Dropped frames that are no update or request", log);
    this.#unstored = new Complaints("Updates could not be stored, and were refused", log);
    this.#strangers = new Complaints("Clients were turned away", log);
  }

  /** @throws {StartError} when a port cannot be opened. */
  static async bind(options: BrokerOptions): Promise<Broker> {
    const { serverSecretKey, clientKeys = [] } = options;
    const gatekeeper = serverSecretKey === undefined ? undefined : await Gatekeeper.bind(clientKeys);
    const security = serverSecretKey === undefined
      ? {}
      : { curveServer: true, curveSecretKey: serverSecretKey, zapDomain: ZAP_DOMAIN };
    const socketOptions = { ...BOUND_SOCKET_OPTIONS, ...security };
    const sockets = {
      xsub: new XSubscriber(socketOptions),
      // It drops at its mark and never waits; with a timeout of 0 the addon need not ask each time whether it would.
      xpub: new XPublisher({ ...socketOptions, sendHighWaterMark: SEND_HIGH_WATER_MARK, sendTimeout: 0 }),
      router: new Router({ ...socketOptions, sendTimeout: 0 }),
      gatekeeper,
    };
    try {
      const ports = {
        xsub: await bind(sockets.xsub, "XSUB_PORT", options.ip, options.xsubPort),
        xpub: await bind(sockets.xpub, "XPUB_PORT", options.ip, options.xpubPort),
        router: await bind(sockets.router, "ROUTER_PORT", options.ip, options.routerPort),
      };
      // An XSUB socket gets nothing that it has not asked for; this asks for all, now and of every later peer.
      await sockets.xsub.send(new Uint8Array([1]));
      return new Broker(sockets, ports, options);
    } catch (error) {
      close(sockets);
      throw error;
    }
  }

  /** Relays until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { xsub, xpub, router, gatekeeper } = this.#sockets;
    // A gatekeeper answers on a socket of its own, and what came to that meanwhile would be noticed late.
    const wait = gatekeeper === undefined ? waitFor([xsub, xpub, router]) : undefined;
    const pacer = new Pacer();
    while (!signal.aborted) await pacer.pause(await this.#turn(), wait);
  }

  [Symbol.dispose](): void {
    close(this.#sockets);
  }

  /** Returns how many messages were taken. */
  async #turn(): Promise<number> {
    const { xsub, xpub, router, gatekeeper } = this.#sockets;
    const strangers = await gatekeeper?.turn() ?? 0;
    if (strangers > 0) this.#strangers.count("The key is not in ZMQ_CLIENT_KEYS", strangers);
    const published = await drain(xsub, TURN_LIMIT);
    const asked = await drain(router, TURN_LIMIT);
    // What arrives here are subscriptions, which ØMQ has acted upon already; unread they would pile up.
    const subscribed = await drain(xpub, TURN_LIMIT);

    const updates = published.flatMap((frames) => this.#readUpdate(frames));
    const requests = asked.map(readRequest);
    const publishes = requests.filter(({ request }) => request?.verb === "publish");
    let end = this.#updates.end;
    const results = await this.#append([
      ...updates.map((update) => ({ update })),
      ...publishes.map(({ request }) => request as RouterRequest & { verb: "publish" }),
    ]);
    const resultOf = new Map(publishes.map((each, index) => [each, results[updates.length + index]]));

    // Who asks for the end is told what it would have been told alone: "from now on" must include an update that
    // the same client publishes right after it, though both are taken in one turn.
    end = results[updates.length - 1]?.position ?? end;
    for (const each of requests) {
      const result = resultOf.get(each);
      if (result?.known === false) end = result.position;
      await this.#answer(each, result, end);
    }
    this.#refused.report();
    this.#unstored.report();
    this.#strangers.report();
    return published.length + asked.length + subscribed.length;
  }

  /** Stores all in one step, and then shows the subscribers what is new. Nothing is stored when it returns none. */
  async #append(requests: readonly AppendRequest[]): Promise<AppendResult[]> {
    if (requests.length === 0) return [];
    let results: AppendResult[];
    try {
      results = this.#updates.append(requests);
    } catch (error) {
      if (!(error instanceof LogUnavailableError)) throw error;
      this.#unstored.count(error.message, requests.length);
      return [];
    }
    for (const result of results) {
      if (!result.known) await this.#sockets.xpub.send(encodeUpdate(result.topic, result));
    }
    return results;
  }

  /** Answers a request; `result` is what was stored for it, `end` where the log ended when its turn came. */
  async #answer(from: PeerRequest, result: AppendResult | undefined, end: Position): Promise<void> {
    const { request } = from;
    if (request === undefined) {
      this.#refused.count(`ROUTER: ${from.error.message}`);
      return await this.#reply(from, { ok: false, code: "invalid", reason: from.error.message });
    }
    if (request.verb === "probe") await this.#sockets.xpub.send(encodeProbe(end, request.nonce));
    await this.#reply(from, this.#replyTo(request, result, end));
  }

  #replyTo(request: RouterRequest, result: AppendResult | undefined, end: Position): Reply {
    switch (request.verb) {
      case "publish":
        if (result === undefined) {
          return { ok: false, code: "unavailable", reason: "The log cannot be written" };
        }
        return encodePublished(result.position, result.known ? result.json : undefined);
      case "end":
        return encodeEnd(request.msAgo === 0 ? end : this.#updates.endAt(Date.now() - request.msAgo));
      case "probe":
        return encodeEnd(end);
      case "locate":
        return encodeLocated(this.#updates.locate(request.id));
      case "history":
        try {
          return encodePage(this.#updates.end, this.#updates.read(request.after, request.limit));
        } catch (error) {
          if (!(error instanceof HistoryLostError)) throw error;
          return { ok: false, code: "history-lost", reason: error.message };
        }
    }
  }

  #readUpdate(frames: Uint8Array[]): Update[] {
    try {
      return [decodeXsub(frames)];
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#refused.count(`XSUB: ${error.message}`);
      return [];
    }
  }

  async #reply({ peer, envelope }: PeerRequest, reply: Reply): Promise<void> {
    try {
      await this.#sockets.router.send([peer, ...envelope, ...encodeReply(reply)]);
    } catch (error) {
      // The peer does not read its replies. It repeats its request when it does again.
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
    }
  }
}

/** Counts what goes wrong, and says so in the log, but not once for each: it comes from outside, in any number. */
class Complaints {
  readonly #message: string;
  readonly #log: Log;
  #total = 0;
  #reported = 0;
  #reportedAt = -Infinity;
  #last = "";

  constructor(message: string, log: Log) {
    this.#message = message;
    this.#log = log;
  }

  count(reason: string, times = 1): void {
    this.#total += times;
    this.#last = reason;
  }

  /** Writes what has come together, once per interval at most. */
  report(): void {
    const now = performance.now();
    if (this.#total === this.#reported || now - this.#reportedAt < REPORT_INTERVAL_MS) return;
    const since = this.#total - this.#reported;
    this.#log.warn(this.#message, { count: since, total: this.#total, last: this.#last });
    this.#reported = this.#total;
    this.#reportedAt = now;
  }
}

function readRequest([peer, ...frames]: Uint8Array[]): PeerRequest {
  return { peer: peer as Uint8Array, ...decodeRequest(frames) };
}

/** Binds a socket and returns its port. */
async function bind(socket: Socket, setting: string, ip: string, port: number): Promise<number> {
  try {
    await socket.bind(`tcp://${bracketed(ip)}:${port === 0 ? "*" : port}`);
  } catch (error) {
    throw new StartError(`Cannot bind ${setting} ${port} on ${ip}: ${messageOf(error)}`, { cause: error });
  }
  return Number(/:(\d+)$/.exec(socket.lastEndpoint ?? "")?.[1]);
}

function close({ xsub, xpub, router, gatekeeper }: Sockets): void {
  xsub.close();
  xpub.close();
  router.close();
  gatekeeper?.[Symbol.dispose]();
}
