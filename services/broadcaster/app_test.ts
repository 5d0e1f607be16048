import assert from "node:assert/strict";
import { StartError } from "../lib/start.ts";
import { broadcaster } from "./broadcaster_harness.ts";

/** What the demo's three reports become. */
const CATALOGUE = [
  { type: "log:open", event: "login", data: '{"message":"someone logged in","level":"debug"}' },
  { type: "pill:blue", event: "user:btn", data: '{"message":"someone picked a blue pill","level":"info"}' },
  {
    type: "pill:red",
    event: "user:btn",
    data: '{"message":"someone picked a red pill","level":"info","notify":true}',
  },
];

for (const { type, event, data } of CATALOGUE) {
  Deno.test(`POST /event/${type} publishes its update and answers 201 with nothing`, async () => {
    const { app, channel } = await broadcaster();
    const response = await app.request(`/event/${type}`, { method: "POST" });
    assert.equal(response.status, 201);
    assert.equal(await response.text(), "");
    const [entry, ...more] = await channel.history("earliest", { limit: 10 });
    assert.deepEqual(more, []);
    assert.ok(entry);
    const { id, ...update } = entry.update;
    assert.deepEqual(update, { topics: [`/tracking/${type}`], type: event, data, private: false });
    assert.match(id, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });
}

Deno.test("POST /event/:type refuses what is not in the catalogue, and publishes nothing", async () => {
  const { app, channel } = await broadcaster();
  for (const type of ["pill:green", "constructor", "__proto__", "pill%3Ared%0A", "%FF"]) {
    const response = await app.request(`/event/${type}`, { method: "POST" });
    assert.equal(response.status, 404, type);
    assert.equal(response.headers.get("Content-Type"), "application/problem+json");
  }
  assert.deepEqual(await channel.history("earliest", { limit: 10 }), []);
});

Deno.test("POST /event/:type with an Idempotency-Key that was used publishes nothing more", async () => {
  const { app, channel } = await broadcaster();
  const post = async (type: string, key: string) => {
    const response = await app.request(`/event/${type}`, {
      method: "POST",
      headers: { "Idempotency-Key": key },
    });
    return response.status;
  };
  assert.deepEqual([await post("pill:red", "k"), await post("pill:red", "k")], [201, 201]);
  assert.deepEqual([await post("pill:red", "l"), await post("pill:blue", "k")], [201, 201]);
  assert.equal((await channel.history("earliest", { limit: 10 })).length, 3);
  for (const key of ["", "two words", "x".repeat(256)]) assert.equal(await post("pill:red", key), 400, key);
  assert.equal((await channel.history("earliest", { limit: 10 })).length, 3);
});

Deno.test("POST /event/:type refuses a body over the limit, with and without a length", async () => {
  const { app, channel } = await broadcaster();
  const large = new Uint8Array(16 * 1024 + 1);
  const bodies = { known: large, streamed: new Blob([large]).stream() };
  for (const [name, body] of Object.entries(bodies)) {
    const headers = name === "known" ? { "Content-Length": `${large.length}` } : {};
    const response = await app.request("/event/pill:red", { method: "POST", body, headers });
    assert.equal(response.status, 413, name);
    assert.equal(response.headers.get("Content-Type"), "application/problem+json");
  }
  assert.deepEqual(await channel.history("earliest", { limit: 10 }), []);
});

Deno.test("GET /event/:type is refused with the method that can be used", async () => {
  const { app } = await broadcaster();
  const response = await app.request("/event/pill:red");
  assert.equal(response.status, 405);
  assert.equal(response.headers.get("Allow"), "POST");
});

Deno.test("POST /event/:type claims nothing when the channel cannot be reached", async () => {
  const { app, channel } = await broadcaster();
  await channel[Symbol.asyncDispose]();
  const response = await app.request("/event/pill:red", { method: "POST" });
  assert.equal(response.status, 503);
  assert.ok(Number(response.headers.get("Retry-After")) > 0);
  assert.doesNotMatch(await response.text(), /closed/);
  const readiness = await app.request("/readyz");
  assert.equal(readiness.status, 503);
});

Deno.test("CORS_ORIGINS decides which origins may report", async () => {
  const { app } = await broadcaster({ CORS_ORIGINS: "https://a.test" });
  const origins = ["https://a.test", "https://b.test"];
  const allowed = await Promise.all(origins.map(async (origin) => {
    const response = await app.request("/event/pill:red", { method: "POST", headers: { Origin: origin } });
    return response.headers.get("Access-Control-Allow-Origin");
  }));
  assert.deepEqual(allowed, ["https://a.test", null]);
});

Deno.test("GET / serves the tracking page with the configured link, under a strict policy", async () => {
  const { app } = await broadcaster({ LOGGER_URL: 'https://x.test/?a=1&b="<' });
  const response = await app.request("/");
  assert.equal(response.status, 200);
  assert.match(response.headers.get("Content-Type") ?? "", /^text\/html/);
  const policy = response.headers.get("Content-Security-Policy") ?? "";
  for (const directive of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]) {
    assert.ok(policy.includes(directive), directive);
  }
  const page = await response.text();
  assert.ok(page.includes('href="https://x.test/?a=1&amp;b=&quot;&lt;"'));
});

Deno.test("every file that the tracking page names is served", async () => {
  const { app } = await broadcaster();
  const page = await (await app.request("/")).text();
  const files = [...page.matchAll(/(?:src|href)="([\w.-]+\.(?:css|js|svg))"/g)].map(([, file]) => file);
  assert.ok(files.length >= 3);
  for (const file of files) {
    const response = await app.request(`/${file}`);
    assert.equal(response.status, 200, file);
    await response.body?.cancel();
  }
});

Deno.test("the tracking page finds the tracker where TRACKER_PATH says, also when a proxy serves it below a folder", async () => {
  for (const path of ["/tracker.js", "/js/t.js"]) {
    const { app } = await broadcaster({ TRACKER_PATH: path });
    const page = await (await app.request("/")).text();
    const [, source = ""] = /<script defer src="([^"]*)"/.exec(page) ?? [];
    assert.equal(new URL(source, "https://a.test/demo/").pathname, `/demo${path}`);
  }
});

Deno.test("a path that something else has is refused at the start, with the name of its setting", async () => {
  const collisions: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    HUB_URL: { HUB_URL: "/tracking.js" },
    EVENTS_PATH: { EVENTS_PATH: "/.well-known/mercure" },
    TRACKER_PATH: { TRACKER_PATH: "/e" },
  };
  for (const [name, env] of Object.entries(collisions)) {
    await assert.rejects(
      broadcaster(env),
      (error) => error instanceof StartError && error.exitCode === 2 && error.message.includes(name),
    );
  }
  for (const path of ["/tracking.js", "/favicon.svg", "/t.mjs"]) {
    await assert.rejects(broadcaster({ EVENTS_PATH: path, TRACKER_PATH: "/t.js" }), StartError, path);
  }
  await broadcaster({ EVENTS_PATH: "/x/e", TRACKER_PATH: "/x/t" });
});
