import assert from "node:assert/strict";
import * as fc from "fast-check";
import { type Entry, noteEntry } from "../../static/logger/entry.js";
import { Ring } from "../../static/logger/ring.js";

let made = 0;
const newEntries = (count: number): Entry[] =>
  Array.from({ length: count }, () => ({ ...noteEntry("mark", "", 0), id: `urn:t:${made++}` }));

Deno.test("Ring keeps the newest entries in their order, and each of them its place", () => {
  const steps = fc.array(fc.tuple(fc.constantFrom("push", "unshift"), fc.nat({ max: 12 })));
  fc.assert(fc.property(fc.integer({ min: 1, max: 10 }), steps, (capacity, steps) => {
    const ring = new Ring(capacity);
    /** What it should hold, and where the first of it is. */
    let kept: Entry[] = [];
    let first = 0;
    for (const [step, count] of steps) {
      const entries = newEntries(count);
      if (step === "push") {
        for (const entry of entries) ring.push(entry);
        kept.push(...entries);
        const forgotten = Math.max(0, kept.length - capacity);
        kept = kept.slice(forgotten);
        first += forgotten;
      } else {
        const room = Math.min(count, capacity - kept.length);
        assert.equal(ring.unshift(entries), room);
        kept.unshift(...entries.slice(count - room));
        first -= room;
      }
      assert.deepEqual([...ring].map(({ id }) => id), kept.map(({ id }) => id));
      assert.deepEqual([...ring].map(({ seq }) => seq), kept.map((_, i) => first + i));
      assert.deepEqual([ring.first, ring.end, ring.size], [first, first + kept.length, kept.length]);
      assert.equal(ring.isFull, kept.length === capacity);
      for (const entry of kept) assert.equal(ring.at(entry.seq), entry);
      for (const seq of [first - 1, first + kept.length, NaN]) assert.equal(ring.at(seq), undefined);
      for (const entry of kept) assert.equal(ring.find(entry.id), entry);
      assert.equal(ring.find("urn:t:none"), undefined);
    }
  }));
});
