/** What a few clients tell for all: which events came, and how long after they were published. */
import { constants, inflateRawSync } from "node:zlib";
import type { Percentiles } from "./protocol.ts";

/** What the publisher writes before the moment of publication, in milliseconds since 1970. */
const MARKER = '"t":';
const decoder = new TextDecoder("latin1");

/** Milliseconds since 1970, with a fraction; the same clock in every process of this machine. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Collects milliseconds. */
export class Latencies {
  #values = new Float64Array(1 << 16);
  #count = 0;

  add(value: number): void {
    if (this.#count === this.#values.length) {
      const values = new Float64Array(2 * this.#count);
      values.set(this.#values);
      this.#values = values;
    }
    this.#values[this.#count++] = value;
  }

  /** What was collected since the last time: null where nothing was. */
  take(): Percentiles {
    const sorted = this.#values.subarray(0, this.#count).sort();
    this.#count = 0;
    const at = (part: number) => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? null;
    return { p50: at(0.5), p99: at(0.99), max: at(1) };
  }
}

/** Reads the events of one stream. */
export class EventReader {
  events = 0;
  readonly #latencies: Latencies;
  /** The beginning of an event that a read has cut. */
  #rest = "";

  constructor(latencies: Latencies) {
    this.#latencies = latencies;
  }

  feed(bytes: Uint8Array): void {
    const text = this.#rest + decoder.decode(bytes);
    const received = now();
    let start = 0;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n", start)) {
      const marker = text.indexOf(MARKER, start);
      if (marker >= 0 && marker < end) {
        this.events++;
        this.#latencies.add(received - parseFloat(text.slice(marker + MARKER.length, marker + 24)));
      }
      start = end + 2;
    }
    this.#rest = text.slice(start);
  }
}

/** Length of the shortest header of a gzip member, which is the one that servers write. Source: RFC 1952, section 2.3. */
const GZIP_HEADER_BYTES = 10;
/** How far back a block may refer. Source: RFC 1951, section 3.2.5. */
const WINDOW_BYTES = 32 * 1024;
/** What ends a flush: the length of an empty stored block and its complement. Source: RFC 1951, section 3.2.4. */
const FLUSHED = [0, 0, 0xff, 0xff];

/** Inflates a gzip stream at each of its flushes, as a browser does, without waiting for its end. */
export class Gunzip {
  readonly #take: (bytes: Uint8Array) => void;
  #waiting = new Uint8Array(0);
  #window = new Uint8Array(0);
  #isBody = false;

  constructor(take: (bytes: Uint8Array) => void) {
    this.#take = take;
  }

  feed(bytes: Uint8Array): void {
    this.#waiting = concat(this.#waiting, bytes);
    if (!this.#isBody) {
      if (this.#waiting.length < GZIP_HEADER_BYTES) return;
      this.#waiting = this.#waiting.slice(GZIP_HEADER_BYTES);
      this.#isBody = true;
    }
    const { length } = this.#waiting;
    if (length < FLUSHED.length || !FLUSHED.every((byte, index) => this.#waiting.at(index - 4) === byte)) {
      return;
    }
    const inflated = inflateRawSync(this.#waiting, {
      finishFlush: constants.Z_SYNC_FLUSH,
      ...(this.#window.length > 0 && { dictionary: this.#window }),
    });
    this.#waiting = new Uint8Array(0);
    this.#window = concat(this.#window, inflated).slice(-WINDOW_BYTES);
    this.#take(inflated);
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
