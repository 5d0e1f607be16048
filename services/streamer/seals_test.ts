import assert from "node:assert/strict";
import * as fc from "fast-check";
import { MemoryChannel } from "../lib/channels/memory.ts";
import { Seals } from "./seals.ts";

Deno.test("Seal opens what any streamer of the channel has closed, for the same use, and nothing else", async () => {
  await using channel = new MemoryChannel();
  await using another = new MemoryChannel();
  const [ours, theirs] = await Promise.all([new Seals(channel).current(), new Seals(channel).current()]);
  const foreign = await new Seals(another).current();
  await fc.assert(
    fc.asyncProperty(fc.json(), fc.nat(), fc.integer({ min: 1, max: 255 }), async (text, at, change) => {
      const sealed = await ours.close(text, "before");
      assert.equal(await theirs.open(sealed, "before"), text);
      assert.equal(await theirs.open(sealed, "after"), undefined);
      assert.equal(await foreign.open(sealed, "before"), undefined);
      const bytes = Uint8Array.fromBase64(sealed, { alphabet: "base64url" });
      bytes[at % bytes.length]! ^= change;
      assert.equal(await ours.open(bytes.toBase64({ alphabet: "base64url" }), "before"), undefined);
      assert.equal(await ours.open(sealed.slice(0, at % sealed.length), "before"), undefined);
      assert.notEqual(await ours.close(text, "before"), sealed);
    }),
  );
});

Deno.test("Seal tells nothing by its length", async () => {
  await using channel = new MemoryChannel();
  const seal = await new Seals(channel).current();
  const lengths = await Promise.all(
    [1, 20, 100, 128].map(async (length) => (await seal.close("x".repeat(length), "before")).length),
  );
  assert.equal(new Set(lengths).size, 1);
});

Deno.test("Seal opens no text that is none", async () => {
  await using channel = new MemoryChannel();
  const seal = await new Seals(channel).current();
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary" }), async (text) => {
      assert.equal(await seal.open(text, "before"), undefined);
    }),
  );
});
