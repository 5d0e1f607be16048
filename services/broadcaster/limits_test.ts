import assert from "node:assert/strict";
import * as fc from "fast-check";
import { ProblemError } from "../lib/http.ts";
import { createLog } from "../lib/log.ts";
import { stopClocks } from "./broadcaster_harness.ts";
import { clientKey, Limit } from "./limits.ts";

const log = createLog({ service: "test", level: "error" });

/** Seconds to wait when it is refused, else 0. */
async function refusal(limit: Limit, key: string, count = 1): Promise<number> {
  try {
    await limit.take(key, count);
    return 0;
  } catch (error) {
    assert.ok(error instanceof ProblemError);
    assert.equal(error.status, 429);
    return Number(error.headers["Retry-After"]);
  }
}

Deno.test("a key that has used up its minute is told when to come back, and then may", async () => {
  using clock = stopClocks();
  const limit = new Limit(3, "things", log);
  assert.deepEqual([await refusal(limit, "a"), await refusal(limit, "a", 2)], [0, 0]);
  clock.now += 20_500;
  assert.equal(await refusal(limit, "a"), 40);
  assert.equal(await refusal(limit, "b"), 0);
  clock.now += 39_499;
  assert.equal(await refusal(limit, "a"), 1);
  clock.now += 1;
  assert.equal(await refusal(limit, "a"), 0);
});

Deno.test("what is asked for while it is refused does not make the wait longer", async () => {
  using clock = stopClocks();
  const limit = new Limit(1, "things", log);
  await limit.take("a", 1);
  for (let second = 0; second < 60; second++) {
    assert.equal(await refusal(limit, "a"), 60 - second);
    clock.now += 1000;
  }
  assert.equal(await refusal(limit, "a"), 0);
});

Deno.test("what exceeds a minute's worth at once is let in when nothing else was, and then it is full", async () => {
  using _clock = stopClocks();
  const limit = new Limit(10, "things", log);
  assert.equal(await refusal(limit, "a", 50), 0);
  assert.equal(await refusal(limit, "a"), 60);
  assert.equal(await refusal(limit, "b"), 0);
  assert.equal(await refusal(limit, "b", 50), 60);
});

Deno.test("the log says once a minute that something is refused", async () => {
  using clock = stopClocks();
  const lines: string[] = [];
  const limit = new Limit(
    2,
    "things",
    createLog({ service: "test", level: "warn", write: (line) => lines.push(line) }),
  );
  for (const minute of [1, 2]) {
    for (let i = 0; i < 5; i++) await refusal(limit, "a");
    assert.equal(lines.length, minute);
    clock.now += 60_000;
  }
  assert.equal(JSON.parse(lines[0] ?? "").message, "Refused things: more than 2 in a minute");
});

Deno.test("0 is no limit", async () => {
  const limit = new Limit(0, "things", log);
  for (let i = 0; i < 1000; i++) assert.equal(await refusal(limit, "a", 50), 0);
});

Deno.test("a flood of keys hardly takes anything from the others, and only so much memory", async () => {
  using _clock = stopClocks();
  const limit = new Limit(1000, "things", log);
  for (let i = 0; i < 100_000; i++) await limit.take(`flood ${i}`, 1);
  assert.equal(await refusal(limit, "honest", 900), 0);
});

Deno.test("IPv4 clients are told apart by address, IPv6 clients by network, in any spelling", () => {
  const same = [
    ["2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:0DB8:0000:0000::", "2001:db8::1%eth0"],
    ["2001:db8:1:2::", "2001:db8:1:2:3:4:5:6"],
    ["::1", "::2", "0:0:0:0:1::"],
    ["fe80::1%eth0", "fe80::2"],
    ["::ffff:192.0.2.1", "::ffff:c000:201", "0:0:0:0:0:ffff:192.0.2.1"],
    ["::ffff:192.0.2.2"],
    ["192.0.2.1"],
    ["192.0.2.2"],
    ["unknown"],
  ];
  const keys = same.map((addresses) => new Set(addresses.map(clientKey)));
  assert.deepEqual(keys.map((set) => set.size), same.map(() => 1));
  assert.equal(new Set(keys.flatMap((set) => [...set])).size, same.length);
});

Deno.test("clientKey() depends on the first four groups of an IPv6 address only, and on all of an IPv4 address", () => {
  fc.assert(fc.property(fc.ipV6(), fc.ipV6(), (one, other) => {
    const network = (address: string) =>
      BigInt.asUintN(128, bits(address)) >> 80n === 0n && bits(address) >> 32n === 0xffffn
        ? `v4 ${bits(address)}`
        : `${bits(address) >> 64n}`;
    assert.equal(clientKey(one) === clientKey(other), network(one) === network(other), `${one} ${other}`);
  }));
  fc.assert(fc.property(fc.ipV4(), (address) => assert.equal(clientKey(address), address)));
});

/** The 128 bits of an IPv6 address, read in another way than the code does. */
function bits(address: string): bigint {
  const dotted = address.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_, a, b, c, d) => `${((+a << 8) | +b).toString(16)}:${((+c << 8) | +d).toString(16)}`,
  );
  const given = dotted.split(":").filter((group) => group !== "").length;
  const filled = dotted.replace("::", `:${"0:".repeat(8 - given)}`);
  return filled.split(":").filter((group) => group !== "")
    .reduce((sum, group) => sum << 16n | BigInt(`0x${group}`), 0n);
}
