import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { minify } from "terser";
import type { App } from "../lib/http.ts";
import { broadcaster } from "./broadcaster_harness.ts";

const FILES = {
  "/tracker.js": "text/javascript; charset=utf-8",
  "/tracker.mjs": "text/javascript; charset=utf-8",
  "/tracker.d.ts": "text/plain; charset=utf-8",
};

/** Bytes of the script on the wire: every page of every visitor waits for it. */
const MAX_GZIPPED = 4.5 * 1024;
/** Bytes of the script, minified and compressed, for those who minify it. */
const MAX_MINIFIED = 3.3 * 1024;

async function textOf(app: App, path: string): Promise<string> {
  const response = await app.request(path);
  assert.equal(response.status, 200, path);
  return await response.text();
}

/** Where the script sends to when it was loaded from a path. */
async function endpointOf(env: Record<string, string>, path: string): Promise<string> {
  const { app } = await broadcaster(env);
  const [, endpoint] = /endpoint = "([^"]*)"/.exec(await textOf(app, path)) ?? [];
  assert.ok(endpoint !== undefined);
  return new URL(endpoint, `https://a.test${path}`).pathname;
}

Deno.test("the script, the module and the types are served to pages of all sites, and may be kept", async () => {
  const { app } = await broadcaster();
  for (const [path, type] of Object.entries(FILES)) {
    for (const method of ["GET", "HEAD"]) {
      const response = await app.request(path, { method, headers: { Origin: "https://shop.test" } });
      assert.equal(response.status, 200, path);
      const headers = Object.fromEntries(response.headers);
      assert.equal(headers["content-type"], type);
      assert.equal(headers["cache-control"], "public, max-age=3600, stale-while-revalidate=86400");
      assert.equal(headers["access-control-allow-origin"], "*");
      assert.equal(headers["timing-allow-origin"], "*");
      assert.equal(headers["x-content-type-options"], "nosniff");
      // Either would keep the script from pages of other sites.
      assert.equal(headers["cross-origin-resource-policy"], undefined);
      assert.equal(headers["content-security-policy"], undefined);
      assert.match(headers["etag"] ?? "", /^"[\w-]{43}"$/);
      assert.equal((await response.text()).length > 0, method === "GET");
    }
  }
});

Deno.test("who has the script already is told so, in a few bytes", async () => {
  const { app } = await broadcaster();
  const { headers } = await app.request("/tracker.js");
  const tag = headers.get("ETag") ?? "";
  for (const known of [tag, `W/${tag}`, `"x", ${tag}`, "*"]) {
    const again = await app.request("/tracker.js", { headers: { "If-None-Match": known } });
    assert.equal(again.status, 304, known);
    assert.equal(await again.text(), "");
    // A cache puts these in the place of those that it kept.
    for (
      const name of ["ETag", "Cache-Control", "Vary", "Access-Control-Allow-Origin", "Timing-Allow-Origin"]
    ) {
      assert.equal(again.headers.get(name), headers.get(name), name);
    }
  }
  const other = await app.request("/tracker.js", { headers: { "If-None-Match": '"x"' } });
  assert.equal(other.status, 200);
});

Deno.test("what is served says where it is, so another address has another tag", async () => {
  const tags = await Promise.all([{}, { EVENTS_PATH: "/in" }].map(async (env: Record<string, string>) => {
    const { app } = await broadcaster(env);
    return (await app.request("/tracker.js")).headers.get("ETag");
  }));
  assert.notEqual(tags[0], tags[1]);
});

Deno.test("the script finds the path of events from wherever it is", async () => {
  const cases: [string, string][] = [
    ["/tracker.js", "/e"],
    ["/js/t.js", "/e"],
    ["/t.js", "/in/box"],
    ["/js/t.js", "/js/in"],
    ["/js/t.js", "/js"],
    ["/a/b/c.js", "/a/x/y/e"],
    ["/t", "/e"],
  ];
  for (const [tracker, events] of cases) {
    assert.equal(
      await endpointOf({ TRACKER_PATH: tracker, EVENTS_PATH: events }, tracker),
      events,
      `${tracker} to ${events}`,
    );
  }
});

Deno.test("TRACKER_PATH moves the module and the types too, and the module finds the script", async () => {
  for (const [path, stem] of [["/js/t.js", "/js/t"], ["/js/t", "/js/t"]] as const) {
    const { app } = await broadcaster({ TRACKER_PATH: path });
    const module = await textOf(app, `${stem}.mjs`);
    const [, name = ""] = /^import "([^"]+)";$/m.exec(module) ?? [];
    assert.equal(new URL(name, `https://a.test${stem}.mjs`).pathname, path);
    await textOf(app, `${stem}.d.ts`);
    assert.equal((await app.request("/tracker.js")).status, 404);
  }
});

Deno.test("the script is small as it is served, and smaller when somebody minifies it", async () => {
  const { app } = await broadcaster();
  const response = await app.request("/tracker.js", { headers: { "Accept-Encoding": "gzip" } });
  assert.equal(response.headers.get("Content-Encoding"), "gzip");
  const served = (await response.arrayBuffer()).byteLength;
  assert.ok(served > 2_000 && served <= MAX_GZIPPED, `served: ${served} bytes`);
  const { code = "" } = await minify(await textOf(app, "/tracker.js"));
  const minified = gzipSync(code).length;
  assert.ok(minified > 2_000 && minified <= MAX_MINIFIED, `minified: ${minified} bytes`);
});
