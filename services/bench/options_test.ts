import assert from "node:assert/strict";
import { readOptions, UsageError } from "./options.ts";

Deno.test("readOptions() measures everything five times unless told otherwise", () => {
  const options = readOptions([]);
  assert.equal(options?.only.length, 12);
  assert.equal(options.runs, 5);
});

Deno.test("readOptions() takes scenarios in their own order, and a quick look with other runs", () => {
  const options = readOptions(["--only=d,a", "--quick", "--runs=3"]);
  assert.deepEqual(options?.only, ["a", "d"]);
  assert.deepEqual([options.runs, options.seconds], [3, 2]);
});

Deno.test("readOptions() leaves help to whoever asked", () => {
  assert.equal(readOptions(["--help"]), undefined);
});

Deno.test("readOptions() refuses what it does not understand, and names it", () => {
  for (
    const [args, message] of [
      [["--only=a,x"], /"x"/],
      [["--only="], /""/],
      [["--runs=0"], /--runs is "0"/],
      [["--seconds=1.5"], /--seconds is "1.5"/],
      [["--rnus=3"], /--rnus/],
      [["a"], /'a'/],
      [["--only=b", "--svg=."], /--svg/],
    ] as const
  ) {
    assert.throws(
      () => readOptions(args),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  }
});
