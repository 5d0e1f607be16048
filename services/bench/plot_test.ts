import assert from "node:assert/strict";
import { drawPlots } from "./plot.ts";
import { spread } from "./plot_lines.ts";

Deno.test("drawPlots() draws a line for each server, and leaves out what was not measured", () => {
  const point = { eventsPerCpuSecond: 1e5, p50: 1, p99: 2 };
  const plots = drawPlots([
    { ...point, server: "ours", rate: 10 },
    { ...point, server: "ours", rate: 1000, eventsPerCpuSecond: 1e6 },
    { ...point, server: "<peer>", rate: 10, p50: NaN },
  ]);
  assert.equal(plots["fan-out.svg"].match(/<path /g)?.length, 2);
  assert.equal(plots["latency.svg"].match(/<path /g)?.length, 3);
  for (const svg of Object.values(plots)) {
    assert.doesNotMatch(svg, /NaN|undefined|<peer>/);
    assert.match(svg, /prefers-color-scheme: dark/);
  }
});

Deno.test("spread() moves labels apart in their order, and none beyond the end", () => {
  assert.deepEqual(spread([10, 100, 12], 16, 200), [10, 100, 26]);
  assert.deepEqual(spread([195, 190], 16, 200), [200, 184]);
});
