import { Hono } from "hono";
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { clientAddress, clientKey, isUnnamedProxy } from "./client_address.ts";
import { networks } from "./env.ts";

const cases: { name: string; remote: string; forwarded?: string; trusted?: string; wanted: string }[] = [
  { name: "the address of the connection", remote: "192.0.2.1", wanted: "192.0.2.1" },
  { name: "strangers are not believed", remote: "192.0.2.1", forwarded: "10.9.9.9", wanted: "192.0.2.1" },
  {
    name: "a trusted proxy is",
    remote: "10.0.0.1",
    forwarded: "192.0.2.1",
    trusted: "10.0.0.0/8",
    wanted: "192.0.2.1",
  },
  {
    name: "of several the last that is no proxy",
    remote: "10.0.0.1",
    forwarded: "1.1.1.1, 192.0.2.1,10.0.0.2",
    trusted: "10.0.0.0/8",
    wanted: "192.0.2.1",
  },
  { name: "a proxy that says nothing", remote: "10.0.0.1", trusted: "10.0.0.1", wanted: "10.0.0.1" },
  { name: "with a port", remote: "::1", forwarded: "192.0.2.1:4711", trusted: "::1", wanted: "192.0.2.1" },
  {
    name: "with brackets and a port",
    remote: "::1",
    forwarded: "[2001:db8::7]:80",
    trusted: "::1",
    wanted: "2001:db8::7",
  },
  {
    name: "a proxy that says nonsense",
    remote: "::1",
    forwarded: "unknown",
    trusted: "::1",
    wanted: "::1",
  },
];

for (const { name, remote, forwarded, trusted, wanted } of cases) {
  Deno.test(`clientAddress(): ${name}`, async () => {
    const list = networks("TRUSTED_PROXIES").parse(trusted);
    const app = new Hono();
    app.get("/", (c) => c.text(clientAddress(c, list)));
    const headers = forwarded === undefined ? {} : { "X-Forwarded-For": forwarded };
    const response = await app.request("/", { headers }, { remoteAddr: { hostname: remote } });
    assert.equal(await response.text(), wanted);
  });
}

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

Deno.test("isUnnamedProxy() is true of a neighbour that asks for somebody else, unless it is named", async () => {
  const ask = async (hostname: string, trusted: string, headers: Record<string, string>) => {
    const app = new Hono();
    const list = networks("TRUSTED_PROXIES").parse(trusted);
    app.get("/", (c) => c.text(`${isUnnamedProxy(c, list)}`));
    return await (await app.request("/", { headers }, { remoteAddr: { hostname } })).text() === "true";
  };
  const forwarded = { "X-Forwarded-For": "192.0.2.1" };
  for (const neighbour of ["127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "fd00::1"]) {
    assert.ok(await ask(neighbour, "198.51.100.1", forwarded), neighbour);
    assert.ok(!await ask(neighbour, neighbour, forwarded), `${neighbour}, named`);
    assert.ok(!await ask(neighbour, "198.51.100.1", {}), `${neighbour}, for itself`);
  }
  for (const stranger of ["192.0.2.9", "172.32.0.1", "2001:db8::1", "unknown"]) {
    assert.ok(!await ask(stranger, "198.51.100.1", forwarded), stranger);
  }
});
