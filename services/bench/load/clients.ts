/** Opens the streams and reads them. */
import { sum } from "../statistics.ts";
import { Body } from "./body.ts";
import {
  becomeRealtime,
  close,
  connect,
  Epoll,
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  isConnected,
  read,
  send,
} from "./sockets.ts";
import type { LoadOptions, LoadReport } from "./protocol.ts";
import { EventReader, Gunzip, Latencies, now } from "./samples.ts";

const READ_BYTES = 256 * 1024;
/** Most bytes of an answer's head. */
const HEAD_BYTES = 16 * 1024;
const EVENTS_AT_ONCE = 1024;
/** Clients that share an address: more, and a limit for each address or the ports could run out. */
const CLIENTS_PER_ADDRESS = 50;
/** Receive buffer of those who do not read, so that the server feels it soon. */
const STALLED_BUFFER_BYTES = 4096;
/** Milliseconds until a client without an answer has failed. */
const HEAD_MS = 60_000;
const STDIN = 0;
const STDIN_TAG = 0xffffffff;

type Phase = "connecting" | "head" | "body" | "stalled" | "over";

interface Client {
  readonly fd: number;
  readonly since: number;
  readonly stalls: boolean;
  readonly isSample: boolean;
  phase: Phase;
  /** The head of the answer as far as it came. */
  head: string;
  body: Body;
  events: EventReader | undefined;
  wireBytes: number;
  /** What it had when the measurement began. */
  bodyBase: number;
  wireBase: number;
  eventsBase: number;
}

export class Load {
  readonly #options: LoadOptions;
  readonly #report: (report: LoadReport) => void;
  readonly #epoll = new Epoll(EVENTS_AT_ONCE);
  readonly #buffer = new Uint8Array(READ_BYTES);
  readonly #clients: Client[] = [];
  readonly #latencies = new Latencies();
  readonly #heads = new Latencies();
  #started = 0;
  #waiting = 0;
  #failed = 0;
  #closed = 0;
  #stalledClosed = 0;
  #isReady = false;
  /** Sampled clients that have not caught up yet. */
  #behind: number;
  #lost = 0;
  #sampleChunks = 0;
  #isBehind: boolean;
  #isOver = false;
  readonly #realtime = becomeRealtime();

  constructor(options: LoadOptions, report: (report: LoadReport) => void) {
    this.#options = options;
    this.#report = report;
    this.#isBehind = options.behind > 0;
    this.#behind = options.clients;
  }

  run(): void {
    this.#epoll.add(STDIN, STDIN_TAG, EPOLLIN);
    this.#started = now();
    while (!this.#isOver) {
      this.#connectMore();
      const count = this.#epoll.wait(this.#isReady ? -1 : 1000);
      for (let index = 0; index < count; index++) {
        const tag = this.#epoll.tag(index);
        if (tag === STDIN_TAG) this.#obey();
        else this.#serve(this.#clients[tag]!, tag, this.#epoll.events(index));
      }
      if (!this.#isReady) this.#lookWhetherReady();
      if (this.#isReady && this.#isBehind && this.#behind === 0) this.#caughtUp();
    }
  }

  #connectMore(): void {
    const { clients, inFlight } = this.#options;
    while (this.#clients.length < clients && (inFlight === 0 || this.#waiting < inFlight)) this.#connect();
  }

  #connect(): void {
    const { clients, port, samples, stalled } = this.#options;
    const number = this.#clients.length;
    const group = Math.floor(number / CLIENTS_PER_ADDRESS);
    const stalls = number >= clients - stalled;
    const fd = connect({
      port,
      from: [127, 0, 1 + Math.floor(group / 250), 1 + group % 250],
      ...(stalls && { receiveBuffer: STALLED_BUFFER_BYTES }),
    });
    this.#clients.push({
      fd: fd ?? -1,
      since: now(),
      stalls,
      isSample: !stalls && number % Math.max(1, Math.floor(clients / samples)) === 0,
      phase: fd === undefined ? "over" : "connecting",
      head: "",
      body: new Body(false),
      events: undefined,
      wireBytes: 0,
      bodyBase: 0,
      wireBase: 0,
      eventsBase: 0,
    });
    if (fd === undefined) {
      this.#failed++;
      this.#behind--;
    } else {
      this.#waiting++;
      this.#epoll.add(fd, number, EPOLLOUT);
    }
  }

  #serve(client: Client, number: number, events: number): void {
    if (client.phase === "connecting") {
      if (!isConnected(client.fd) || !send(client.fd, this.#request(number))) return this.#end(client);
      client.phase = "head";
      this.#epoll.change(client.fd, number, EPOLLIN);
    } else if (client.phase === "stalled") {
      this.#stalledClosed++;
      this.#end(client);
    } else {
      const count = read(client.fd, this.#buffer);
      if (count > 0) this.#take(client, number, count);
      else if (count === 0 || (events & (EPOLLERR | EPOLLHUP)) !== 0) this.#end(client);
    }
  }

  #request(number: number): Uint8Array<ArrayBuffer> {
    const { path, headers } = this.#options;
    const lines = [
      `GET ${path.replace("{n}", `${number}`)} HTTP/1.1`,
      "Host: 127.0.0.1",
      "Accept: text/event-stream",
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ];
    return new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
  }

  #take(client: Client, number: number, count: number): void {
    let start = 0;
    if (client.phase === "head") {
      start = this.#takeHead(client, number, count);
      if (start < 0) return;
    }
    client.wireBytes += count - start;
    client.body.feed(this.#buffer, start, count);
  }

  /** Where the body begins in the buffer; -1 when it has not. */
  #takeHead(client: Client, number: number, count: number): number {
    const before = client.head.length;
    client.head += new TextDecoder("latin1").decode(this.#buffer.subarray(0, Math.min(count, HEAD_BYTES)));
    const end = client.head.indexOf("\r\n\r\n");
    if (end < 0) {
      if (client.head.length > HEAD_BYTES) this.#end(client);
      return -1;
    }
    const head = client.head.slice(0, end);
    client.head = "";
    if (!/^HTTP\/1\.1 200 /.test(head)) {
      this.#end(client);
      return -1;
    }
    this.#waiting--;
    this.#heads.add(now() - client.since);
    client.phase = "body";
    client.body = new Body(/^transfer-encoding: *chunked/im.test(head), this.#reader(client, head));
    if (client.stalls) {
      client.phase = "stalled";
      this.#epoll.change(client.fd, number, EPOLLRDHUP);
    }
    return end + 4 - before;
  }

  #reader(client: Client, head: string): ((bytes: Uint8Array) => void) | undefined {
    if (!client.isSample) return undefined;
    const events = new EventReader(this.#latencies);
    client.events = events;
    const gunzip = /^content-encoding: *gzip/im.test(head)
      ? new Gunzip((bytes) => events.feed(bytes))
      : undefined;
    const { behind } = this.#options;
    return (bytes) => {
      this.#sampleChunks++;
      const before = events.events;
      if (gunzip === undefined) events.feed(bytes);
      else gunzip.feed(bytes);
      if (before < behind && events.events >= behind) this.#behind--;
    };
  }

  #end(client: Client): void {
    if (client.phase === "connecting" || client.phase === "head") {
      this.#waiting--;
      this.#failed++;
    } else if (client.phase === "body") {
      this.#closed++;
    }
    if ((client.events?.events ?? 0) < this.#options.behind) {
      this.#behind--;
      this.#lost++;
    }
    client.phase = "over";
    this.#epoll.remove(client.fd);
    close(client.fd);
  }

  #caughtUp(): void {
    this.#isBehind = false;
    this.#report({ kind: "caught up", seconds: (now() - this.#started) / 1000, lost: this.#lost });
  }

  #lookWhetherReady(): void {
    if (this.#clients.length < this.#options.clients) return;
    if (this.#waiting > 0) {
      if (now() - this.#started < HEAD_MS) return;
      for (const client of this.#clients) {
        if (client.phase === "connecting" || client.phase === "head") this.#end(client);
      }
    }
    this.#isReady = true;
    this.#report({
      kind: "ready",
      ready: this.#clients.length - this.#failed,
      failed: this.#failed,
      seconds: (now() - this.#started) / 1000,
      head: this.#heads.take(),
      realtime: this.#realtime,
    });
  }

  #obey(): void {
    const count = read(STDIN, this.#buffer);
    if (count <= 0) {
      this.#isOver = true;
      return;
    }
    for (const command of new TextDecoder().decode(this.#buffer.subarray(0, count)).trim().split("\n")) {
      if (command === "begin") this.#begin();
      this.#mark();
    }
  }

  #begin(): void {
    this.#sampleChunks = 0;
    for (const client of this.#clients) {
      client.bodyBase = client.body.bytes;
      client.wireBase = client.wireBytes;
      client.eventsBase = client.events?.events ?? 0;
    }
  }

  #mark(): void {
    const at = now();
    const readers = this.#clients.filter(({ phase }) => phase === "body");
    const bodies = readers.map(({ body, bodyBase }) => body.bytes - bodyBase);
    const samples = readers.filter(({ isSample }) => isSample);
    const counts = samples.map(({ events, eventsBase }) => events!.events - eventsBase);
    const sampledBytes = sum(samples.map(({ body, bodyBase }) => body.bytes - bodyBase));
    this.#report({
      kind: "mark",
      at,
      events: sampledBytes === 0 ? 0 : Math.round(sum(counts) / sampledBytes * sum(bodies)),
      wireBytes: sum(readers.map(({ wireBytes, wireBase }) => wireBytes - wireBase)),
      sampleChunks: this.#sampleChunks,
      sampleEvents: sum(counts),
      sampleMin: Math.min(...counts),
      sampleMax: Math.max(...counts),
      bodyMin: Math.min(...bodies),
      bodyMax: Math.max(...bodies),
      closed: this.#closed,
      stalledClosed: this.#stalledClosed,
      latency: this.#latencies.take(),
    });
  }
}
