import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { Cursor } from "../lib/channel.ts";
import { parseMatcher } from "../lib/matcher.ts";
import { chunkOf, type Framed, frameOf } from "./framed.ts";
import { numberedUpdate } from "../lib/testing/fixtures.ts";
import type { Piece } from "./pieces.ts";
import { Recent } from "./recent.ts";
import { View } from "./view.ts";

const ALL = new View([parseMatcher("exact", "*", { base: "http://a.test/", maxLength: 10 })], []);
const viewOf = (pattern: string) =>
  new View([parseMatcher("urlpattern", pattern, { base: "http://a.test/", maxLength: 99 })], []);
const START = "start" as Cursor;

function recentOf(maxBytes: number, sizes: readonly number[]): Recent {
  const recent = new Recent(maxBytes);
  recent.begin(START);
  for (const [index, size] of sizes.entries()) {
    recent.append(framed({ cursor: cursor(index), id: `id${index}`, frame: new Uint8Array(size) }));
  }
  return recent;
}

function framed(item: Pick<Framed, "cursor" | "id" | "frame">): Framed {
  return { topics: ["/t"], private: false, size: item.frame.length + 500, ...item };
}

function cursor(index: number): Cursor {
  return `c${index}` as Cursor;
}

Deno.test("Recent.read() returns what follows a cursor, in chunks of one item at least", () => {
  const recent = recentOf(1e6, [100, 100, 100]);
  const read = (after: Cursor, maxBytes: number) =>
    recent.read(after, maxBytes)?.items.map((item) => item.cursor);
  assert.deepEqual(read(START, 1e6), ["c0", "c1", "c2"]);
  assert.deepEqual(read(START, 150), ["c0", "c1"]);
  assert.deepEqual(read(cursor(0), 1), ["c1"]);
  assert.deepEqual(read(cursor(2), 1e6), []);
  assert.equal(read("unknown" as Cursor, 1e6), undefined);
});

/** The cursors of all that follows one, read in as many steps as it takes; undefined when it is not there. */
function readAll(recent: Recent, after: Cursor): Cursor[] | undefined {
  const cursors: Cursor[] = [];
  while (true) {
    const stretch = recent.read(cursors.at(-1) ?? after, Infinity);
    if (stretch === undefined) return undefined;
    if (stretch.items.length === 0) return cursors;
    cursors.push(...stretch.items.map((item) => item.cursor));
  }
}

Deno.test("Recent.end is the newest cursor, and where it begins while it is empty", () => {
  assert.equal(new Recent(1e6).end, undefined);
  assert.equal(recentOf(1e6, []).end, START);
  assert.equal(recentOf(1e6, [1, 2]).end, "c1");
  assert.equal(recentOf(10, [1, 2]).end, "c1");
});

Deno.test("Recent keeps the newest items within its bytes, and knows exactly the cursors that it can serve", () => {
  const sizes = fc.array(fc.nat(2000), { maxLength: 3000 });
  fc.assert(fc.property(fc.integer({ min: 1, max: 500_000 }), sizes, (maxBytes, sizes) => {
    const recent = recentOf(maxBytes, sizes);
    let kept = 0;
    for (let bytes = 0; kept < sizes.length; kept++) {
      bytes += sizes[sizes.length - 1 - kept]! + 500;
      if (bytes > maxBytes) break;
    }
    const first = sizes.length - kept;
    const before = first === 0 ? START : cursor(first - 1);
    const wanted = Array.from({ length: kept }, (_, index) => cursor(first + index));
    assert.deepEqual(readAll(recent, before), wanted);
    if (first > 0) assert.equal(recent.read(START, Infinity), undefined);
    assert.equal(recent.locate(`id${first}`), kept > 0 ? cursor(first) : undefined);
    if (first > 0) assert.equal(recent.locate(`id${first - 1}`), undefined);
    if (first > 1) assert.equal(recent.read(cursor(first - 2), Infinity), undefined);
  }));
});

Deno.test("Recent.newestId() finds the newest that fits, and no signal", () => {
  const recent = recentOf(1e6, [1, 2, 3]);
  recent.mark(new Uint8Array([9]));
  assert.equal(recent.newestId(() => true), "id2");
  assert.equal(recent.newestId(({ id }) => id === "id1"), "id1");
  assert.equal(recent.newestId(() => false), undefined);
  assert.equal(recentOf(1e6, []).newestId(() => true), undefined);
});

Deno.test("an update with many topics counts with all of them", () => {
  const topics: [string, ...string[]] = ["/first", ...Array.from({ length: 100 }, () => "x".repeat(4096))];
  const { size } = frameOf({ cursor: START, update: numberedUpdate(1, { topics }) });
  assert.ok(size > 100 * 2 * 4096, `${size}`);
});

Deno.test("Recent.mark() puts a signal in its place, for those who come by it", () => {
  const recent = recentOf(1e6, [1, 2]);
  const signal = new Uint8Array([9]);
  recent.mark(signal);
  recent.append(framed({ cursor: cursor(2), id: "id2", frame: new Uint8Array([3]) }));
  const items = recent.read(cursor(1), 1e6)?.items ?? [];
  assert.deepEqual(items.map((item) => item.signal), [signal, undefined]);
  assert.deepEqual(chunkOf(items, ALL, { signals: true }).chunk, new Uint8Array([9, 3]));
  assert.deepEqual(chunkOf(items, ALL, { signals: false }).chunk, new Uint8Array([3]));
  assert.equal(recent.read(items[0]!.cursor, 1e6)?.items.length, 1);
});

/** What a subscriber is given after a cursor until there is nothing more, and in how many pieces. */
function readPieces(recent: Recent, reading: { after: Cursor; view: View; signals?: boolean }) {
  const pieces: Piece[] = [];
  while (true) {
    const after = pieces.at(-1)?.end ?? reading.after;
    const piece = recent.next({ ...reading, after });
    if (piece === undefined) return undefined;
    if (piece.end === after) return pieces;
    pieces.push(piece);
  }
}

const bytesOf = (pieces: readonly Piece[] | undefined) => pieces?.flatMap(({ chunk }) => [...chunk]);

Deno.test("Recent.next() gives everybody all that follows, whatever others have read and what came meanwhile", () => {
  const views = [ALL, viewOf("/t"), viewOf("/other"), viewOf("/*")];
  const step = fc.oneof(
    fc.record({ append: fc.nat(20_000), topic: fc.constantFrom("/t", "/other") }),
    fc.record({ view: fc.constantFrom(...views), back: fc.nat(20), signals: fc.boolean() }),
    fc.constant("mark" as const),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const recent = new Recent(200_000);
    recent.begin(START);
    let appended = 0;
    for (const step of steps) {
      if (step === "mark") {
        recent.mark(new Uint8Array([0]));
      } else if ("append" in step) {
        const frame = new Uint8Array(step.append).fill(++appended);
        recent.append({ ...framed({ cursor: cursor(appended), id: "", frame }), topics: [step.topic] });
      } else {
        const { view, signals } = step;
        const after = step.back >= appended ? START : cursor(appended - step.back);
        const stretch = recent.read(after, Infinity);
        const wanted = stretch && [...chunkOf(stretch.items, view, { signals }).chunk];
        assert.deepEqual(bytesOf(readPieces(recent, { after, view, signals })), wanted);
      }
    }
  }));
});

Deno.test("Recent.next() gives one piece to all with one view, also when a little has come since", () => {
  const recent = recentOf(1e7, Array(200).fill(140));
  const piece = recent.next({ after: START, view: ALL });
  assert.equal(piece?.end, "c199");
  recent.append(framed({ cursor: cursor(200), id: "id200", frame: new Uint8Array(140) }));
  const again = new View(ALL.matchers, []);
  assert.equal(recent.next({ after: START, view: again }), piece);
  assert.notEqual(recent.next({ after: START, view: ALL, signals: true }), piece);
  assert.notEqual(recent.next({ after: START, view: viewOf("/*") }), piece);
});

Deno.test("Recent.next() gives what came since to those for whom it would be little otherwise", () => {
  const recent = recentOf(1e7, [1, 2]);
  assert.equal(recent.next({ after: START, view: ALL })?.end, "c1");
  recent.append(framed({ cursor: cursor(2), id: "id2", frame: new Uint8Array(3) }));
  assert.equal(recent.next({ after: START, view: ALL })?.end, "c2");
  assert.equal(recent.next({ after: START, view: ALL }), recent.next({ after: START, view: ALL }));
});

Deno.test("Recent.next() brings readers from different places to the same pieces", () => {
  const recent = recentOf(1e7, Array(2000).fill(140));
  const pieces = [START, cursor(17), cursor(100)].map((after) => readPieces(recent, { after, view: ALL }));
  for (const others of pieces.slice(1)) assert.deepEqual(others?.slice(1), pieces[0]?.slice(1));
  assert.equal(pieces[1]?.[1], pieces[0]?.[1]);
  assert.equal(pieces[2]?.at(-1), pieces[0]?.at(-1));
});
