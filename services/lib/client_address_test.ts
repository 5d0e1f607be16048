import { Hono } from "hono";
import assert from "node:assert/strict";
import { clientAddress } from "./client_address.ts";
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
