import assert from "node:assert/strict";
import { median } from "./statistics.ts";

Deno.test("median() is in the middle, and of two the greater", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([1, 2]), 2);
  assert.equal(median([]), NaN);
});
