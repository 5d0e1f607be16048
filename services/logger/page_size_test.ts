/** What the logger page loads, and how much of it there may be. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";

const FOLDER = new URL("../../static/logger/", import.meta.url);
/** Bytes, each file compressed on its own as a server would. */
const SCRIPT_BYTES_MAX = 30 * 1024;
const OBSERVERS_BYTES_MAX = 11 * 1024;
const STYLE_BYTES_MAX = 8 * 1024;
const PANELS_STYLE_BYTES_MAX = 2 * 1024;

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
  const observers = await Promise.all(
    ["figures.js", "announcer.js", "interruptions.js", "alerts.js"].map((name) => graphOf(name)),
  );
  const later = new Set(observers.flatMap((graph) => [...graph])).difference(first);
  assert.ok(later.size > 7);
  const bytes = await sizeOf(later);
  assert.ok(bytes <= OBSERVERS_BYTES_MAX, `${bytes} bytes`);
});

Deno.test("the styles stay within the budget: those of the rows, and those of the panels, which come on demand", async () => {
  const page = await read("index.html");
  const styles = [...page.matchAll(/<link rel="stylesheet" href="([^"]+)">/g)].map(([, name]) => name ?? "");
  assert.ok(styles.length > 1);
  const bytes = await sizeOf(styles);
  assert.ok(bytes <= STYLE_BYTES_MAX, `${bytes} bytes`);
  const panels = await size("panels.css");
  assert.ok(panels <= PANELS_STYLE_BYTES_MAX, `${panels} bytes`);
});
