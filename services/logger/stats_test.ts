import assert from "node:assert/strict";
import * as fc from "fast-check";
import { type Entry, noteEntry, toEntry } from "../../static/logger/entry.js";
import { Stats } from "../../static/logger/stats.js";
import { OTHER } from "../../static/logger/timeline.js";

const NOW = Date.UTC(2026, 0, 2, 12);
const MINUTE = 60_000;

interface Happened {
  readonly kind: string;
  readonly sid?: string;
  /** Ms before now. */
  readonly ago: number;
  readonly latency?: number;
  readonly dropped?: number;
  readonly isLive: boolean;
  /** Ms from the event until it was here. */
  readonly late: number;
}

function entryOf(
  { kind, sid = "", ago, latency = 0, dropped = 0, isLive, late }: Happened,
): Entry {
  const time = NOW - ago;
  const clocks = { client: time, sent: time, received: time + latency };
  const data = JSON.stringify({ kind, site: "shop", sid, time, clocks, dropped });
  return toEntry({ id: "", type: "track", data }, { arrived: Math.min(NOW, time + late), isLive });
}

const happened = fc.record({
  kind: fc.constantFrom("click", "error", "pageview", "__proto__"),
  sid: fc.constantFrom("s1", "s2", "s3", "s4", ""),
  ago: fc.oneof(fc.nat({ max: 15_000 }), fc.nat({ max: 10 * MINUTE })),
  latency: fc.nat({ max: 2_000 }),
  dropped: fc.nat({ max: 3 }),
  isLive: fc.boolean(),
  late: fc.nat({ max: 5_000 }),
});

/** The smallest value that at least this part of them does not exceed. */
function percentile(values: readonly number[], part: number): number | undefined {
  return values.filter((value) => values.filter((other) => other <= value).length >= part * values.length)
    .toSorted((a, b) => a - b)[0];
}

function counted(names: readonly string[]): [string, number][] {
  return [...new Set(names)].sort().map((name) => [name, names.filter((each) => each === name).length]);
}

Deno.test("Stats counts what happened, as a plain count of it all does", () => {
  fc.assert(fc.property(fc.array(happened, { maxLength: 60 }), (all) => {
    const stats = new Stats();
    const entries = all.map(entryOf);
    for (const entry of entries) {
      stats.add(entry);
      stats.add(noteEntry("gap", "no update", NOW));
    }
    const { kinds, ...figures } = stats.snapshot(NOW);
    const latencies = all.map(({ latency }) => latency);
    const lastSecond = Math.floor(NOW / 1000);
    const recent = entries.filter(({ isLive, arrived }) => {
      const second = Math.floor(arrived / 1000);
      return isLive && second < lastSecond && second >= lastSecond - 10;
    });
    assert.deepEqual(figures, {
      total: all.length,
      errors: all.filter(({ kind }) => kind === "error").length,
      dropped: all.reduce((sum, { dropped }) => sum + dropped, 0),
      clicks: all.filter(({ kind }) => kind === "click").length,
      logins: 0,
      alerts: 0,
      sessions: new Set(
        all.filter(({ sid, ago }) => sid !== "" && ago < 5 * MINUTE).map(({ sid }) => sid),
      ).size,
      p50: percentile(latencies, 0.5),
      p95: percentile(latencies, 0.95),
      rate: recent.length / 10,
    });
    assert.deepEqual([...kinds].sort(), counted(all.map(({ kind }) => kind)));
  }));
});

Deno.test("Stats forgets a session five minutes after its last event, in whatever order the browsers send", () => {
  const stats = new Stats();
  const session = (sid: string, ago: number) =>
    stats.add(entryOf({ kind: "click", sid, ago, isLive: true, late: 0 }));
  session("active", 0);
  // What a browser had kept for a day comes after it.
  session("yesterday", 24 * 60 * MINUTE);
  session("late", 4 * MINUTE);
  assert.equal(stats.snapshot(NOW).sessions, 2);
  assert.equal(stats.snapshot(NOW + 2 * MINUTE).sessions, 1);
  assert.equal(stats.snapshot(NOW + 5 * MINUTE).sessions, 0);
});

Deno.test("Stats forgets a session whose browser lives in the future five minutes after it was heard of", () => {
  const stats = new Stats();
  for (const [sid, time] of [["tomorrow", NOW + 24 * 60 * MINUTE], ["never", 8e15]] as const) {
    const data = JSON.stringify({ kind: "click", site: "shop", sid, time });
    stats.add(toEntry({ id: "", type: "track", data }, { arrived: NOW, isLive: true }));
  }
  assert.equal(stats.snapshot(NOW + 5 * MINUTE - 1).sessions, 2);
  assert.equal(stats.snapshot(NOW + 5 * MINUTE).sessions, 0);
});

Deno.test("Stats takes the latency of the newest thousand", () => {
  const stats = new Stats();
  const add = (count: number, latency: number) => {
    for (let i = 0; i < count; i++) {
      stats.add(entryOf({ kind: "click", ago: 0, latency, isLive: true, late: 0 }));
    }
  };
  add(5_000, 9_000);
  add(950, 10);
  add(49, 700);
  add(1, 9_000);
  const { p50, p95 } = stats.snapshot(NOW);
  assert.deepEqual([p50, p95], [10, 10]);
  add(1, 700);
  assert.equal(stats.snapshot(NOW).p95, 700, "the oldest of them has made room");
  add(950, 700);
  assert.deepEqual([stats.snapshot(NOW).p50, stats.snapshot(NOW).p95], [700, 700]);
  // What does not tell its clocks has none.
  stats.add(toEntry({ id: "", type: "login", data: "{}" }, { arrived: NOW, isLive: true }));
  assert.equal(stats.snapshot(NOW).p50, 700);
});

Deno.test("Stats counts what one scrolls back to, but not as if it had just happened", () => {
  const stats = new Stats();
  stats.add(entryOf({ kind: "click", ago: 0, latency: 10, isLive: true, late: 0 }));
  stats.add(entryOf({ kind: "form", ago: 60 * MINUTE, latency: 900, isLive: false, late: 0 }), true);
  stats.add(noteEntry("notice", "no update", NOW), true);
  const { total, p95, rate, kinds } = stats.snapshot(NOW + 1_000);
  assert.deepEqual({ total, p95, rate }, { total: 2, p95: 10, rate: 0.1 });
  assert.deepEqual([...kinds.keys()], ["click", "form"]);
});

Deno.test("Stats counts on in bounded memory, whatever names strangers make up", () => {
  const stats = new Stats();
  for (let i = 0; i < 60_000; i++) {
    stats.add(entryOf({ kind: `k${i}`, sid: `v${i}`, ago: 0, isLive: true, late: 0 }));
  }
  const { total, kinds, sessions } = stats.snapshot(NOW);
  assert.equal(total, 60_000);
  assert.equal(kinds.size, 1_001);
  assert.equal([...kinds.values()].reduce((sum, count) => sum + count), 60_000);
  assert.equal(kinds.get(OTHER), 59_000);
  assert.equal(sessions, 50_000);
});
