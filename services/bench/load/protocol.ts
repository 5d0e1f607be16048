/** What the load is told by whoever starts it, and what it answers; both travel as JSON. */

export interface LoadOptions {
  /** Port of the server on 127.0.0.1. */
  readonly port: number;
  /** Target of the requests; `{n}` stands for the number of the client. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly clients: number;
  /** How many of them tell the latencies. */
  readonly samples: number;
  /** How many of them, the last ones, stop to read once the stream is open. */
  readonly stalled: number;
  /** Most clients that wait for the head of their answer at the same time; 0: all come at once. */
  readonly inFlight: number;
  /** Events after which a sampled client has caught up; 0: there is nothing to catch up with. */
  readonly behind: number;
}

/** Once every client has the head of its answer, or never will. */
export interface Ready {
  readonly kind: "ready";
  readonly ready: number;
  readonly failed: number;
  /** From the first connection to the last head. */
  readonly seconds: number;
  /** From connection to head, in milliseconds. */
  readonly head: Percentiles;
  /** Whether the system lets the load run before everything else. */
  readonly realtime: boolean;
}

/** Once every client has the events that it missed, or never will; after `Ready`. */
export interface CaughtUp {
  readonly kind: "caught up";
  /** From the first connection on. */
  readonly seconds: number;
  /** How many were cut off before. */
  readonly lost: number;
}

/** The answer to `mark`. Counts are since `begin`, latencies since the last mark. */
export interface Mark {
  readonly kind: "mark";
  /** The moment, in milliseconds since 1970. */
  readonly at: number;
  /** Events of all reading clients: those of the sampled ones were counted, the others follow from their bytes. */
  readonly events: number;
  /** Bytes of all reading clients on the wire, with framing and compression. */
  readonly wireBytes: number;
  /** Fewest and most events of one sampled client. */
  readonly sampleMin: number;
  readonly sampleMax: number;
  /** Chunks in which the sampled clients got their events; a chunk that takes two reads counts twice. */
  readonly sampleChunks: number;
  /** The events of the sampled clients together. */
  readonly sampleEvents: number;
  /** Fewest and most bytes of one reading client, without framing. */
  readonly bodyMin: number;
  readonly bodyMax: number;
  /** Streams that the server ended. */
  readonly closed: number;
  /** Streams that the server ended among those that do not read. */
  readonly stalledClosed: number;
  /** From publish to receipt, in milliseconds. */
  readonly latency: Percentiles;
}

export interface Percentiles {
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

export type LoadReport = Ready | CaughtUp | Mark;
