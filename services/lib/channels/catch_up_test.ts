import assert from "node:assert/strict";
import * as fc from "fast-check";
import { CatchUp } from "./catch_up.ts";
import type { Position, Positioned } from "./position.ts";

const EPOCH = "here";

function at(number: number, epoch = EPOCH): Position {
  return { epoch, number };
}

/** An item that tells its own number. */
function item(number: number, epoch = EPOCH): Positioned<number> {
  return { position: at(number, epoch), item: number };
}

function items(...numbers: number[]): Positioned<number>[] {
  return numbers.map((number) => item(number));
}

/** A reader after `number` that has read an empty page: it is caught up with a log that ends there. */
function caughtUpAt(number: number): CatchUp<number> {
  const catchUp = new CatchUp<number>(at(number));
  catchUp.page([], at(number));
  return catchUp;
}

/** One thing that happens around a reader. Numbers are taken modulo what the log holds at that time. */
type Step =
  | { readonly kind: "append"; readonly count: number }
  /** The live side works: it delivers all that was appended since the last time, in order. */
  | { readonly kind: "relay" }
  /** The live side does what it wants: it drops, repeats, delays, reorders and shows another history. */
  | {
    readonly kind: "deliver";
    readonly picks: readonly { readonly pick: number; readonly foreign: boolean }[];
  }
  | { readonly kind: "probe"; readonly pick: number; readonly foreign: boolean }
  /** A page is read; `meanwhile` items are appended before it is taken. */
  | { readonly kind: "page"; readonly limit: number; readonly meanwhile: number };

const seldom = fc.nat(9).map((number) => number === 0);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("append" as const), count: fc.nat(4) }),
  fc.record({ kind: fc.constant("relay" as const) }),
  fc.record({
    kind: fc.constant("deliver" as const),
    picks: fc.array(fc.record({ pick: fc.nat(), foreign: seldom }), { maxLength: 6 }),
  }),
  fc.record({ kind: fc.constant("probe" as const), pick: fc.nat(), foreign: seldom }),
  fc.record({
    kind: fc.constant("page" as const),
    limit: fc.integer({ min: 1, max: 5 }),
    meanwhile: fc.nat(3),
  }),
);

/** A log, its live side and a reader, with all that the reader let out. */
class Model {
  readonly out: number[] = [];
  readonly catchUp: CatchUp<number>;
  readonly #start: number;
  #length: number;
  #relayed: number;
  /** How often each way out was taken, so that the property can be seen to have tried them. */
  readonly taken = { live: 0, page: 0 };

  constructor(start: number, length: number) {
    this.#start = start;
    this.#length = length;
    this.#relayed = length;
    this.catchUp = new CatchUp(at(start));
  }

  take(step: Step): void {
    switch (step.kind) {
      case "append":
        this.#length += step.count;
        break;
      case "relay":
        this.#live(this.#items(this.#relayed, this.#length));
        this.#relayed = this.#length;
        break;
      case "deliver":
        this.#live(step.picks.flatMap(({ pick, foreign }) => {
          if (foreign) return [item(pick, "elsewhere")];
          return this.#length === 0 ? [] : [item(1 + pick % this.#length)];
        }));
        break;
      case "probe":
        if (step.foreign) this.catchUp.exists(at(step.pick, "elsewhere"));
        else this.catchUp.exists(at(step.pick % (this.#length + 1)));
        break;
      case "page":
        this.#page(step.limit, step.meanwhile);
        break;
    }
    this.#check();
  }

  /** Tells the reader where the log ends, and lets it read until it has caught up. */
  finish(): void {
    this.catchUp.exists(at(this.#length));
    // Each page holds one item at least, and one more page may say that there is nothing more.
    for (let pages = 0; this.catchUp.behind; pages++) {
      assert.ok(pages <= this.#length + 1, "It reads for ever");
      this.take({ kind: "page", limit: 2, meanwhile: 0 });
    }
    assert.equal(this.#start + this.out.length, this.#length, "Not all is out");
  }

  #live(arrived: readonly Positioned<number>[]): void {
    const { behind } = this.catchUp;
    const ready = this.catchUp.live(arrived);
    if (behind) assert.deepEqual(ready, [], "Something overtook the history");
    this.out.push(...ready);
    this.taken.live += ready.length;
  }

  #page(limit: number, meanwhile: number): void {
    const { number } = this.catchUp.position;
    const end = this.#length;
    this.#length += meanwhile;
    const page = this.#items(number, Math.min(number + limit, end));
    const ready = this.catchUp.page(page, at(end));
    this.out.push(...ready);
    this.taken.page += ready.length;
  }

  /** What is out is the log behind the start, contiguous, in order and once, and the position is its end. */
  #check(): void {
    const { position } = this.catchUp;
    assert.deepEqual(this.out, this.#items(this.#start, position.number).map(({ item }) => item));
    assert.equal(position.epoch, EPOCH);
  }

  /** The items after the first number, up to and with the second. */
  #items(after: number, last: number): Positioned<number>[] {
    return Array.from({ length: last - after }, (_, index) => item(after + 1 + index));
  }
}

Deno.test("CatchUp lets out the log after its start, in order, whole and once, whatever the live side does", () => {
  const taken = { live: 0, page: 0 };
  fc.assert(
    fc.property(fc.nat(5), fc.nat(5), fc.array(step, { maxLength: 40 }), (start, kept, steps) => {
      const model = new Model(start, start + kept);
      for (const each of steps) model.take(each);
      model.finish();
      taken.live += model.taken.live;
      taken.page += model.taken.page;
    }),
    { numRuns: 2_000 },
  );
  // Else the property says nothing about one of the two ways.
  assert.ok(taken.live > 100 && taken.page > 100, JSON.stringify(taken));
});

Deno.test("CatchUp is behind at its start, and lets nothing live out before it has read history", () => {
  const catchUp = new CatchUp<number>(at(3));
  assert.equal(catchUp.behind, true);
  assert.deepEqual(catchUp.live(items(4, 5)), []);
  assert.deepEqual(catchUp.position, at(3));
  assert.deepEqual(catchUp.page(items(4, 5), at(5)), [4, 5]);
  assert.deepEqual([catchUp.behind, catchUp.position], [false, at(5)]);
});

Deno.test("CatchUp is not behind after an empty page that ends at its position", () => {
  assert.equal(caughtUpAt(0).behind, false);
});

Deno.test("live() lets out the next items", () => {
  const catchUp = caughtUpAt(3);
  assert.deepEqual(catchUp.live(items(4, 5, 6)), [4, 5, 6]);
  assert.deepEqual([catchUp.behind, catchUp.position], [false, at(6)]);
});

Deno.test("live() drops what was let out before, and is not behind for it", () => {
  const catchUp = caughtUpAt(3);
  assert.deepEqual(catchUp.live(items(2, 3, 4, 4, 3, 5)), [4, 5]);
  assert.equal(catchUp.behind, false);
});

Deno.test("live() stops at a hole and is behind until history has filled it", () => {
  const catchUp = caughtUpAt(3);
  assert.deepEqual(catchUp.live(items(4, 6, 7)), [4]);
  assert.equal(catchUp.behind, true);
  assert.deepEqual(catchUp.live(items(5)), [], "History has it, and it may not come twice");
  assert.deepEqual(catchUp.page(items(5, 6), at(7)), [5, 6]);
  assert.equal(catchUp.behind, true);
  assert.deepEqual(catchUp.page(items(7), at(7)), [7]);
  assert.deepEqual([catchUp.behind, catchUp.live(items(8))], [false, [8]]);
});

Deno.test("live() stops at an item of another epoch until history says that nothing changed", () => {
  const catchUp = caughtUpAt(3);
  assert.deepEqual(catchUp.live([item(4), item(5, "elsewhere"), item(5)]), [4]);
  assert.equal(catchUp.behind, true);
  assert.deepEqual(catchUp.page(items(5), at(5)), [5]);
  assert.equal(catchUp.behind, false);
});

Deno.test("live() does not take the number of another epoch for its own", () => {
  const catchUp = caughtUpAt(3);
  assert.deepEqual(catchUp.live([item(4, "elsewhere")]), []);
  assert.deepEqual(catchUp.page([], at(3)), []);
  assert.equal(catchUp.behind, false);
});

Deno.test("exists() makes it behind where something newer is, and only there", () => {
  const catchUp = caughtUpAt(3);
  for (const number of [0, 3]) {
    catchUp.exists(at(number));
    assert.equal(catchUp.behind, false);
  }
  catchUp.exists(at(4));
  assert.equal(catchUp.behind, true);
  catchUp.exists(at(2));
  assert.equal(catchUp.behind, true);
});

Deno.test("exists() makes it behind for another epoch, whatever the number", () => {
  const catchUp = caughtUpAt(3);
  catchUp.exists(at(0, "elsewhere"));
  assert.equal(catchUp.behind, true);
});

Deno.test("page() leaves it behind when the log went on, or was another one, at its end", () => {
  for (const end of [at(5), at(1, "elsewhere")]) {
    const catchUp = new CatchUp<number>(at(3));
    assert.deepEqual(catchUp.page(items(4), end), [4]);
    assert.equal(catchUp.behind, true);
  }
});

Deno.test("page() refuses items that do not follow the position", () => {
  for (
    const [page, message] of [
      [items(5), "Cannot go on after here-3 with here-5"],
      [items(3), "Cannot go on after here-3 with here-3"],
      [items(4, 6), "Cannot go on after here-4 with here-6"],
      [items(4, 4), "Cannot go on after here-4 with here-4"],
      [[item(4, "elsewhere")], "Cannot go on after here-3 with elsewhere-4"],
    ] as const
  ) {
    assert.throws(() => new CatchUp<number>(at(3)).page(page, at(9)), new RangeError(message));
  }
});
