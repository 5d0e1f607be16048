import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as fc from "fast-check";
import type { Cursor } from "../lib/channel.ts";
import { type Matcher, parseMatcher } from "../lib/matcher.ts";
import { chunkOf, type Framed, frameOf, signalItem } from "./framed.ts";
import { numberedUpdate } from "../lib/testing/fixtures.ts";
import { StillClock } from "../lib/testing/still_clock.ts";
import type { Piece } from "./pieces.ts";
import { Recent } from "./recent.ts";
import { View } from "./view.ts";

const clock = new StillClock();
const ALL = new View([parseMatcher("exact", "*", { base: "http://a.test/", maxLength: 10 })], []);
const viewOf = (pattern: string) =>
  new View([parseMatcher("urlpattern", pattern, { base: "http://a.test/", maxLength: 99 })], []);
const START = "start" as Cursor;

function recentOf(maxBytes: number, sizes: readonly number[]): Recent {
  const recent = new Recent(maxBytes);
  recent.begin(START);
  for (const [index, size] of sizes.entries()) {
    recent.append(
      framed({ cursor: cursor(index), id: `id${index}`, frame: new Uint8Array(size).fill(index) }),
    );
  }
  return recent;
}

function framed(item: Pick<Framed, "cursor" | "id" | "frame">): Framed {
  return { topics: ["/t"], private: false, size: item.frame.length + 500, ...item };
}

function cursor(index: number): Cursor {
  return `c${index}` as Cursor;
}

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

const bytesOf = (pieces: readonly Piece[] | undefined) =>
  pieces && Buffer.concat(pieces.map(({ chunk }) => chunk.plain));

Deno.test("Recent.next() returns what follows a cursor", () => {
  const recent = recentOf(1e6, [2, 1, 1]);
  const read = (after: Cursor) => bytesOf(readPieces(recent, { after, view: ALL }));
  assert.deepEqual(read(START), Buffer.of(0, 0, 1, 2));
  assert.deepEqual(read(cursor(0)), Buffer.of(1, 2));
  assert.deepEqual(read(cursor(2)), Buffer.of());
  assert.equal(read("unknown" as Cursor), undefined);
});

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
    const wanted = sizes.slice(first).map((size, index) => Buffer.alloc(size, first + index));
    assert.deepEqual(bytesOf(readPieces(recent, { after: before, view: ALL })), Buffer.concat(wanted));
    if (first > 0) assert.equal(recent.next({ after: START, view: ALL }), undefined);
    assert.equal(recent.locate(`id${first}`), kept > 0 ? cursor(first) : undefined);
    if (first > 0) assert.equal(recent.locate(`id${first - 1}`), undefined);
    if (first > 1) assert.equal(recent.next({ after: cursor(first - 2), view: ALL }), undefined);
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
  const marked = recent.next({ after: cursor(1), view: ALL, signals: true });
  recent.append(framed({ cursor: cursor(2), id: "id2", frame: new Uint8Array([3]) }));
  const read = (after: Cursor, signals: boolean) =>
    bytesOf(readPieces(recent, { after, view: ALL, signals }));
  assert.deepEqual(read(cursor(1), true), Buffer.of(9, 3));
  assert.deepEqual(read(cursor(1), false), Buffer.of(3));
  assert.deepEqual(read(marked!.end, true), Buffer.of(3));
});

Deno.test("Recent.next() gives everybody all that follows, whatever others have read and what came meanwhile", () => {
  const views = [ALL, viewOf("/t"), viewOf("/other"), viewOf("/*")];
  const step = fc.oneof(
    fc.record({ append: fc.nat(20_000), topic: fc.constantFrom("/t", "/other") }),
    fc.record({ view: fc.constantFrom(...views), back: fc.nat(20), signals: fc.boolean() }),
    fc.constant("mark" as const),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const maxBytes = 200_000;
    const recent = new Recent(maxBytes);
    recent.begin(START);
    const items: Framed[] = [];
    let appended = 0;
    for (const step of steps) {
      if (step === "mark") {
        const signal = new Uint8Array([0]);
        recent.mark(signal);
        items.push(signalItem("signal" as Cursor, signal));
      } else if ("append" in step) {
        const frame = new Uint8Array(step.append).fill(++appended);
        const item = { ...framed({ cursor: cursor(appended), id: "", frame }), topics: [step.topic] };
        recent.append(item);
        items.push(item);
      } else {
        const { view, signals } = step;
        const after = step.back >= appended ? START : cursor(appended - step.back);
        const following = items.slice(items.findIndex((item) => item.cursor === after) + 1);
        const bytes = following.reduce((sum, { size }) => sum + size, 0);
        const wanted = bytes > maxBytes
          ? undefined
          : Buffer.from(chunkOf(following, view, { signals }).chunk);
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

Deno.test("Recent.next() brings readers from different places to the same pieces, also when much was evicted", () => {
  for (const count of [2000, 20_000]) {
    const recent = recentOf(2000 * 640, Array(count).fill(140));
    const places = [1990, 1973, 1900].map((back) => cursor(count - back));
    const pieces = places.map((after) => readPieces(recent, { after, view: ALL }) ?? []);
    for (const others of pieces.slice(1)) {
      assert.equal(others.length, pieces[0]?.length);
      assert.ok(others.length > 3);
      for (const [index, piece] of others.slice(1).entries()) assert.equal(piece, pieces[0]?.[index + 1]);
    }
  }
});

Deno.test("Recent.next() gives to others what was read by one who is slow to match", () => {
  const recent = recentOf(1e6, [1, 2, 3]);
  const slow: Matcher = {
    ...parseMatcher("urlpattern", "/*", { base: "http://a.test/", maxLength: 9 }),
    matches: () => {
      clock.advance(6);
      return true;
    },
  };
  const reading = { after: START, view: new View([slow], []) };
  const piece = recent.next(reading);
  assert.equal(piece?.end, "c0");
  assert.equal(recent.next(reading), piece);
});
