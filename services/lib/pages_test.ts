import assert from "node:assert/strict";
import * as fc from "fast-check";
import { gunzipSync } from "node:zlib";
import { type App, createApp, serve } from "./http.ts";
import { createLog } from "./log.ts";
import { escapeAttribute, listFiles, readPage, serveFiles, servePage } from "./pages.ts";
import { StartError } from "./start.ts";
import { within } from "./testing/deadline.ts";
import { trickyText } from "./testing/fixtures.ts";

// A file that was opened for an answer and never closed would show here.
Deno.test.sanitizer({ ops: true, resources: true });

const STATIC = new URL("../../static/", import.meta.url);
const PAGE = "logger/index.html";
const DOCTYPE = "<!DOCTYPE html>";
const log = createLog({ service: "tested", level: "error", write: (line) => assert.fail(line) });

function createTestApp(): App {
  return createApp({ log, ready: () => ({ reachable: true }) });
}

Deno.test("readPage() returns the page with each text replaced", async () => {
  const original = await Deno.readTextFile(new URL(PAGE, STATIC));
  assert.equal(await readPage(PAGE, {}), original);
  const page = await readPage(PAGE, { [DOCTYPE]: "<!-- $& $1 $$ -->", "</html>": "<!-- end -->" });
  assert.equal(
    page,
    original.replace(DOCTYPE, () => "<!-- $& $1 $$ -->").replace("</html>", "<!-- end -->"),
  );
});

for (const [what, text] of [["is not in the page", "no such text"], ["is in it more than once", "<meta "]]) {
  Deno.test(`readPage() refuses a text that ${what}`, async () => {
    await assert.rejects(
      readPage(PAGE, { [text!]: "x" }),
      (error) => error instanceof StartError && error.message.includes(PAGE) && error.message.includes(text!),
    );
  });
}

Deno.test("readPage() refuses a page that is not there, and says which", async () => {
  await assert.rejects(
    readPage("logger/none.html", {}),
    (error) =>
      error instanceof StartError && error.message.startsWith("Cannot read static/logger/none.html: "),
  );
});

Deno.test("escapeAttribute() makes text that reads back the same between double quotes", () => {
  assert.equal(escapeAttribute('"><script>&quot;'), "&quot;>&lt;script>&amp;quot;");
  fc.assert(fc.property(trickyText, (text) => {
    const escaped = escapeAttribute(text);
    assert.doesNotMatch(escaped, /["<]/);
    const read = escaped.replace(
      /&(quot|lt|amp);/g,
      (_, name) => ({ quot: '"', lt: "<", amp: "&" })[name as "lt"],
    );
    assert.equal(read, text);
  }));
});

const STRICT_PAGE =
  `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'"><p>one</p>`;

Deno.test("servePage() sends the page with its own policy, and lets nobody frame it", async () => {
  const app = createTestApp();
  servePage(app, "/page", STRICT_PAGE);
  const response = await app.request("/page");
  assert.equal(response.status, 200);
  assert.equal(await response.text(), STRICT_PAGE);
  assert.match(response.headers.get("Content-Type") ?? "", /^text\/html; charset=utf-8$/i);
  assert.equal(response.headers.get("Cache-Control"), "no-cache");
  assert.equal(
    response.headers.get("Content-Security-Policy"),
    "default-src 'none'; script-src 'self'; frame-ancestors 'none'",
  );
});

Deno.test("servePage() refuses a page without a policy", () => {
  assert.throws(() => servePage(createTestApp(), "/page", "<p>one</p>"), StartError);
});

Deno.test("servePage() answers HEAD with the headers alone", async () => {
  const app = createTestApp();
  servePage(app, "/page", STRICT_PAGE);
  const response = await app.request("/page", { method: "HEAD" });
  assert.equal(response.status, 200);
  assert.ok(response.headers.has("Content-Security-Policy"));
  assert.equal(await response.text(), "");
});

for (const path of ["tracking/index.html", "logger/index.html", "hub/index.html"]) {
  Deno.test(`the policy of ${path} lets in nothing but its own files`, async () => {
    const app = createTestApp();
    servePage(app, "/page", await readPage(path, {}));
    const policy = (await app.request("/page")).headers.get("Content-Security-Policy") ?? "";
    assert.deepEqual(policy.split("; ").toSorted(), [
      "base-uri 'none'",
      "connect-src 'self'",
      "default-src 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "img-src 'self' data:",
      "require-trusted-types-for 'script'",
      "script-src 'self'",
      "style-src 'self'",
    ]);
  });
}

/** The ETag of what is there, and the status of asking again with it. */
async function revalidate(app: App, path: string): Promise<{ etag: string; status: number; body: string }> {
  const first = await app.request(path);
  await first.body?.cancel();
  const etag = first.headers.get("ETag");
  assert.ok(etag);
  const second = await app.request(path, { headers: { "If-None-Match": etag } });
  assert.equal(second.headers.get("ETag"), etag);
  assert.equal(second.headers.get("Cache-Control"), "no-cache");
  return { etag, status: second.status, body: await second.text() };
}

Deno.test("servePage() answers 304 for a page that has not changed", async () => {
  const app = createTestApp();
  servePage(app, "/one", STRICT_PAGE);
  servePage(app, "/two", STRICT_PAGE.replace("one", "two"));
  const one = await revalidate(app, "/one");
  const two = await revalidate(app, "/two");
  assert.deepEqual([one.status, one.body, two.status, two.body], [304, "", 304, ""]);
  const stale = await app.request("/two", { headers: { "If-None-Match": one.etag } });
  assert.equal(stale.status, 200);
  assert.equal(await stale.text(), STRICT_PAGE.replace("one", "two"));
});

Deno.test("listFiles() names the files of a folder, and no folders in it", async () => {
  const files = await listFiles("logger");
  for (const name of ["index.html", "design.css", "favicon.svg"]) assert.ok(files.includes(name));
  for (const name of files) assert.ok((await Deno.stat(new URL(`logger/${name}`, STATIC))).isFile);
  const beside = await listFiles("../services/lib");
  assert.ok(beside.includes("pages.ts") && !beside.includes("channels"));
});

for (
  const [extension, type] of [
    [".css", /^text\/css\b/],
    [".js", /^text\/javascript\b/],
    [".svg", /^image\/svg\+xml\b/],
  ] as const
) {
  Deno.test(`serveFiles() serves ${extension} files as what they are, to GET and HEAD, and 304 afterwards`, async () => {
    const name = (await listFiles("logger")).find((file) => file.endsWith(extension));
    assert.ok(name);
    const app = createTestApp();
    serveFiles(app, "/files", "logger", [name]);
    const bytes = await Deno.readFile(new URL(`logger/${name}`, STATIC));
    for (const [method, body] of [["GET", bytes], ["HEAD", new Uint8Array()]] as const) {
      const response = await app.request(`/files/${name}`, { method });
      assert.equal(response.status, 200);
      assert.match(response.headers.get("Content-Type") ?? "", type);
      assert.equal(response.headers.get("X-Content-Type-Options"), "nosniff");
      assert.equal(response.headers.get("Cache-Control"), "no-cache");
      assert.deepEqual(await response.bytes(), body);
    }
    const { status, body } = await revalidate(app, `/files/${name}`);
    assert.deepEqual([status, body], [304, ""]);
  });
}

Deno.test("pages and files are compressed for those who take it, and known again by their tag", async () => {
  const app = createTestApp();
  const page = STRICT_PAGE + "x".repeat(2000);
  servePage(app, "/page", page);
  serveFiles(app, "", "logger", ["design.css"]);
  const wanted = {
    "/page": page,
    "/design.css": await Deno.readTextFile(new URL("logger/design.css", STATIC)),
  };
  for (const [path, text] of Object.entries(wanted)) {
    const gzip = { "Accept-Encoding": "gzip, br" };
    const { headers, ...response } = await ask(app, path, gzip);
    assert.equal(headers.get("Content-Encoding"), "gzip");
    assert.ok(response.body.length < text.length / 2);
    assert.equal(gunzipSync(response.body).toString(), text);
    const again = await ask(app, path, { ...gzip, "If-None-Match": headers.get("ETag") ?? "" });
    assert.equal(again.status, 304);
    assert.equal((await ask(app, path, {})).headers.get("Content-Encoding"), null);
  }
});

Deno.test("each answer of a page or a file says once that it depends on what the client takes", async () => {
  const app = createTestApp();
  servePage(app, "/long", STRICT_PAGE + "x".repeat(2000));
  servePage(app, "/short", STRICT_PAGE);
  serveFiles(app, "", "logger", ["design.css"]);
  for (const path of ["/long", "/short", "/design.css"]) {
    for (const taken of [{ "Accept-Encoding": "gzip" }, {}]) {
      for (const method of ["GET", "HEAD"]) {
        for (const [known, status] of [[{}, 200], [{ "If-None-Match": "*" }, 304]] as const) {
          const response = await app.request(path, { method, headers: { ...taken, ...known } });
          await response.body?.cancel();
          const what = `${method} ${path} ${status}`;
          assert.equal(response.status, status, what);
          assert.equal(response.headers.get("Vary"), "Accept-Encoding", what);
        }
      }
    }
  }
});

async function ask(
  app: App,
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number; headers: Headers; body: Uint8Array }> {
  const response = await app.request(path, { headers });
  return { status: response.status, headers: response.headers, body: await response.bytes() };
}

Deno.test("serveFiles() serves the files that are listed, and nothing else however it is asked", async () => {
  const app = createTestApp();
  serveFiles(app, "/files", "logger", ["design.css"]);
  const server = new AbortController();
  const listening = Promise.withResolvers<string>();
  const serving = serve(app, {
    hostname: "127.0.0.1",
    port: 0,
    signal: server.signal,
    // Over a real socket: request() would resolve the dots before the app sees them.
    log: createLog({ service: "tested", level: "error", write: (line) => assert.fail(line) }),
    onListen: listening.resolve,
  });
  const port = Number(new URL(await within("the port", listening.promise)).port);
  const statusOf = async (target: string) => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    const request = `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
    await connection.write(new TextEncoder().encode(request));
    const answer = await within(`the answer to ${target}`, new Response(connection.readable).text());
    assert.match(answer, /^HTTP\/1\.1 \d{3} /, target);
    return Number(answer.slice(9, 12));
  };
  try {
    assert.equal(await statusOf("/files/design.css"), 200);
    assert.equal(await statusOf("/files/design.css?v=1"), 200);
    for (
      const target of [
        "/files/",
        "/files",
        "/files/index.html",
        "/files/favicon.svg",
        "/files/none.css",
        "/files/design.css/",
        "/files/design.css%00.html",
        "/files/DESIGN.CSS",
        "/design.css",
        "/files/../deno.json",
        "/files/../../deno.json",
        "/files/%2e%2e/%2e%2e/deno.json",
        "/files/%2e%2e%2fdeno.json",
        "/files/..%2f..%2fdeno.json",
        "/files/..\\..\\deno.json",
        "/files//design.css",
        "/files/./index.html",
        "//files/index.html",
        "/../deno.json",
        "/%2e%2e/deno.json",
        "/etc/passwd",
        "//etc/passwd",
      ]
    ) {
      assert.equal(await statusOf(target), 404, target);
    }
  } finally {
    server.abort();
    await within("the end of the server", serving);
  }
});
