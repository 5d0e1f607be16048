/**
 * From updates to the bytes of a Server-Sent Events stream. Knows nothing about connections.
 * Source: WHATWG HTML, section 9.2 "Server-sent events".
 */
import type { Signal } from "./api/signal.ts";
import { SIGNAL_TYPE, type Update } from "./update.ts";

const encoder = new TextEncoder();

/** Characters of frames that are encoded in one go, unless a single one has more. */
const BLOCK_LENGTH = 64 * 1024;

/**
 * The SSE bytes of each update. They were validated at the door, so no field of them can begin another one. The frames
 * lie one after the other in few buffers: a buffer takes longer to make than a frame to encode, and memory of its own.
 */
export function encodeFrames(updates: readonly Update[]): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let texts: string[] = [];
  let length = 0;
  for (const update of updates) {
    const text = textOf(update);
    if (length + text.length > BLOCK_LENGTH) {
      encodeInto(frames, texts);
      texts = [];
      length = 0;
    }
    texts.push(text);
    length += text.length;
  }
  encodeInto(frames, texts);
  return frames;
}

function encodeInto(frames: Uint8Array[], texts: readonly string[]): void {
  const all = texts.join("");
  const block = encoder.encode(all);
  // Where every character is one byte, the texts say how long the frames are.
  const isAscii = block.length === all.length;
  let start = 0;
  for (const text of texts) {
    const length = isAscii ? text.length : encoder.encodeInto(text, block.subarray(start)).written;
    frames.push(block.subarray(start, start + length));
    start += length;
  }
}

function textOf({ id, type, data, retry }: Update): string {
  let text = `id: ${id}\n`;
  if (type !== undefined) text += `event: ${type}\n`;
  if (retry !== undefined) text += `retry: ${retry}\n`;
  // Most data is JSON on one line.
  if (!data.includes("\n") && !data.includes("\r")) return `${text}data: ${data}\n\n`;
  // One line each: a line break inside `data:` would begin a field of the publisher's choice. And one at least,
  // for an event without a data line is not dispatched. The space is the one that clients strip.
  for (const line of data.split(/\r\n|\r|\n/)) text += `data: ${line}\n`;
  return `${text}\n`;
}

/**
 * The SSE bytes of what the hub itself has to say to a stream that asked for it: an event of the type that
 * publishers cannot use, and without an id, so that it does not move the place from which a client resumes.
 */
export function encodeSignal(signal: Signal): Uint8Array<ArrayBuffer> {
  return encoder.encode(`event: ${SIGNAL_TYPE}\ndata: ${JSON.stringify(signal)}\n\n`);
}

/**
 * What opens a stream: a comment, so that proxies and `onopen` see the stream at once, how long to wait before a
 * reconnection, and the id to come back with, if any. An id without data is no event, but browsers remember it: one
 * that is cut off before its first event then misses nothing.
 *
 * Only the id has a blank line behind it: some clients take each blank line for an event.
 */
export function encodePreamble(retryMs: number, id?: string): Uint8Array<ArrayBuffer> {
  const fields = id === undefined ? "" : `id: ${id}\n\n`;
  return encoder.encode(`:\nretry: ${Math.round(retryMs)}\n${fields}`);
}

/** How long to wait before a reconnection, for a stream that is about to end. */
export function encodeRetry(retryMs: number): Uint8Array<ArrayBuffer> {
  return encoder.encode(`retry: ${Math.round(retryMs)}\n`);
}

/** A comment, which keeps a silent connection from being cut; clients do not show it to the page. */
export const HEARTBEAT: Uint8Array = encoder.encode(":\n");

/** The headers of a stream. */
export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "private, no-cache, no-store, must-revalidate, max-age=0",
  // nginx buffers whatever it proxies unless the response says otherwise.
  "X-Accel-Buffering": "no",
};

/** How many times a chunk may be as large as itself in memory, where that saves a copy. */
const MAX_WASTE = 4;

/**
 * Several frames as one chunk, so that one write carries them all. Nothing is copied when they lie one after the
 * other, unless a small chunk would keep a large buffer for as long as a slow reader makes it wait.
 */
export function concatFrames(frames: readonly Uint8Array[]): Uint8Array {
  const [first] = frames;
  if (first === undefined) return new Uint8Array();
  const { buffer, byteOffset } = first;
  let size = 0;
  let isInARow = true;
  for (const frame of frames) {
    isInARow &&= frame.byteOffset === byteOffset + size && frame.buffer === buffer;
    size += frame.length;
  }
  if (isInARow && size * MAX_WASTE >= buffer.byteLength) {
    return frames.length === 1 ? first : new Uint8Array(buffer, byteOffset, size);
  }
  const chunk = new Uint8Array(size);
  let offset = 0;
  for (const frame of frames) {
    chunk.set(frame, offset);
    offset += frame.length;
  }
  return chunk;
}
