/** Serves the static pages: puts settings into them, and sends what a browser needs to be strict about them. */
import { serveStatic } from "hono/deno";
import { fileURLToPath } from "node:url";
import { type App, compressed } from "./http.ts";
import { messageOf } from "./log.ts";
import { StartError } from "./start.ts";

const STATIC_FOLDER = new URL("../../static/", import.meta.url);

/** What a page says where a static host serves it, and what this service says instead. */
export type Replacements = Readonly<Record<string, string>>;

/**
 * Reads a page below `static/` and replaces each text, which must stand in it exactly once: a page that was
 * edited must not lose its settings in silence.
 *
 * @throws {StartError} when the page cannot be read, or a text is not in it once.
 */
export async function readPage(path: string, replacements: Replacements): Promise<string> {
  let page: string;
  try {
    page = await Deno.readTextFile(new URL(path, STATIC_FOLDER));
  } catch (error) {
    throw new StartError(`Cannot read static/${path}: ${messageOf(error)}`, { cause: error });
  }
  for (const [text, replacement] of Object.entries(replacements)) {
    const parts = page.split(text);
    if (parts.length !== 2) {
      throw new StartError(`Cannot put settings into static/${path}: ${text} must be in it once`);
    }
    page = parts.join(replacement);
  }
  return page;
}

/** Text as it may stand between double quotes in HTML. */
export function escapeAttribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}

/**
 * Answers `path` with the page. Its policy stands in the page, for hosts that send none; as a header it applies
 * from the first byte, and can forbid other sites to frame the page, which an element cannot.
 *
 * @throws {StartError} when the page has no policy.
 */
export function servePage(app: App, path: string, page: string): void {
  const [, policy] = /<meta http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page) ?? [];
  if (policy === undefined) {
    throw new StartError(`Cannot serve ${path}: the page has no Content-Security-Policy`);
  }
  const headers = {
    "Content-Security-Policy": `${policy}; frame-ancestors 'none'`,
    "Cache-Control": "no-cache",
  };
  app.get(path, compressed(), (c) => c.html(page, 200, headers));
}

/** The names of the files in a folder below `static/`. */
export async function listFiles(folder: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(new URL(`${folder}/`, STATIC_FOLDER)));
  return entries.filter((entry) => entry.isFile).map((entry) => entry.name);
}

/** Those of a page that go with it: all but the page itself, in which a service puts its settings. */
export async function listPageFiles(folder: string): Promise<string[]> {
  return (await listFiles(folder)).filter((file) => !file.endsWith(".html"));
}

/** Answers `<prefix>/<file>` with `static/<folder>/<file>`, for these files only. */
export function serveFiles(app: App, prefix: string, folder: string, files: readonly string[]): void {
  for (const file of files) {
    app.get(
      `${prefix}/${file}`,
      compressed(),
      serveStatic({
        root: fileURLToPath(new URL(`${folder}/`, STATIC_FOLDER)),
        path: file,
        // Asked for again each time, answered with 304 mostly: after an upgrade no page runs an old script.
        onFound: (_path, c) => c.header("Cache-Control", "no-cache"),
      }),
    );
  }
}
