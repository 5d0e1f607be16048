/** What the services really answer, and what streams really bring, is what `openapi.json` says of it. */
import assert from "node:assert/strict";
import { broadcaster } from "./broadcaster/broadcaster_harness.ts";
import { MemoryChannel } from "./lib/channels/memory.ts";
import { readSettings } from "./lib/env.ts";
import type { App } from "./lib/http.ts";
import { createLog } from "./lib/log.ts";
import { openAccess } from "./lib/mercure/settings.ts";
import { eventually } from "./lib/testing/deadline.ts";
import { DescribedApi } from "./lib/testing/described_api.ts";
import { ready, startForwarder, startHttpService } from "./lib/testing/processes.ts";
import { openSse } from "./lib/testing/sse_reader.ts";
import { ISSUER, KEY, mint, type TokenOptions } from "./mercure/harness.ts";
import { createStreamer } from "./streamer/app.ts";
import { SETTINGS as STREAMER_SETTINGS } from "./streamer/config.ts";
import { Hub } from "./streamer/hub.ts";
import { startStreamer } from "./streamer/streamer_harness.ts";

/** What browsers send: programs are not counted. */
const BROWSER = {
  "User-Agent":
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
};
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };
const TEXT = { "Content-Type": "text/plain" };
const HUB = "/.well-known/mercure";
const NO_TOKEN = { Authorization: `Bearer ${"x".repeat(50)}` };

type Headers = Readonly<Record<string, string>>;

interface Request {
  /** Where the operation has a template, or there is a query. */
  readonly path?: string;
  readonly headers?: Headers;
  readonly body?: string;
}

function eventOf(overrides: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { id: crypto.randomUUID(), n: 0, t: Date.now(), k: "click", ...overrides };
}

function batchOf(events: readonly unknown[], overrides: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ v: 1, site: "shop", sent: Date.now(), e: events, ...overrides });
}

function formOf(fields: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(fields).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, `${value}`] as [string, string])
  );
  return new URLSearchParams(pairs).toString();
}

/** What the tests of the real processes share. */
interface Services extends AsyncDisposable {
  readonly api: DescribedApi;
  readonly urls: Readonly<Record<string, string>>;
  /** What was asked, as `service METHOD path`. */
  readonly asked: Set<string>;
  /** Asks a service, and compares the answer with the document; resolves with the body. */
  ask(service: string, operation: string, status: number, request?: Request): Promise<unknown>;
  /** The header of a good token for the hub at a service. */
  token(service: string, options?: TokenOptions): Promise<Headers>;
}

async function startServices(): Promise<Services> {
  await using starting = new AsyncDisposableStack();
  const forwarder = starting.use(await startForwarder({ env: { PORT: "0" } }));
  const settings = { ...forwarder.ports, JWT_ISSUER: ISSUER, JWT_KEY: KEY, JWT_LEGACY: "1" };
  const on = { METRICS: "on", SUBSCRIPTIONS: "on" };
  const streamer = starting.use(await startHttpService("streamer", { ...settings, ...on }));
  const logger = starting.use(await startHttpService("logger"));
  const broadcaster = starting.use(
    await startHttpService("broadcaster", { ...settings, TRACK_SITES: "shop,demo" }),
  );
  await Promise.all([ready(broadcaster.url), ready(streamer.url)]);
  const urls: Readonly<Record<string, string>> = {
    broadcaster: broadcaster.url,
    streamer: streamer.url,
    logger: logger.url,
    forwarder: `${(await forwarder.logged("Listening")).url}`,
  };
  const api = new DescribedApi(await (await fetch(`${broadcaster.url}openapi.json`)).json());
  const asked = new Set<string>();
  const started = starting.move();
  return {
    api,
    urls,
    asked,
    async ask(service, operation, status, { path, ...request } = {}) {
      const [method = "", template = ""] = operation.split(" ");
      const url = new URL(path ?? template, urls[service]);
      const response = await fetch(url, { method, redirect: "manual", ...request });
      if (response.status !== status) {
        assert.fail(`${method} ${url} was answered with ${response.status} ${await response.text()}`);
      }
      asked.add(`${service} ${operation}`);
      return await api.assertDescribed(service, operation, response);
    },
    async token(service, options = { publish: ["*"], subscribe: ["*"] }) {
      return { Authorization: `Bearer ${await mint(new URL(HUB, urls[service]).href, options)}` };
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** A token of the 0.x generation. */
const LEGACY: TokenOptions = {
  claims: { mercure: { subscribe: ["*"] }, authorization_details: undefined, aud: undefined },
  header: { typ: "JWT" },
};

async function probesAndPages({ ask, urls }: Services): Promise<void> {
  for (const service of Object.keys(urls)) {
    await ask(service, "GET /healthz", 200);
    await ask(service, "GET /readyz", 200);
  }
  for (
    const [service, path] of [["broadcaster", "/"], ["logger", "/logger/"], ["streamer", "/hub/"]] as const
  ) {
    await ask(service, `GET ${path}`, 200);
    await ask(service, `GET ${path}`, 304, { headers: { "If-None-Match": "*" } });
  }
  const ways = [["streamer", "/"], ["streamer", "/hub"], ["logger", "/"], ["logger", "/logger"]] as const;
  for (const [service, path] of ways) await ask(service, `GET ${path}`, 302);
  for (const file of ["design.css", "favicon.svg", "tracking.js"]) {
    await ask("broadcaster", "GET /{file}", 200, { path: `/${file}` });
  }
  for (const service of ["streamer", "logger"]) {
    for (const file of ["design.css", "favicon.svg", "logger.js"]) {
      await ask(service, "GET /logger/{file}", 200, { path: `/logger/${file}` });
    }
    await ask(service, "GET /logger/{file}", 404, { path: "/logger/nothing.js" });
  }
  await ask("streamer", "GET /hub/{file}", 200, { path: "/hub/hub.css" });
  await ask("streamer", "GET /metrics", 200);
  for (const path of ["/tracker.js", "/tracker.mjs", "/tracker.d.ts", "/openapi.json"]) {
    await ask("broadcaster", `GET ${path}`, 200);
    await ask("broadcaster", `GET ${path}`, 304, { headers: { "If-None-Match": "*" } });
  }
}

async function reports({ ask, api }: Services): Promise<void> {
  const report = "POST /event/{type}";
  const parameter = api.operationsOf("broadcaster").get(report)?.parameters?.[0];
  const types = parameter?.schema.enum as string[];
  assert.equal(types.length, 3);
  for (const type of types) await ask("broadcaster", report, 201, { path: `/event/${type}` });
  const path = "/event/pill:red";
  await ask("broadcaster", report, 404, { path: "/event/pill:green" });
  await ask("broadcaster", report, 400, { path, headers: { "Idempotency-Key": "two words" } });
  await ask("broadcaster", report, 413, { path, body: "x".repeat(20_000) });
}

async function batches({ ask, api }: Services): Promise<void> {
  const post = (status: number, body: string, headers: Headers = TEXT) =>
    ask("broadcaster", "POST /e", status, { body, headers: { ...BROWSER, ...headers } });
  const isBatch = (body: string) => api.isValid("/components/schemas/Batch", JSON.parse(body));
  const { examples = [] } = api.document.components.schemas.Batch ?? {};
  assert.equal(examples.length, 1);
  const good = batchOf([eventOf(), eventOf({ u: "https://shop.test/", r: "", p: { a: [1, { b: null }] } })]);
  for (const body of [good, ...examples.map((example) => JSON.stringify(example))]) {
    assert.ok(isBatch(body));
    await post(204, body);
    await post(204, body, { "Content-Type": "application/json" });
  }
  // What the document forbids is not stored, as a whole or in part.
  const partly = batchOf([eventOf(), { k: "click" }, eventOf({ id: "1" })]);
  assert.ok(!isBatch(partly));
  const answer = await post(200, partly) as { readonly rejected: unknown[] };
  assert.equal(answer.rejected.length, 2);
  for (const body of [batchOf([]), batchOf(Array(51).fill(eventOf())), batchOf([eventOf()], { v: 2 }), "1"]) {
    assert.ok(!isBatch(body));
    await post(422, body);
  }
  await post(400, "{");
  await post(403, batchOf([eventOf()], { site: "another" }));
  await post(413, batchOf([eventOf({ p: { text: "x".repeat(70_000) } })]));
}

async function publishing({ ask, api, token }: Services): Promise<void> {
  const publish = `POST ${HUB}`;
  const { examples = [] } = api.document.components.schemas.PublishForm ?? {};
  assert.equal(examples.length, 1);
  const all = { topic: ["/a", "/b"], data: "1", private: "", id: "urn:x:1", type: "t", retry: "5" };
  for (const service of ["broadcaster", "streamer"]) {
    const headers = { ...FORM, ...await token(service) };
    for (const fields of [all, ...examples as Record<string, unknown>[]]) {
      api.assertValid("/components/schemas/PublishForm", fields);
      await ask(service, publish, 200, { headers, body: formOf(fields) });
    }
    await ask(service, publish, 400, { headers, body: "" });
    await ask(service, publish, 401, { headers: FORM, body: "topic=/a" });
    const narrow = { ...FORM, ...await token(service, { publish: ["/b"] }) };
    await ask(service, publish, 403, { headers: narrow, body: "topic=/a" });
    await ask(service, publish, 413, { headers, body: formOf({ topic: "x".repeat(5000) }) });
    await ask(service, publish, 415, { headers: { ...headers, ...TEXT }, body: "x" });
  }
}

async function streams({ ask, api, urls, token }: Services): Promise<void> {
  const path = `${HUB}?match=*&last_event_id=earliest`;
  await ask("streamer", `GET ${HUB}`, 200, { path });
  await ask("streamer", `HEAD ${HUB}`, 200, { path });
  await ask("streamer", `GET ${HUB}`, 401, { path, headers: NO_TOKEN });
  await ask("streamer", `GET ${HUB}`, 400);
  await ask("streamer", `GET ${HUB}`, 400, { path: `${HUB}?match_other=x` });
  await ask("streamer", `QUERY ${HUB}`, 200, { headers: FORM, body: "match=*" });
  await ask("streamer", `QUERY ${HUB}`, 413, { headers: FORM, body: `match=${"x".repeat(300_000)}` });
  await ask("streamer", `QUERY ${HUB}`, 415, { headers: TEXT, body: "match=*" });
  for (const path of ["/events", "/events/"]) {
    await ask("streamer", `GET ${path}`, 200);
    await ask("streamer", `HEAD ${path}`, 200);
    await ask("streamer", `QUERY ${path}`, 200, { headers: FORM, body: "" });
  }
  await ask("streamer", "GET /", 200, { headers: { Accept: "text/event-stream" } });
  // To those of the 0.x generation the last id is said by its older name too.
  const legacy = await token("streamer", LEGACY);
  const old = `${HUB}?topic=*&Last-Event-ID=earliest`;
  for (const headers of [legacy, {}]) {
    const response = await fetch(new URL(old, urls.streamer), { headers });
    assert.equal(response.headers.get("Last-Event-ID"), "earliest");
    await api.assertDescribed("streamer", `GET ${HUB}`, response);
  }
  await ask("streamer", `QUERY ${HUB}`, 200, { headers: { ...FORM, ...legacy }, body: "topic=*" });
}

/** What each event of a stream is said to be, by its name; what is missing is any update. */
const KINDS: ReadonlyMap<string | undefined, string> = new Map([
  ["track", "TrackedSseEvent"],
  ["login", "ReportedSseEvent"],
  ["user:btn", "ReportedSseEvent"],
  ["mercure", "SubscriptionSseEvent"],
]);

async function events({ ask, api, urls, token }: Services): Promise<void> {
  const url = new URL(`${HUB}?match=*&last_event_id=earliest`, urls.streamer);
  await using stream = await openSse(url, { headers: await token("streamer") });
  const p = { mark: crypto.randomUUID() };
  const body = batchOf(
    [
      eventOf({ k: "log:open", p }),
      eventOf({ k: "scroll", u: "https://shop.test/", r: "https://ref.test/", p }),
    ],
    { site: "demo", sid: crypto.randomUUID(), try: 1, drop: 2, rate: 0.5 },
  );
  await ask("broadcaster", "POST /e", 204, { body, headers: BROWSER });
  const marked = () => stream.events.filter(({ data }) => data.includes(p.mark));
  await stream.until("the events", () => marked().length === 2);
  assert.deepEqual(marked().map(({ event }) => event), ["login", "track"]);
  const kinds = new Set<string>();
  for (const event of stream.events) {
    const kind = KINDS.get(event.event) ?? "UpdateSseEvent";
    kinds.add(kind);
    api.assertEvent(kind, event);
  }
  // All of them were there: batches, reports, who subscribed, and what was published.
  assert.deepEqual(kinds, new Set([...KINDS.values(), "UpdateSseEvent"]));
}

async function history({ ask, token }: Services): Promise<void> {
  const headers = await token("streamer");
  for (const path of ["/history", "/events/history"]) {
    const read = `GET ${path}`;
    const { older } = await ask("streamer", read, 200, { path: `${path}?limit=2` }) as {
      readonly older: string;
    };
    await ask("streamer", read, 200, {
      path: `${path}?limit=1000&before=${encodeURIComponent(older)}`,
      headers,
    });
    await ask("streamer", read, 400, { path: `${path}?limit=0` });
    await ask("streamer", read, 401, { headers: NO_TOKEN });
    await ask("streamer", read, 404, { path: `${path}?before=urn:x:nobody` });
    await ask("streamer", `QUERY ${path}`, 200, { headers: FORM, body: "match=/b&limit=5" });
    await ask("streamer", `QUERY ${path}`, 415, { headers: TEXT, body: "limit=1" });
  }
}

interface Found {
  readonly subscriptions: readonly {
    readonly id: string;
    readonly match?: string;
    readonly topic?: string;
  }[];
}

async function subscriptions({ ask, urls, token }: Services): Promise<void> {
  await ask("streamer", `GET /.well-known/oauth-protected-resource${HUB}`, 200);
  const root = `${HUB}/subscriptions`;
  const [all, ofTopic] = [`GET ${root}`, `GET ${root}/{topic}`];
  const [ofMatcher, one] = [
    `GET ${root}/{match_type}/{match}`,
    `GET ${root}/{match_type}/{match}/{subscriber}`,
  ];
  const headers = await token("streamer", { subscribe: ["*"], payload: { name: "Ada" } });
  const legacy = { headers: await token("streamer", LEGACY) };
  await using _modern = await openSse(new URL(`${HUB}?match=/m`, urls.streamer), { headers });
  await using _old = await openSse(new URL(`${HUB}?topic=/t`, urls.streamer), legacy);
  const [modern, old] = await eventually("both subscriptions", async () => {
    const { subscriptions } = await ask("streamer", all, 200, { headers }) as Found;
    const found = [
      subscriptions.find(({ match }) => match === "/m"),
      subscriptions.find(({ topic }) => topic === "/t"),
    ].filter((subscription) => subscription !== undefined);
    return found.length === 2 && found;
  });
  await ask("streamer", all, 200, legacy);
  await ask("streamer", ofMatcher, 200, { path: `${root}/exact/%2Fm`, headers });
  await ask("streamer", ofMatcher, 200, { path: `${root}/exact/%2Fm`, ...legacy });
  await ask("streamer", one, 200, { path: modern?.id ?? "", headers });
  await ask("streamer", one, 200, { path: modern?.id ?? "", ...legacy });
  await ask("streamer", ofTopic, 200, { path: `${root}/%2Ft`, ...legacy });
  // In the 0.x generation, a topic and a subscriber.
  await ask("streamer", ofMatcher, 200, { path: old?.id ?? "", ...legacy });
  await ask("streamer", all, 401);
  await ask("streamer", all, 403, { headers: await token("streamer", { subscribe: ["/other"] }) });
  await ask("streamer", one, 404, { path: `${root}/exact/%2Fm/nobody`, headers });
  await ask("streamer", one, 400, { path: `${root}/kind/x/y`, headers });
}

Deno.test("what the services answer is what the document of the broadcaster says", async (t) => {
  await using services = await startServices();
  const steps = { probesAndPages, reports, batches, publishing, streams, events, history, subscriptions };
  for (const [name, step] of Object.entries(steps)) await t.step(name, () => step(services));
  const { api, urls, asked } = services;
  const known = Object.keys(urls).flatMap((service) =>
    api.operationsOf(service).keys().filter((name) => !name.startsWith("OPTIONS ")).map((name) =>
      `${service} ${name}`
    )
      .toArray()
  );
  assert.deepEqual(known.filter((operation) => !asked.has(operation)), [], "What nobody asked for");
});

Deno.test("what only some settings or a channel that is away bring about is in the document too", async () => {
  const from = { remoteAddr: { transport: "tcp", hostname: "192.0.2.1", port: 1 } };
  const post = { method: "POST", body: batchOf([eventOf()]), headers: BROWSER };
  const limited = await broadcaster({ MAX_BATCHES_PER_CLIENT: "1" });
  const api = new DescribedApi(await (await limited.app.request("/openapi.json")).json());
  const assertDescribed = async (
    operation: string,
    response: Response,
    status: number,
    service = "broadcaster",
  ) => {
    assert.equal(response.status, status);
    await api.assertDescribed(service, operation, response);
  };
  await limited.app.request("/e", post, from);
  await assertDescribed("POST /e", await limited.app.request("/e", post, from), 429);
  const refused = await limited.app.request("/event/pill:red", { method: "POST" }, from);
  await assertDescribed("POST /event/{type}", refused, 429);

  const told = await broadcaster({ TRACK_OFF: "shop", TRACK_SAMPLE: "0.5" });
  await assertDescribed("POST /e", await told.app.request("/e", post, from), 200);
  const other = { ...post, body: batchOf([eventOf()], { site: "other" }) };
  await assertDescribed("POST /e", await told.app.request("/e", other, from), 200);

  const { app, channel } = await broadcaster({ JWT_ISSUER: ISSUER, JWT_KEY: KEY });
  await channel[Symbol.asyncDispose]();
  await assertDescribed("POST /e", await app.request("/e", post, from), 503);
  await assertDescribed("GET /readyz", await app.request("/readyz"), 503);
  const reported = await app.request("/event/pill:red", { method: "POST" }, from);
  await assertDescribed("POST /event/{type}", reported, 503);
  const token = await mint(`http://localhost${HUB}`, { publish: ["*"], subscribe: ["*"] });
  const headers = { ...FORM, Authorization: `Bearer ${token}` };
  const published = await app.request(HUB, { method: "POST", headers, body: "topic=/a" });
  await assertDescribed(`POST ${HUB}`, published, 503);

  const streamer = await streamerApp({ MAX_SUBSCRIPTIONS_PER_TOKEN: "1", OVERLOAD: "refuse" });
  const crowded = await streamer.request(`${HUB}?match=a&match=b`, { headers }, from);
  await assertDescribed(`GET ${HUB}`, crowded, 429, "streamer");
});

/** A streamer whose hub does not run. */
async function streamerApp(env: Headers): Promise<App> {
  const config = readSettings(STREAMER_SETTINGS, {
    get: (name) => ({ JWT_ISSUER: ISSUER, JWT_KEY: KEY, ...env })[name],
  });
  const log = createLog({ service: "test", level: "error" });
  const channel = new MemoryChannel();
  const opened = await openAccess(config, { log });
  return await createStreamer({
    config,
    channel,
    hub: new Hub({ channel, log }),
    presence: undefined,
    log,
    ...opened,
  });
}

Deno.test("what the hub itself has to say is what the document says", async () => {
  await using streamer = await startStreamer({ signalMs: 20 });
  const { app } = await broadcaster();
  const api = new DescribedApi(await (await app.request("/openapi.json")).json());
  const url = `${streamer.url}events?signals=1&last_event_id=urn:x:nobody`;
  await using stream = await openSse(url);
  const typesOf = () => new Set(stream.events.map(({ data }) => JSON.parse(data).type));
  await stream.until("each signal", () => typesOf().size === 3);
  assert.deepEqual(typesOf(), new Set(["hello", "gap", "heartbeat"]));
  for (const event of stream.events) api.assertEvent("SignalSseEvent", event);
});
