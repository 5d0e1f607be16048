import assert from "node:assert/strict";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import * as fc from "fast-check";
import { concatFrames, encodeFrames, encodePreamble, HEARTBEAT, STREAM_HEADERS } from "./sse.ts";
import { anyUpdate, numberedUpdate } from "./testing/fixtures.ts";
import type { Update } from "./update.ts";

interface Read {
  readonly events: EventSourceMessage[];
  readonly comments: string[];
  readonly retries: number[];
}

/** Reads bytes as a client does. */
function read(bytes: Uint8Array): Read {
  const result: Read = { events: [], comments: [], retries: [] };
  const parser = createParser({
    onEvent: (event) => result.events.push(event),
    onComment: (comment) => result.comments.push(comment),
    onRetry: (milliseconds) => result.retries.push(milliseconds),
    onError: (error) => assert.fail(error),
  });
  parser.feed(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  return result;
}

const encodeAlone = (update: Update) => encodeFrames([update])[0]!;

/** Data as the standard hands it over: a line break is one line feed, whatever it was. */
function withLineFeeds(data: string): string {
  return data.replace(/\r\n?/g, "\n");
}

Deno.test("encodeFrames() makes one event of any update, with its id, type, data and retry", () => {
  fc.assert(fc.property(anyUpdate, (update) => {
    const { events, comments, retries } = read(encodeAlone(update));
    assert.deepEqual(events, [{ id: update.id, event: update.type, data: withLineFeeds(update.data) }]);
    assert.deepEqual(comments, []);
    assert.deepEqual(retries, update.retry === undefined ? [] : [update.retry]);
  }));
});

Deno.test("encodeFrames() leaves out what an update does not have", () => {
  const { type: _, ...update } = numberedUpdate(1, { data: "x" });
  assert.equal(new TextDecoder().decode(encodeAlone(update)), "id: urn:test:1\ndata: x\n\n");
});

const DATA: Readonly<Record<string, readonly [data: string, received: string]>> = {
  "empty data": ["", ""],
  "a leading space": [" x", " x"],
  "leading spaces on every line": ["  x\n  y", "  x\n  y"],
  "a trailing line feed": ["x\n", "x\n"],
  "only line feeds": ["\n\n", "\n\n"],
  "CR and CRLF": ["a\rb\r\nc\n\rd", "a\nb\nc\n\nd"],
  "forged fields": ["x\nevent: forged\nid: forged\nretry: 1", "x\nevent: forged\nid: forged\nretry: 1"],
  "fields forged after a CR": ["x\revent: forged\r\rid: forged", "x\nevent: forged\n\nid: forged"],
  "a forged event": ["x\n\ndata: forged\n\n", "x\n\ndata: forged\n\n"],
  "a forged comment": [":x\n:y", ":x\n:y"],
  "line breaks of Unicode, which SSE does not know": [
    "a\u2028b\u2029c\u0085d\ve\ff",
    "a\u2028b\u2029c\u0085d\ve\ff",
  ],
  "NUL and a byte order mark": ["\uFEFF\0", "\uFEFF\0"],
};

for (const [what, [data, received]] of Object.entries(DATA)) {
  Deno.test(`encodeFrames() keeps ${what} inside the data of one event`, () => {
    const { events, comments, retries } = read(encodeAlone(numberedUpdate(1, { data })));
    assert.deepEqual(events, [{ id: "urn:test:1", event: "test", data: received }]);
    assert.deepEqual([comments, retries], [[], []]);
  });
}

Deno.test("encodeFrames() makes of each update what it makes of it alone, in few buffers", () => {
  fc.assert(fc.property(fc.array(anyUpdate, { maxLength: 20 }), (updates) => {
    const frames = encodeFrames(updates);
    assert.deepEqual(frames.map((frame) => [...frame]), updates.map((update) => [...encodeAlone(update)]));
    assert.ok(new Set(frames.map(({ buffer }) => buffer)).size <= 1);
  }));
});

Deno.test("encodeFrames() has no large buffer for a small frame", () => {
  const update = numberedUpdate(1, { data: "x".repeat(1000) });
  const frames = encodeFrames([
    ...Array(1000).fill(update),
    numberedUpdate(2, { data: "é".repeat(1e6) }),
    update,
  ]);
  assert.equal(frames.length, 1002);
  for (const { buffer, length } of frames) assert.ok(buffer.byteLength < length + 70_000);
  assert.deepEqual(frames[1001], encodeAlone(update));
});

Deno.test("encodePreamble() is a comment and a whole number of milliseconds to wait, and no event", () => {
  for (const [wanted, written] of [[0, 0], [3000, 3000], [2999.5, 3000], [1234.4, 1234]] as const) {
    assert.deepEqual(read(encodePreamble(wanted)), { events: [], comments: [""], retries: [written] });
  }
});

Deno.test("HEARTBEAT is a comment, and ends no event of others", () => {
  assert.deepEqual(read(HEARTBEAT), { events: [], comments: [""], retries: [] });
  const frame = encodeAlone(numberedUpdate(1));
  assert.deepEqual(read(concatFrames([HEARTBEAT, frame, HEARTBEAT])).events, read(frame).events);
});

Deno.test("concatFrames() is the frames one after the other", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array()), (frames) => {
    assert.deepEqual([...concatFrames(frames)], frames.flatMap((frame) => [...frame]));
  }));
});

Deno.test("concatFrames() copies nothing when there is one frame", () => {
  const frame = encodeAlone(numberedUpdate(1));
  assert.equal(concatFrames([frame]), frame);
});

Deno.test("concatFrames() is the same for frames of one buffer, in a row or not", () => {
  const buffer = Uint8Array.from({ length: 40 }, (_, index) => index);
  const part = fc.tuple(fc.nat(40), fc.nat(8), fc.boolean()).map(([start, length, isCopy]) => {
    const frame = buffer.subarray(start, start + length);
    return isCopy ? frame.slice() : frame;
  });
  fc.assert(fc.property(fc.array(part), fc.array(fc.nat(8)), (before, lengths) => {
    let start = 0;
    const row = lengths.map((length) => buffer.subarray(start, start += length));
    const frames = [...before, ...row];
    assert.deepEqual([...concatFrames(frames)], frames.flatMap((frame) => [...frame]));
    assert.deepEqual([...concatFrames(row)], row.flatMap((frame) => [...frame]));
  }));
});

Deno.test("concatFrames() copies no frames in a row, but what is little of a large buffer", () => {
  const frames = encodeFrames(Array.from({ length: 100 }, (_, number) => numberedUpdate(number)));
  const whole = frames[0]!.buffer;
  assert.equal(concatFrames(frames).buffer, whole);
  assert.equal(concatFrames(frames.slice(10, 90)).buffer, whole);
  assert.notEqual(concatFrames([frames[0]!, frames[2]!]).buffer, whole);
  for (const few of [frames.slice(0, 10), frames.slice(0, 1)]) {
    const chunk = concatFrames(few);
    assert.equal(chunk.buffer.byteLength, chunk.length);
  }
});

Deno.test("STREAM_HEADERS name the type and keep every cache and proxy from holding events back", () => {
  const headers = new Headers(STREAM_HEADERS);
  assert.equal(headers.get("Content-Type"), "text/event-stream");
  assert.match(headers.get("Cache-Control") ?? "", /no-store/);
  assert.equal(headers.get("X-Accel-Buffering"), "no");
});
