/**
 * From updates to the bytes of a Server-Sent Events stream. Knows nothing about connections.
 * Source: WHATWG HTML, section 9.2 "Server-sent events".
 */
import { SIGNAL_TYPE, type Update } from "./update.ts";

const encoder = new TextEncoder();

/** The SSE bytes of one update. It was validated at the door, so no field of it can begin another one. */
export function encodeFrame({ id, type, data, retry }: Update): Uint8Array {
  let frame = `id: ${id}\n`;
  if (type !== undefined) frame += `event: ${type}\n`;
  if (retry !== undefined) frame += `retry: ${retry}\n`;
  // One line each: a line break inside `data:` would begin a field of the publisher's choice. And one at least,
  // for an event without a data line is not dispatched. The space is the one that clients strip.
  for (const line of data.split(/\r\n|\r|\n/)) frame += `data: ${line}\n`;
  return encoder.encode(`${frame}\n`);
}

/** What the hub itself has to say to a stream that asked for it. */
export type Signal =
  /** The first one: the time here in milliseconds since 1970, and the id of the oldest update that is kept. */
  | { readonly type: "hello"; readonly now: number; readonly oldest: string | null }
  /** Updates per second since the last one, and how many streams are open. */
  | { readonly type: "heartbeat"; readonly now: number; readonly rate: number; readonly subscribers: number }
  /** Updates are missing here; the reason is for people who look at a page. */
  | { readonly type: "gap"; readonly reason: string };

/**
 * The SSE bytes of a signal: an event of the type that publishers cannot use, and without an id, so that it does
 * not move the place from which a client resumes.
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

/** A comment, which keeps a silent connection from being cut; clients do not show it to the page. */
export const HEARTBEAT: Uint8Array = encoder.encode(":\n");

/** The headers of a stream. */
export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "private, no-cache, no-store, must-revalidate, max-age=0",
  // nginx buffers whatever it proxies unless the response says otherwise.
  "X-Accel-Buffering": "no",
};

/** Several frames as one chunk, so that one write carries them all. */
export function concatFrames(frames: readonly Uint8Array[]): Uint8Array {
  const [first] = frames;
  if (first !== undefined && frames.length === 1) return first;
  const chunk = new Uint8Array(frames.reduce((size, frame) => size + frame.length, 0));
  let offset = 0;
  for (const frame of frames) {
    chunk.set(frame, offset);
    offset += frame.length;
  }
  return chunk;
}
