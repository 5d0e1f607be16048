import assert from "node:assert/strict";
import { doubtsAbout, type Evidence } from "./doubts.ts";

const EVIDENCE: Evidence = {
  rate: 100,
  updatesPerSecond: 99,
  topics: 1,
  loadCpu: 0.5,
  publisherCpu: 0.5,
  ready: {
    kind: "ready",
    ready: 10,
    failed: 0,
    seconds: 1,
    head: { p50: 1, p99: 1, max: 1 },
    realtime: true,
  },
  last: {
    kind: "mark",
    at: 0,
    events: 5000,
    wireBytes: 70_000,
    sampleMin: 500,
    sampleMax: 500,
    sampleChunks: 500,
    sampleEvents: 500,
    bodyMin: 7000,
    bodyMax: 7000,
    closed: 0,
    stalledClosed: 0,
    latency: { p50: 1, p99: 1, max: 1 },
  },
  isDrained: true,
  published: { at: 0, sent: 500, acknowledged: 500, failed: 0, error: null, firstId: null },
};
const { ready, last, published } = EVIDENCE;

Deno.test("doubtsAbout() a run in which everybody got everything has none", () => {
  assert.deepEqual(doubtsAbout(EVIDENCE), []);
});

const CASES: Readonly<Record<string, readonly [Partial<Evidence>, RegExp]>> = {
  "a load that is the limit": [{ loadCpu: 0.95 }, /^client-bound.*95 %/],
  "a publisher that is the limit": [{ publisherCpu: 0.95 }, /^publisher-bound.*95 %/],
  "a rate that was not reached": [{ updatesPerSecond: 90 }, /^only 90 updates/],
  "a load that others hold up": [{ ready: { ...ready, realtime: false } }, /no real-time priority/],
  "streams that were not opened": [{ ready: { ...ready, failed: 2 } }, /^2 streams could not/],
  "streams that were closed": [{ last: { ...last, closed: 3 } }, /^3 streams were closed/],
  "publishes that failed": [
    { published: { ...published, failed: 1, error: "why" } },
    /^1 publishes failed: why/,
  ],
  "a reader that missed some": [{ last: { ...last, sampleMin: 499 } }, /readers have 499 to 500/],
  "a reader that got some twice": [{ last: { ...last, sampleMax: 501 } }, /readers have 500 to 501/],
  "readers with different bytes": [{ last: { ...last, bodyMin: 6000 } }, /they have 6000 to 7000 bytes/],
  "losses among many topics": [{ topics: 10, last: { ...last, events: 499 } }, /^500 updates.*499 events/],
  // What is missing then is still on its way.
  "an overload": [{ isDrained: false, last: { ...last, sampleMin: 1 } }, /^overloaded/],
};

for (const [what, [change, message]] of Object.entries(CASES)) {
  Deno.test(`doubtsAbout() names ${what}, and nothing else`, () => {
    const [doubt = "", ...others] = doubtsAbout({ ...EVIDENCE, ...change });
    assert.match(doubt, message);
    assert.deepEqual(others, []);
  });
}
