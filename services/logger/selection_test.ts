/** What is shown, with a filter and without: the places of the right entries, whatever comes and goes meanwhile. */
import assert from "node:assert/strict";
import { mock } from "node:test";
import * as fc from "fast-check";
import { type Entry, noteEntry, toEntry } from "../../static/logger/entry.js";
import { Matches } from "../../static/logger/matches.js";
import { Ring } from "../../static/logger/ring.js";
import { Selection } from "../../static/logger/selection.js";
import { tracked } from "./logger_harness.ts";

const CAPACITY = 1_000;
let number = 0;

/** Every seventh is a note between the updates. */
function newEntries(count: number): Entry[] {
  return Array.from({ length: count }, () => {
    const time = number++;
    return time % 7 === 0
      ? noteEntry("mark", "", time)
      : toEntry(tracked(time, { kind: time % 3 === 0 ? "error" : "click", time }), {
        arrived: time,
        isLive: true,
      });
  });
}

interface Filter {
  readonly kind: string;
  readonly from?: number;
  readonly to?: number;
}

const lets = ({ kind, from = -Infinity, to = Infinity }: Filter, entry: Entry) =>
  entry.time >= from && entry.time < to && (entry.row !== "update" || entry.kind === kind);

/** A machine on which each look at the clock costs so many ms, and timers run when the test says so. */
class SlowMachine implements Disposable {
  readonly #now: { mock: { restore(): void } };
  #ms = 0;

  constructor(msPerLook: number) {
    mock.timers.enable({ apis: ["setTimeout"] });
    this.#now = mock.method(performance, "now", () => this.#ms += msPerLook);
  }

  runTimers(): void {
    mock.timers.tick(1);
  }

  [Symbol.dispose](): void {
    this.#now.mock.restore();
    mock.timers.reset();
  }
}

type Step =
  | { readonly push: number }
  | { readonly unshift: number }
  | { readonly filter: Filter | undefined }
  | { readonly runTimers: true };

const count = fc.nat({ max: 700 });
const filter: fc.Arbitrary<Filter> = fc.record({
  kind: fc.constantFrom("error", "click", "none"),
  from: fc.nat({ max: 5_000 }),
  to: fc.nat({ max: 5_000 }),
}, { requiredKeys: ["kind"] });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    count.map((push) => ({ push })),
    count.map((unshift) => ({ unshift })),
    fc.option(filter, { nil: undefined }).map((filter) => ({ filter })),
    fc.constant({ runTimers: true as const }),
  ),
  { maxLength: 12 },
);

Deno.test("Selection shows what the filter lets through once it has looked at all, in slices, while much comes and goes", () => {
  fc.assert(
    fc.property(fc.constantFrom(0, 3, 9), steps, (msPerLook, steps) => {
      using machine = new SlowMachine(msPerLook);
      number = 0;
      const ring = new Ring(CAPACITY);
      const selection = new Selection(ring);
      let changes = 0;
      selection.onChange = () => changes++;
      let filter: Filter | undefined;
      for (const step of steps) {
        if ("push" in step) { for (const entry of newEntries(step.push)) ring.push(entry); }
        else if ("unshift" in step) ring.unshift(newEntries(step.unshift));
        else if ("runTimers" in step) machine.runTimers();
        else {
          filter = step.filter;
          selection.show(
            filter && new Matches(ring, { ...filter, matches: ({ kind }) => kind === step.filter?.kind }),
          );
        }
        selection.update();
        const shown = shownBy(selection);
        const wanted = [...ring].filter((entry) => filter === undefined || lets(filter, entry));
        // While it is at work it shows the newest of them, and never one that does not match.
        assert.deepEqual(shown, wanted.slice(wanted.length - shown.length).map(({ seq }) => seq));
        if (!selection.isScanning) assert.equal(shown.length, wanted.length);
        assertPlaces(selection, ring, shown);
      }
      const before = changes;
      const slices = selection.isScanning;
      for (let i = 0; i < 10 && selection.isScanning; i++) machine.runTimers();
      assert.ok(!selection.isScanning, "it comes to an end");
      assert.equal(changes > before, slices, "and says so");
      const wanted = [...ring].filter((entry) => filter === undefined || lets(filter, entry));
      assert.deepEqual(shownBy(selection), wanted.map(({ seq }) => seq));
    }),
    { numRuns: 150 },
  );
});

function shownBy(selection: Selection): number[] {
  return Array.from({ length: selection.size }, (_, i) => selection.seqAt(i)!);
}

function assertPlaces(selection: Selection, ring: Ring, shown: readonly number[]): void {
  assert.equal(selection.seqAt(-1), undefined);
  assert.equal(selection.seqAt(shown.length), undefined);
  const places = new Map(shown.map((seq, index) => [seq, index]));
  for (let seq = ring.first - 1; seq <= ring.end; seq += 17) {
    assert.equal(selection.indexOf(seq), places.get(seq) ?? -1);
    const next = shown.findIndex((each) => each >= seq);
    const nearest = next === -1 ? Math.max(0, shown.length - 1) : next;
    assert.equal(selection.indexOf(seq, { nearest: true }), nearest);
  }
}

Deno.test("Selection gives up the work on a filter that another one has replaced", () => {
  using machine = new SlowMachine(9);
  const ring = new Ring(CAPACITY);
  for (const entry of newEntries(CAPACITY)) ring.push(entry);
  const selection = new Selection(ring);
  let tried = 0;
  selection.show(new Matches(ring, { matches: () => ++tried > 0 }));
  assert.ok(selection.isScanning);
  const before = tried;
  selection.show(undefined);
  for (let i = 0; i < 10; i++) machine.runTimers();
  assert.equal(tried, before);
  assert.equal(selection.size, CAPACITY);
});
