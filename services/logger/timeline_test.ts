import assert from "node:assert/strict";
import * as fc from "fast-check";
import { type Entry, noteEntry, toEntry } from "../../static/logger/entry.js";
import { OTHER, Timeline } from "../../static/logger/timeline.js";
import { describe } from "../../static/logger/timeline_view.js";

const NOW = Date.UTC(2026, 0, 2, 12, 0, 2, 500);
const BUCKET_MS = 5_000;

const entryOf = (kind: string, ago: number, late = 0): Entry =>
  toEntry({ id: "", type: "track", data: JSON.stringify({ kind, site: "s", time: NOW - ago }) }, {
    arrived: Math.min(NOW, NOW - ago + late),
    isLive: true,
  });

const happened = fc.tuple(
  fc.constantFrom("click", "form", "error", "pageview", "a", "b", "c", "__proto__", "constructor"),
  fc.oneof(fc.nat({ max: 20_000 }), fc.integer({ min: 285_000, max: 310_000 }), fc.nat({ max: 600_000 })),
);

Deno.test("Timeline counts each kind in each step of the last five minutes, as a plain count does", () => {
  fc.assert(fc.property(fc.array(happened, { maxLength: 80 }), (all) => {
    const timeline = new Timeline();
    for (const [kind, ago] of all.toSorted(([, a], [, b]) => b - a)) timeline.add(entryOf(kind, ago));
    timeline.add(noteEntry("mark", "no update", NOW));
    const { start, bucketMs, kinds, buckets, max } = timeline.snapshot(NOW);
    assert.deepEqual([bucketMs, buckets.length], [BUCKET_MS, 60]);
    // The last step is the one that is now.
    assert.ok(start + 59 * bucketMs <= NOW && NOW < start + 60 * bucketMs);

    const inView = all.map(([kind, ago]) => ({ kind, at: NOW - ago })).filter(({ at }) => at >= start);
    const totals = Map.groupBy(inView, ({ kind }) => kind);
    const ranked = [...totals].sort(([a, m], [b, n]) => n.length - m.length || (a < b ? -1 : 1));
    assert.deepEqual(kinds.filter((kind) => kind !== OTHER), ranked.slice(0, 5).map(([kind]) => kind));
    assert.equal(kinds.includes(OTHER), ranked.length > 5);
    const expected = buckets.map((_, i) => {
      const within = inView.filter(({ at }) => Math.floor((at - start) / bucketMs) === i);
      return kinds.map((kind) =>
        within.filter((each) => kind === OTHER ? !kinds.includes(each.kind) : each.kind === kind).length
      );
    });
    assert.deepEqual(buckets, expected);
    assert.equal(max, Math.max(...expected.map((counts) => counts.reduce((sum, count) => sum + count, 0))));
  }));
});

Deno.test("Timeline puts what a fast clock calls the future into the present", () => {
  const timeline = new Timeline();
  timeline.add(entryOf("click", -60_000));
  assert.equal(timeline.snapshot(NOW).buckets.at(-1)?.[0], 1);
});

Deno.test("Timeline goes on in bounded memory through days of made-up kinds", () => {
  const timeline = new Timeline();
  for (let day = 0; day < 3; day++) {
    for (let i = 0; i < 2_000; i++) timeline.add(entryOf(`k${i}`, (3 - day) * 86_400_000 - i));
  }
  for (let i = 0; i < 2_000; i++) timeline.add(entryOf(`k${i}`, 0));
  const { kinds, buckets } = timeline.snapshot(NOW);
  assert.deepEqual([kinds.length, kinds.at(-1)], [6, OTHER]);
  assert.equal(buckets.at(-1)?.reduce((sum, count) => sum + count), 2_000);
});

Deno.test("describe() tells the picture in words", () => {
  const timeline = new Timeline();
  assert.equal(describe(timeline.snapshot(NOW)), "Nothing in the last 5 minutes");
  for (let i = 0; i < 1_200; i++) timeline.add(entryOf(i % 4 === 0 ? "form" : "click", 7_000));
  for (let i = 0; i < 300; i++) timeline.add(entryOf("error", 0));
  const snapshot = timeline.snapshot(NOW);
  const clock = (time: number) => new Date(time).toTimeString().slice(0, 8);
  const peak = clock(snapshot.start + 58 * BUCKET_MS);
  assert.equal(
    describe(snapshot),
    `1,500 in 5 minutes: click 60 %, error 20 %, form 20 %. Most at ${peak}: 1200 in 5 s`,
  );
  const from = NOW - 60_000;
  assert.match(describe({ ...snapshot, from }), new RegExp(`^1,500 since ${clock(from)}: `));
  assert.equal(describe(new Timeline(from).snapshot(NOW)), `Nothing since ${clock(from)}`);
});
