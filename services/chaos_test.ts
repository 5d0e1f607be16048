/** Ten seconds of chaos, and whether it would notice what it looks for. */
import assert from "node:assert/strict";
import { differences, repeated } from "./chaos/compare.ts";
import { Random } from "./chaos/random.ts";
import { runChaos } from "./chaos/run.ts";

const compare = (history: number[], seen: number[]) =>
  differences({ history, seen, nameOf: (id) => `u${id}`, cameBy: (index) => `as ${index}` });

Deno.test("what is missing, doubled, out of order or from elsewhere is named", () => {
  assert.deepEqual(compare([5, 6, 7], [5, 6, 7]), []);
  assert.deepEqual(compare([], []), []);
  assert.deepEqual(compare([5, 6, 7], [5, 7]), ["1 missing: u6, place 1 (what follows came as 1)"]);
  assert.deepEqual(compare([5, 6], [5]), ["1 missing: u6, place 1"]);
  assert.deepEqual(compare([5, 6], [5, 5, 6]), ["1 doubled: u5, place 0 (as 0; again as 1)"]);
  assert.deepEqual(compare([5, 6, 7], [6, 5, 7]), ["1 out of order: u5, place 0 after place 1 (as 1)"]);
  assert.deepEqual(compare([5], [5, 9]), ["1 not in the history: u9 (as 1)"]);
  assert.deepEqual(repeated([5, 6, 5, 7, 7]), [5, 7]);
});

Deno.test("a seed repeats its random numbers, whoever else takes some", () => {
  const numbers = (random: Random) => Array.from({ length: 5 }, () => random.next());
  const one = new Random(1);
  const fork = one.fork("a");
  numbers(one);
  assert.deepEqual(numbers(new Random(1).fork("a")), numbers(fork));
  assert.notDeepEqual(numbers(new Random(1).fork("b")), numbers(new Random(1).fork("a")));
  assert.notDeepEqual(numbers(new Random(1)), numbers(new Random(2)));
});

// A seed that is always the same tells whoever broke it; another one each time finds what nobody thought of.
for (const seed of [1, Math.floor(Math.random() * 2 ** 32)]) {
  Deno.test(`after 10 s of chaos nothing acknowledged is missing, doubled or out of order (seed ${seed})`, async () => {
    const { problems, summary, timeline } = await runChaos({
      seed,
      seconds: 10,
      rate: 300,
      subscribers: 12,
      signal: new AbortController().signal,
    });
    assert.deepEqual(problems, [], [summary, ...timeline, ...problems].join("\n"));
  });
}
