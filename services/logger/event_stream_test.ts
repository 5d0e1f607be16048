import assert from "node:assert/strict";
import { createParser } from "eventsource-parser";
import * as fc from "fast-check";
import { EventStreamParser } from "../../static/logger/event_stream.js";

/** Everything that a parser tells, in order. */
type Told = readonly [what: "event" | "id" | "retry", ...unknown[]];

/** What our parser tells of these bytes; they are decoded as lasting_stream.js does it. */
function parse(chunks: Iterable<Uint8Array>): Told[] {
  const told: Told[] = [];
  const parser = new EventStreamParser({
    onEvent: ({ id, type, data }) => told.push(["event", id, type, data]),
    onLastEventId: (id) => told.push(["id", id]),
    onRetry: (ms) => told.push(["retry", ms]),
  });
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }));
  return told;
}

/** What the parser that is not ours tells, of all bytes at once. */
function parseIndependently(bytes: Uint8Array): Told[] {
  const told: Told[] = [];
  const parser = createParser({
    // It leaves the defaults of the standard to its caller: no `event` means "message", no `id` means none.
    onEvent: ({ id, event, data }) => told.push(["event", id ?? "", event ?? "message", data]),
    onId: (id) => told.push(["id", id]),
    onRetry: (ms) => told.push(["retry", ms]),
  });
  // Both take a byte order mark off themselves. Were the decoder to do that too, two of them would be lost.
  parser.feed(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
  return told;
}

/** Cuts the bytes at these places, in the middle of characters and of line ends too. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const bounds = [
    0,
    ...places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b),
    bytes.length,
  ];
  return bounds.slice(1).map((end, i) => bytes.subarray(bounds[i], end));
}

function parseText(text: string): Told[] {
  return parse([new TextEncoder().encode(text)]);
}

const BOM = "\uFEFF";

/** Text within a line: what is special anywhere in the grammar, characters of one to four bytes, anything. */
const piece = fc.oneof(
  fc.constantFrom(":", " ", "\0", BOM, "data", "id", "1", "x", "é", "日", "🐇", "\u2028", "\v", "\x85"),
  fc.string({ unit: "binary", minLength: 1, maxLength: 2 }),
);
const value = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(""));
const name = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom("data", "data", "id", "event", "retry") },
  { weight: 1, arbitrary: fc.constantFrom("", "dat", "datas", "DATA", " data", `${BOM}data`, "id\0", "ev") },
);
const line = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(name, fc.constantFrom(":", ": ", ":  ", ""), value).map((parts) => parts.join("")),
  },
  { weight: 1, arbitrary: fc.constantFrom("data", "id", "event", "retry", "id:", "data:", "event: ") },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 10n ** 22n }).map((ms) => `retry: ${ms}`) },
  { weight: 1, arbitrary: value.map((comment) => `:${comment}`) },
  { weight: 1, arbitrary: value },
  { weight: 4, arbitrary: fc.constant("") },
);
const lineEnd = fc.constantFrom("\n", "\r", "\r\n");

/** Bytes of a stream, which may begin with up to two byte order marks and end anywhere, even within a character. */
const stream = fc.record({
  boms: fc.nat({ max: 2 }),
  lines: fc.array(fc.tuple(line, lineEnd), { maxLength: 24, size: "max" }),
  tail: fc.oneof(fc.constant(new Uint8Array()), fc.uint8Array({ maxLength: 6 })),
}).map(({ boms, lines, tail }) => {
  const text = new TextEncoder().encode(BOM.repeat(boms) + lines.flat().join(""));
  return new Uint8Array([...text, ...tail]);
}).filter((bytes) => {
  // The one difference: it also takes off a mark that was decoded as Latin-1, so that callers may decode how they
  // like. By the standard a stream is UTF-8, and these three characters begin the name of an unknown field.
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  return !text.startsWith("\xEF\xBB\xBF");
});

Deno.test("EventStreamParser tells what an independent parser tells, wherever the bytes are cut", () => {
  const seen = { event: 0, id: 0, retry: 0, "event with an id": 0, "event without data": 0 };
  fc.assert(
    fc.property(stream, fc.array(fc.nat(), { maxLength: 12 }), (bytes, places) => {
      const expected = parseIndependently(bytes);
      assert.deepEqual(parse(cut(bytes, places)), expected);
      for (const [what, ...values] of expected) {
        seen[what]++;
        if (what === "event" && values[0] !== "") seen["event with an id"]++;
        if (what === "event" && values[2] === "") seen["event without data"]++;
      }
    }),
    { numRuns: 5_000 },
  );
  // Streams in which nothing happens would prove nothing.
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 100, `${what}: ${count}`);
});

Deno.test("EventStreamParser tells what an independent parser tells when every byte comes alone", () => {
  fc.assert(
    fc.property(stream, (bytes) => {
      assert.deepEqual(parse(Array.from(bytes, (byte) => Uint8Array.of(byte))), parseIndependently(bytes));
    }),
    { numRuns: 1_000 },
  );
});

/** From the standard, and from where implementations went wrong. */
const EXAMPLES: Readonly<Record<string, readonly [stream: string, told: readonly Told[]]>> = {
  "joins the lines of data": [
    "data: YHOO\ndata: +2\ndata: 10\n\n",
    [["event", "", "message", "YHOO\n+2\n10"]],
  ],
  "takes one space off a value, not two": ["data:  x\n\ndata:y\n\n", [
    ["event", "", "message", " x"],
    ["event", "", "message", "y"],
  ]],
  "fires an event for empty data, and none without a final blank line": ["data\n\ndata\ndata\n\ndata:", [
    ["event", "", "message", ""],
    ["event", "", "message", "\n"],
  ]],
  "tells an id that comes without data, and fires nothing for it": ["id: 1\n\n", [["id", "1"]]],
  "tells an empty id, which clears it": ["id: 1\ndata: a\n\nid\ndata: b\n\ndata: c\n\n", [
    ["id", "1"],
    ["event", "1", "message", "a"],
    ["id", ""],
    ["event", "", "message", "b"],
    // Only what this event bears: an event that bears none is none that a reconnect could bring again.
    ["event", "", "message", "c"],
  ]],
  "ignores an id with NUL, and keeps the one before it": ["id: 1\nid: \0\ndata: a\n\n", [
    ["id", "1"],
    ["event", "1", "message", "a"],
  ]],
  "forgets the type after each event, with or without data": ["event: a\n\ndata: b\n\n", [
    ["event", "", "message", "b"],
  ]],
  "ignores a retry that is no number": ["retry: 1e3\nretry: -1\nretry:\nretry: 25\n\n", [["retry", 25]]],
  "takes a byte order mark for one at the beginning only": [`${BOM}data: a\n\n${BOM}data: b\n\n`, [
    ["event", "", "message", "a"],
  ]],
  "takes three characters that look like a byte order mark for characters": ["\xEF\xBB\xBFdata: a\n\n", []],
};

for (const [what, [text, told]] of Object.entries(EXAMPLES)) {
  Deno.test(`EventStreamParser ${what}`, () => assert.deepEqual(parseText(text), told));
}

Deno.test("EventStreamParser refuses an event that never ends, in one line or in many", () => {
  for (const chunk of ["x".repeat(1024 * 1024), `data: ${"x".repeat(1024 * 1024)}\n`]) {
    const parser = new EventStreamParser({ onEvent() {}, onLastEventId() {}, onRetry() {} });
    parser.feed("data: ");
    for (let i = 0; i < 7; i++) parser.feed(chunk);
    assert.throws(() => {
      parser.feed(chunk);
      parser.feed(chunk);
    }, RangeError);
  }
});

Deno.test("EventStreamParser reads on for ever when each event is small", () => {
  let events = 0;
  const parser = new EventStreamParser({ onEvent: () => events++, onLastEventId() {}, onRetry() {} });
  const frame = `data: ${"x".repeat(1024 * 1024)}\n\n`;
  for (let i = 0; i < 20; i++) parser.feed(frame);
  assert.equal(events, 20);
});
