import assert from "node:assert/strict";
import * as fc from "fast-check";
import { BoundedCache } from "./bounded_cache.ts";

const cacheOf = (maxBytes: number) => new BoundedCache<string>({ maxBytes, sizeOf: (value) => value.length });

Deno.test("BoundedCache.get() gives what was set, or nothing", () => {
  const step = fc.record({ key: fc.constantFrom("a", "b", "c", "d"), value: fc.option(fc.string()) });
  fc.assert(fc.property(fc.integer({ min: 200, max: 2000 }), fc.array(step), (maxBytes, steps) => {
    const cache = cacheOf(maxBytes);
    const latest = new Map<string, string>();
    for (const { key, value } of steps) {
      const found = cache.get(key);
      assert.ok(found === undefined || found === latest.get(key));
      if (value === null) continue;
      cache.set(key, value);
      latest.set(key, value);
    }
  }));
});

Deno.test("BoundedCache keeps what is asked for through a flood of keys that come once, and little of those", () => {
  const cache = cacheOf(10_000);
  cache.set("often", "x");
  for (let number = 0; number < 10_000; number++) {
    cache.set(`once ${number}`, "x".repeat(10));
    assert.equal(cache.get("often"), "x");
    assert.ok(cache.size < 100);
  }
  assert.equal(cache.get("once 0"), undefined);
});

Deno.test("BoundedCache counts large keys and values, and values that grow", () => {
  const cache = cacheOf(100_000);
  for (let number = 0; number < 100; number++) cache.set(`${number}${"k".repeat(5000)}`, "x");
  assert.ok(cache.size < 12);
  for (let number = 0; number < 100; number++) cache.set(`${number}`, "v".repeat(10_000));
  assert.ok(cache.size < 12);
  for (let number = 0; number < 100; number++) {
    cache.set(`grows ${number}`, "");
    cache.grow(10_000);
  }
  assert.ok(cache.size < 12);
});
