/** `openapi.json` is valid OpenAPI, and has every route of every service and no other. */
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { inspectRoutes } from "hono/dev";
import assert from "node:assert/strict";
import { broadcaster, type Fixture } from "./broadcaster/broadcaster_harness.ts";
import { SETTINGS as BROADCASTER_SETTINGS } from "./broadcaster/config.ts";
import { DEFAULT_PORTS } from "./broadcaster/openapi/document.ts";
import { createForwarder } from "./forwarder/app.ts";
import { MemoryChannel } from "./lib/channels/memory.ts";
import { readSettings } from "./lib/env.ts";
import type { App } from "./lib/http.ts";
import { createLog } from "./lib/log.ts";
import { openAccess } from "./lib/mercure/settings.ts";
import { DescribedApi, type DescribedOperation } from "./lib/testing/described_api.ts";
import { createLogger } from "./logger/app.ts";
import { SETTINGS as LOGGER_SETTINGS } from "./logger/config.ts";
import { ISSUER, KEY } from "./mercure/harness.ts";
import { createStreamer } from "./streamer/app.ts";
import { SETTINGS as STREAMER_SETTINGS } from "./streamer/config.ts";
import { Hub } from "./streamer/hub.ts";
import { Presence } from "./streamer/presence.ts";

type Settings = Readonly<Record<string, string>>;

const log = createLog({ service: "test", level: "error" });
/** With all that settings switch on. */
const EVERYTHING: Settings = { JWT_ISSUER: ISSUER, JWT_KEY: KEY, METRICS: "on", SUBSCRIPTIONS: "on" };
const ELSEWHERE: Settings = {
  ...EVERYTHING,
  HUB_URL: "https://hub.test/live/hub",
  EVENTS_PATH: "/in/box",
  TRACKER_PATH: "/js/t.js",
};

async function apiOf({ app }: Pick<Fixture, "app">): Promise<DescribedApi> {
  return new DescribedApi(await (await app.request("/openapi.json")).json());
}

async function streamerApp(env: Settings): Promise<App> {
  const channel = new MemoryChannel();
  const config = readSettings(STREAMER_SETTINGS, { get: (name) => env[name] });
  const opened = await openAccess(config, { log });
  const presence = config.subscriptions === "on"
    ? new Presence({ channel, log, hubPath: opened.hubUrl.path, intervalMs: 10_000, maxStreamLifeMs: 0 })
    : undefined;
  return await createStreamer({ config, channel, hub: new Hub({ channel, log }), presence, log, ...opened });
}

/** The real apps. */
async function appsOf(env: Settings): Promise<Record<string, App>> {
  return {
    broadcaster: (await broadcaster(env)).app,
    streamer: await streamerApp(env),
    logger: await createLogger({ config: readSettings(LOGGER_SETTINGS, { get: (name) => env[name] }), log }),
    forwarder: createForwarder({ log }),
  };
}

/** What an app answers, as `METHOD path` in the words of its router. */
function routesOf(app: App): string[] {
  const routes = inspectRoutes(app)
    // What is there for all methods and passes the request on is no route. Of the others it may be the last.
    .filter(({ method, isMiddleware }) => method !== "ALL" || !isMiddleware)
    .map(({ method, path }) => `${method} ${path}`);
  return [...new Set(routes)];
}

/** Whether a route is one that an operation of the document means, or that answers some of it. */
function isSame(route: string, name: string, operation: DescribedOperation, api: DescribedApi): boolean {
  const [[method, path = ""], [wanted, template = ""]] = [route.split(" "), name.split(" ")];
  if (method !== wanted) return false;
  if (path.endsWith("/*")) return template.startsWith(path.slice(0, -1));
  return path.replace(/:(\w+)/g, "{$1}") === template || api.isMeant(path, template, operation);
}

/** What the app has and the document has not, and the other way round. */
function differences(
  service: string,
  app: App,
  api: DescribedApi,
): { missing: string[]; invented: string[] } {
  const routes = routesOf(app);
  // These two are answered without a route of their own.
  const operations = api.operationsOf(service).entries().filter(([name]) => !/^(HEAD|OPTIONS) /.test(name))
    .toArray();
  return {
    missing: routes.filter((route) =>
      !operations.some(([name, operation]) => isSame(route, name, operation, api))
    ),
    invented: operations.flatMap(([name, operation]) => {
      if (routes.some((route) => isSame(route, name, operation, api) && /[:*]/.test(route))) return [];
      const meant = expanded(name, operation);
      const invented = meant.filter((each) => !routes.includes(each));
      return invented.length === meant.length ? [name] : invented;
    }),
  };
}

/** An operation once for each of the paths that it means, where a part of them is one of a list. */
function expanded(name: string, { parameters = [] }: DescribedOperation): string[] {
  return parameters.filter((parameter) => parameter.in === "path").reduce(
    (names, { name: part, schema }) =>
      names.flatMap((each) =>
        (schema.enum as string[] | undefined ?? [`{${part}}`]).map((value) =>
          each.replace(`{${part}}`, value)
        )
      ),
    [name],
  );
}

for (const [what, env] of Object.entries({ usual: EVERYTHING, other: ELSEWHERE })) {
  Deno.test(`the document with the ${what} paths is valid OpenAPI 3.1`, async () => {
    const { document } = await apiOf(await broadcaster(env));
    assert.match(document.openapi, /^3\.1\./);
    // It writes into what it is given.
    const validate = (document: object) => new Validator().validate({ ...structuredClone(document) });
    assert.deepEqual(await validate(document), { valid: true });
    // It sees what is wrong, where something is.
    const { openapi, paths } = document;
    assert.equal((await validate({ openapi, paths })).valid, false);
    const schemas = { Dangling: { $ref: "#/components/schemas/Nothing" } };
    assert.equal(
      (await validate({ ...document, components: { ...document.components, schemas } })).valid,
      false,
    );
  });

  Deno.test(`the document with the ${what} paths has every route of every service, and no other`, async (t) => {
    const apps = await appsOf(env);
    // Of another one: an app that has answered takes no new routes.
    const api = await apiOf(await broadcaster(env));
    for (const [service, app] of Object.entries(apps)) {
      await t.step(service, () => {
        assert.ok(routesOf(app).length >= 2);
        assert.deepEqual(differences(service, app, api), { missing: [], invented: [] });
        // The last three are named like files of a page, and beside some.
        const added = ["/new", "/secret.js", "/hub/secret.js", "/logger/secret.js"];
        for (const path of added) app.get(path, (c) => c.text(""));
        app.on("QUERY", "/healthz", (c) => c.text("")).all("/all", (c) => c.text(""));
        const missing = [...added.map((path) => `GET ${path}`), "QUERY /healthz", "ALL /all"];
        assert.deepEqual(differences(service, app, api), { missing, invented: [] });
      });
    }
  });
}

/** A path that an operation means, in a real app. */
function exampleOf(name: string, operation: DescribedOperation, app: App, api: DescribedApi): string {
  const [, template = ""] = name.split(" ");
  if (!template.includes("{")) return template;
  const served = routesOf(app).map((route) => route.split(" ")[1] ?? "")
    .find((path) => !/[:*]/.test(path) && api.isMeant(path, template, operation));
  if (served !== undefined) return served;
  return template.replace(/\{([^}]+)\}/g, (_match, parameter) => {
    const { schema } = operation.parameters?.find(({ name }) => name === parameter) ?? {};
    return encodeURIComponent((schema?.enum as string[] | undefined)?.[0] ?? "x");
  });
}

Deno.test("the methods of each path are those that the services allow there, and HEAD is one where GET is", async () => {
  const apps = await appsOf(EVERYTHING);
  const api = await apiOf({ app: apps.broadcaster! });
  for (const [service, app] of Object.entries(apps)) {
    const operations = api.operationsOf(service);
    for (const [name, operation] of operations) {
      const path = exampleOf(name, operation, app, api);
      const [, template] = name.split(" ");
      const described = [...operations.keys()].filter((other) => other.endsWith(` ${template}`))
        .map((other) => other.split(" ")[0] ?? "");
      if (described.includes("GET")) described.push("HEAD");
      const response = await app.request(path, { method: "PATCH" });
      assert.equal(response.status, 405, `PATCH ${path} of ${service}`);
      const allowed = response.headers.get("Allow")?.split(", ") ?? [];
      const wanted = new Set(described).difference(new Set(["OPTIONS"]));
      assert.deepEqual(new Set(allowed), wanted, `${path} of ${service}`);
      if (!described.includes("OPTIONS")) continue;
      const preflight = await app.request(path, {
        method: "OPTIONS",
        headers: { "Origin": "https://other.test", "Access-Control-Request-Method": "POST" },
      });
      const shared = preflight.headers.get("Access-Control-Allow-Methods")?.split(",") ?? [];
      assert.deepEqual([...wanted].filter((method) => !shared.includes(method)), [], `${path} of ${service}`);
      await api.assertDescribed(service, `OPTIONS ${template}`, preflight);
    }
  }
});

Deno.test("what only some settings switch on is described all the same, and nothing else is missing", async () => {
  const apps = await appsOf({ METRICS: "off", SUBSCRIPTIONS: "off" });
  const api = await apiOf({ app: apps.broadcaster! });
  const found = Object.entries(apps).map(([service, app]) => [service, differences(service, app, api)]);
  const hub = "/.well-known/mercure";
  assert.deepEqual(Object.fromEntries(found), {
    broadcaster: { missing: [], invented: [`POST ${hub}`] },
    streamer: {
      missing: [],
      invented: [
        `POST ${hub}`,
        `GET ${hub}/subscriptions`,
        `GET ${hub}/subscriptions/{topic}`,
        `GET ${hub}/subscriptions/{match_type}/{match}`,
        `GET ${hub}/subscriptions/{match_type}/{match}/{subscriber}`,
        `GET /.well-known/oauth-protected-resource${hub}`,
        "GET /metrics",
      ],
    },
    logger: { missing: [], invented: [] },
    forwarder: { missing: [], invented: [] },
  });
});

Deno.test("each operation has a name of its own, a service, and a parameter for each part of its path", async () => {
  const { document } = await apiOf(await broadcaster());
  const ids: string[] = [];
  const shapes: string[] = [];
  for (const [path, item] of Object.entries(document.paths)) {
    shapes.push(path.replace(/\{[^}]+\}/g, "{}"));
    const names = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name);
    for (const { operationId, tags, parameters = [], servers } of Object.values(item)) {
      ids.push(operationId);
      assert.ok(tags.length > 0 && servers.length >= tags.length, path);
      const ofPath = parameters.filter((parameter) => parameter.in === "path");
      assert.deepEqual(ofPath.map(({ name }) => name), names, path);
      assert.ok(ofPath.every(({ required }) => required), path);
    }
  }
  assert.equal(new Set(ids).size, ids.length);
  // Two templates that differ in names only would mean the same.
  assert.equal(new Set(shapes).size, shapes.length);
});

Deno.test("every schema is JSON Schema 2020-12, and its examples are what it says", async () => {
  const { document } = await apiOf(await broadcaster());
  const text = JSON.stringify({ $defs: document.components.schemas });
  const ajv = new Ajv2020({ strict: true, strictTuples: false });
  ajv.addSchema({ $id: "all", ...JSON.parse(text.replaceAll("#/components/schemas/", "#/$defs/")) });
  let examples = 0;
  for (const [name, { examples: own = [] }] of Object.entries(document.components.schemas)) {
    const validate = ajv.getSchema(`all#/$defs/${name}`);
    assert.ok(validate, name);
    for (const example of own) assert.ok(validate(example), `${name}: ${JSON.stringify(validate.errors)}`);
    examples += own.length;
  }
  assert.ok(examples >= 2);
});

Deno.test("the document says where the services are, as far as the broadcaster is told", async () => {
  const serversOf = async (env: Settings) => {
    const api = await apiOf(await broadcaster(env));
    const ofOperation = (service: string, operation: string) =>
      api.operationsOf(service).get(operation)?.servers.map(({ url, variables = {} }) =>
        Object.entries(variables).reduce(
          (all, [name, { default: value }]) => all.replace(`{${name}}`, value),
          url,
        )
      );
    return {
      broadcaster: ofOperation("broadcaster", "GET /openapi.json"),
      streamer: ofOperation("streamer", "GET /events"),
      logger: ofOperation("logger", "GET /logger/"),
    };
  };
  assert.deepEqual(await serversOf({}), {
    broadcaster: ["/"],
    streamer: ["http://127.0.0.1:8001"],
    logger: ["http://127.0.0.1:8002"],
  });
  const told = { HUB_URL: "https://hub.test/live", LOGGER_URL: "https://log.test/a/logger/" };
  assert.deepEqual(await serversOf(told), {
    broadcaster: ["/"],
    streamer: ["https://hub.test"],
    logger: ["https://log.test/a"],
  });
  assert.deepEqual((await serversOf({ LOGGER_URL: "/logger/" })).logger, ["/"]);
  for (const url of ["https://log.test/", "https://log.test/?a=/logger/", "/x#/logger/"]) {
    assert.deepEqual((await serversOf({ LOGGER_URL: url })).logger, ["http://127.0.0.1:8002"], url);
  }
  assert.equal(DEFAULT_PORTS.streamer, STREAMER_SETTINGS.port.default);
  assert.equal(DEFAULT_PORTS.logger, LOGGER_SETTINGS.port.default);
  assert.ok(BROADCASTER_SETTINGS.loggerUrl.default.includes(`:${DEFAULT_PORTS.logger}/`));
});

Deno.test("the cookie and the header that the hub takes a token from are the security schemes", async () => {
  const api = await apiOf(await broadcaster({ ...EVERYTHING, COOKIE_NAME: "t0ken" }));
  const { bearer, cookie } = api.document.components.securitySchemes;
  assert.deepEqual([bearer?.type, bearer?.scheme], ["http", "bearer"]);
  assert.deepEqual([cookie?.type, cookie?.in, cookie?.name], ["apiKey", "cookie", "t0ken"]);
});
