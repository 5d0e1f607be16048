import assert from "node:assert/strict";
import { MemoryChannel } from "../lib/channels/memory.ts";
import { readSettings, SettingsError } from "../lib/env.ts";
import type { App } from "../lib/http.ts";
import { createLog } from "../lib/log.ts";
import { openAccess } from "../lib/mercure/settings.ts";
import { StartError } from "../lib/start.ts";
import { createBroadcaster } from "./app.ts";
import { broadcaster } from "./broadcaster_harness.ts";
import { SETTINGS } from "./config.ts";
import { OPENAPI_PATH } from "./openapi/routes/broadcaster.ts";

async function pathsOf(app: App): Promise<string[]> {
  const { paths } = await (await app.request("/openapi.json")).json();
  return Object.keys(paths);
}

Deno.test("GET /openapi.json is for pages of all origins, and asked for again each time", async () => {
  const { app } = await broadcaster();
  for (const method of ["GET", "HEAD"]) {
    const response = await app.request("/openapi.json", { method, headers: { Origin: "https://tool.test" } });
    assert.equal(response.status, 200);
    const headers = Object.fromEntries(response.headers);
    assert.equal(headers["content-type"], "application/json");
    assert.equal(headers["cache-control"], "no-cache");
    assert.equal(headers["access-control-allow-origin"], "*");
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.match(headers["etag"] ?? "", /^"[\w-]{43}"$/);
    assert.equal((await response.text()).length > 0, method === "GET");
  }
});

Deno.test("the description is compressed for who takes it so", async () => {
  const { app } = await broadcaster();
  const plain = await app.request("/openapi.json");
  const response = await app.request("/openapi.json", { headers: { "Accept-Encoding": "gzip" } });
  assert.equal(response.headers.get("Content-Encoding"), "gzip");
  assert.ok((await response.bytes()).length < (await plain.bytes()).length / 5);
});

Deno.test("who has the description already is told so, and another one has another tag", async () => {
  const { app } = await broadcaster();
  const { headers } = await app.request("/openapi.json");
  const again = await app.request("/openapi.json", {
    headers: { "If-None-Match": headers.get("ETag") ?? "" },
  });
  assert.equal(again.status, 304);
  assert.equal(await again.text(), "");
  for (const name of ["ETag", "Cache-Control", "Access-Control-Allow-Origin", "Vary"]) {
    assert.equal(again.headers.get(name), headers.get(name), name);
  }
  const other = await (await broadcaster({ EVENTS_PATH: "/in" })).app.request("/openapi.json");
  assert.notEqual(other.headers.get("ETag"), headers.get("ETag"));
});

Deno.test("the description follows HUB_URL, EVENTS_PATH and TRACKER_PATH", async () => {
  const usual = await pathsOf((await broadcaster()).app);
  const moved = await pathsOf(
    (await broadcaster({ HUB_URL: "https://a.test/live/hub", EVENTS_PATH: "/in/box", TRACKER_PATH: "/js/t" }))
      .app,
  );
  const expected = usual.map((path) =>
    path.replace("/.well-known/mercure", "/live/hub").replace(/^\/e$/, "/in/box")
      .replace(/^\/tracker(?=\.mjs$|\.d\.ts$)/, "/js/t").replace(/^\/tracker\.js$/, "/js/t")
  );
  assert.deepEqual(moved, expected);
  assert.equal(moved.filter((path) => !usual.includes(path)).length, 10);
});

Deno.test("no setting can put anything else at /openapi.json", async () => {
  for (const name of ["HUB_URL", "EVENTS_PATH", "TRACKER_PATH"]) {
    await assert.rejects(broadcaster({ [name]: OPENAPI_PATH }), SettingsError, name);
  }
  const log = createLog({ service: "test", level: "error" });
  const config = readSettings(SETTINGS, { get: () => undefined });
  const options = { channel: new MemoryChannel(), log, ...await openAccess(config, { log }) };
  await assert.rejects(
    createBroadcaster({ ...options, config: { ...config, eventsPath: OPENAPI_PATH } }),
    (error) => error instanceof StartError && error.message.includes("EVENTS_PATH"),
  );
});
