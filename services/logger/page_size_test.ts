/** What the logger page loads, and how much of it there may be. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";

const FOLDER = new URL("../../static/logger/", import.meta.url);
/** Bytes, each file compressed on its own as a server would. */
const SCRIPT_BYTES_MAX = 30_000;
const FIGURES_BYTES_MAX = 9_000;
const STYLE_BYTES_MAX = 8_000;

const read = (name: string) => Deno.readTextFile(new URL(name, FOLDER));
const size = async (name: string) => gzipSync(await read(name), { level: 9 }).length;

async function sizeOf(names: Iterable<string>): Promise<number> {
  const sizes = await Promise.all([...names].map(size));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

/** The module, and all that it imports before it runs. */
async function graphOf(name: string, graph: Set<string> = new Set()): Promise<Set<string>> {
  if (graph.has(name)) return graph;
  graph.add(name);
  const imports = (await read(name)).matchAll(
    /^(?:import|\} from|export [^;]* from) ?[^;]*?"\.\/([\w.]+)";$/gm,
  );
  for (const [, imported] of imports) await graphOf(imported ?? "", graph);
  return graph;
}

Deno.test("the page names exactly the modules that its script imports, so that they load at once", async () => {
  const page = await read("index.html");
  const named = [...page.matchAll(/<link rel="modulepreload" href="([^"]+)">/g)].map(([, name]) => name);
  const imported = await graphOf("logger.js");
  imported.delete("logger.js");
  assert.deepEqual(named, [...imported].sort());
});

Deno.test("the scripts that the first row waits for stay within the budget", async () => {
  const modules = await graphOf("logger.js");
  assert.ok(modules.size > 15);
  const bytes = await sizeOf(modules);
  assert.ok(bytes <= SCRIPT_BYTES_MAX, `${bytes} bytes`);
});

Deno.test("so do those that come after it while nobody touches the page", async () => {
  const first = await graphOf("logger.js");
  const figures = [...await graphOf("figures.js")].filter((name) => !first.has(name));
  assert.ok(figures.length > 3);
  const bytes = await sizeOf(figures);
  assert.ok(bytes <= FIGURES_BYTES_MAX, `${bytes} bytes`);
});

Deno.test("all styles stay within the budget", async () => {
  const page = await read("index.html");
  const styles = [...page.matchAll(/<link rel="stylesheet" href="([^"]+)">/g)].map(([, name]) => name ?? "");
  assert.ok(styles.length > 1);
  const bytes = await sizeOf(styles);
  assert.ok(bytes <= STYLE_BYTES_MAX, `${bytes} bytes`);
});
