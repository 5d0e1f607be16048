/** Who may import whom. The rooms are only worth something while their walls stand. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../", import.meta.url);
/** Programs of their own beside the services. */
const TOOLS = ["services/streamer/token.ts", "services/streamer/streamers.ts"];
const SERVICES = ["forwarder", "broadcaster", "streamer", "logger"];

interface Import {
  /** Path below the project, such as `services/lib/sse.ts`. */
  readonly from: string;
  /** Path below the project, or a package's name. */
  readonly to: string;
}

interface GraphModule {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly specifier: string;
    readonly code?: { readonly specifier?: string };
    readonly type?: { readonly specifier?: string };
  }[];
}

/** Every import of every module that the given files lead to, types included. */
async function importsOf(files: readonly string[]): Promise<Import[]> {
  const imports = await Promise.all(files.map(async (file) => {
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", fileURLToPath(new URL(file, ROOT))],
      cwd: fileURLToPath(ROOT),
    }).output();
    assert.ok(success, file);
    const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: GraphModule[] };
    return modules.filter(({ specifier }) => specifier.startsWith(ROOT.href)).flatMap((module) =>
      (module.dependencies ?? []).map((dependency) => ({
        from: module.specifier.slice(ROOT.href.length),
        to: nameOf(dependency.code?.specifier ?? dependency.type?.specifier ?? dependency.specifier),
      }))
    );
  }));
  const unique = new Map(imports.flat().map((each) => [`${each.from} ${each.to}`, each]));
  return [...unique.values()];
}

function nameOf(specifier: string): string {
  if (specifier.startsWith(ROOT.href)) return specifier.slice(ROOT.href.length);
  return specifier.replace(/^npm:\/?/, "").replace(/^(@?[^@]+)@[^/]*/, "$1");
}

async function filesBelow(folder: string, suffix: RegExp): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(new URL(`${folder}/`, ROOT))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) files.push(...await filesBelow(path, suffix));
    else if (suffix.test(entry.name)) files.push(path);
  }
  return files;
}

const isTest = (path: string) =>
  /_test\.ts$|_bench\.ts$|_harness\.ts$|\/testing\/|^services\/(chaos|bench|mercure|tracker)(\.ts$|\/)/.test(
    path,
  );

Deno.test("the rooms import only whom they may", async (t) => {
  const files = await filesBelow("services", /\.ts$/);
  const pages = await filesBelow("static", /\.js$/);
  const imports = await importsOf([...files, ...pages]);
  const breaches = (rule: (each: Import) => boolean) =>
    imports.filter((each) => !rule(each)).map(({ from, to }) => `${from} imports ${to}`);
  const check = (name: string, rule: (each: Import) => boolean) =>
    t.step(name, () => assert.deepEqual(breaches(rule), []));

  // A reader of the graph that sees nothing would let everything pass.
  assert.ok(
    imports.some(({ from, to }) => from === "services/streamer/main.ts" && to === "services/lib/http.ts"),
  );
  assert.ok(imports.some(({ from, to }) => from === "services/forwarder/broker.ts" && to === "zeromq"));

  await check("a service imports itself and services/lib, never another service", ({ from, to }) => {
    const service = SERVICES.find((name) => from.startsWith(`services/${name}/`));
    return service === undefined || !to.startsWith("services/") ||
      to.startsWith(`services/${service}/`) || to.startsWith("services/lib/");
  });
  await check(
    "services/lib imports no service",
    ({ from, to }) =>
      !from.startsWith("services/lib/") || !to.startsWith("services/") || to.startsWith("services/lib/"),
  );
  await check(
    "only channels/open.ts names an adapter",
    ({ from, to }) =>
      isTest(from) || from.startsWith("services/lib/channels/zeromq") ||
      from === "services/lib/channels/open.ts" ||
      !/channels\/(memory|zeromq)\.ts$/.test(to),
  );
  await check(
    "the contract knows no adapter, and values know no contract",
    ({ from, to }) =>
      !(from === "services/lib/channel.ts" && to.startsWith("services/lib/channels/")) &&
      !(["services/lib/update.ts", "services/lib/sse.ts"].includes(from) && to.includes("channel")),
  );
  await check(
    "helpers for tests are imported by tests only",
    ({ from, to }) => isTest(from) || !/^services\/lib\/testing\/|_harness\.ts$/.test(to),
  );
  await check(
    "ØMQ enters by the ØMQ channel and the broker",
    ({ from, to }) =>
      to !== "zeromq" || isTest(from) || /^services\/forwarder\/(broker|zap|keys)\.ts$/.test(from) ||
      from.startsWith("services/lib/channels/zeromq"),
  );
  await check(
    "SQLite enters by the update log",
    ({ from, to }) => !to.includes("sqlite") || isTest(from) || from === "services/forwarder/update_log.ts",
  );
  await check(
    "Hono enters by http.ts, pages.ts, the Mercure handlers and those of the services",
    ({ from, to }) =>
      to.split("/")[0] !== "hono" || isTest(from) ||
      ["services/lib/http.ts", "services/lib/pages.ts", "services/lib/client_address.ts"].includes(from) ||
      from.startsWith("services/lib/mercure/") ||
      /^services\/\w+\/(app|collect|history_api|limits|metadata|openapi|server|subscribe_request|subscriptions_api|tracker_script|viewer)\.ts$/
        .test(from),
  );
  await check(
    "Node's HTTP server enters by the streamer's server.ts",
    ({ from, to }) =>
      !/^(@hono\/node-server|node:https?$)/.test(to) || isTest(from) ||
      from === "services/streamer/server.ts" || to === "node:http" && from === "services/lib/http.ts",
  );
  await check(
    "jose enters by lib/mercure",
    ({ from, to }) => to !== "jose" || isTest(from) || from.startsWith("services/lib/mercure/"),
  );
  await check(
    "JSON Schema is made by broadcaster/openapi/json_schema.ts",
    ({ from, to }) =>
      to !== "@valibot/to-json-schema" || isTest(from) ||
      from === "services/broadcaster/openapi/json_schema.ts",
  );
  await t.step("lib/api holds what more than the broadcaster needs", () => {
    const isElsewhere = (from: string) => !isTest(from) && !/^services\/(broadcaster|lib\/api)\//.test(from);
    const alone = files.filter((file) =>
      file.startsWith("services/lib/api/") &&
      !imports.some(({ from, to }) => to === file && isElsewhere(from))
    );
    assert.deepEqual(alone, []);
  });
  await check(
    "RE2 enters by linear_regexp.ts",
    ({ from, to }) => to !== "re2js" || isTest(from) || from === "services/lib/linear_regexp.ts",
  );
  await check(
    "the limiter enters by broadcaster/limits.ts, and what knows bots by broadcaster/collect.ts",
    ({ from, to }) =>
      isTest(from) ||
      (to !== "rate-limiter-flexible" || from === "services/broadcaster/limits.ts") &&
        (to !== "isbot" || from === "services/broadcaster/collect.ts"),
  );
  await check(
    "d3 enters by bench/plot_lines.ts",
    ({ from, to }) => !/^d3-/.test(to) || from === "services/bench/plot_lines.ts",
  );
  await check(
    "static imports only static",
    ({ from, to }) => !from.startsWith("static/") || to.startsWith("static/"),
  );
});

Deno.test("only main.ts and tests touch the process", async () => {
  const files = (await filesBelow("services", /\.ts$/)).filter((path) =>
    !isTest(path) && !path.endsWith("/main.ts") && !TOOLS.includes(path)
  );
  const guilty: string[] = [];
  for (const file of files) {
    const code = await Deno.readTextFile(new URL(file, ROOT));
    if (/\bDeno\.(env|exit|addSignalListener|args)\b/.test(code)) guilty.push(file);
  }
  assert.deepEqual(guilty, []);
});
