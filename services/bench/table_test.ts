import assert from "node:assert/strict";
import { formatTable, verdict } from "./table.ts";

Deno.test("verdict() judges the median", () => {
  const figure = { name: "x", unit: "s" };
  assert.equal(verdict({ ...figure, values: [1, 2, 9], target: { below: 3 } }), "met");
  assert.equal(verdict({ ...figure, values: [1, 4, 2.5], target: { atLeast: 3 } }), "MISSED");
  assert.equal(verdict({ ...figure, values: [NaN], target: { below: 3 } }), "MISSED");
  assert.equal(verdict({ ...figure, values: [1] }), "");
});

Deno.test("formatTable() aligns its columns", () => {
  const table = formatTable([
    { name: "one", unit: "ms", values: [1, 3, 2] },
    { name: "another", unit: "1/s", values: [1e6], target: { atLeast: 10 } },
  ]);
  assert.equal(
    table,
    [
      "what     unit     median        min        max   target",
      "one      ms         2.00       1.00       3.00",
      "another  1/s   1,000,000  1,000,000  1,000,000  >= 10.0  met",
    ].join("\n"),
  );
});
