import assert from "node:assert/strict";
import * as fc from "fast-check";
import { SeenIds } from "../../static/logger/seen_ids.js";

/** How many ids are remembered. */
const IDS_MAX = 20_000;

Deno.test("SeenIds tells each id as new exactly once, while it remembers all", () => {
  fc.assert(fc.property(fc.array(fc.string({ maxLength: 2 })), (ids) => {
    const seenIds = new SeenIds();
    assert.deepEqual(ids.map((id) => seenIds.add(id)), ids.map((id, i) => ids.indexOf(id) === i));
  }));
});

Deno.test("SeenIds remembers as many ids as a server replays at once, and forgets the oldest first", () => {
  const seenIds = new SeenIds();
  for (let i = 0; i < IDS_MAX; i++) seenIds.add(`${i}`);
  assert.equal(seenIds.add("0"), false);
  seenIds.add("one more");
  assert.equal(seenIds.add("1"), false);
  assert.equal(seenIds.add("0"), true);
});
