import assert from "node:assert/strict";
import { mock } from "node:test";
import { ChannelUnavailableError } from "./channel.ts";
import { type App, createApp, ProblemError, serve, type ServeOptions } from "./http.ts";
import { createLog, type Log } from "./log.ts";
import { StartError } from "./start.ts";
import { eventually, within } from "./testing/deadline.ts";
import { openSse } from "./testing/sse_reader.ts";

// A server that did not end, or a request that was left open, is what many of these tests are about.
Deno.test.sanitizer({ ops: true, resources: true });

/** A log, and its entries. */
function logInto(entries: Record<string, unknown>[]): Log {
  return createLog({ service: "tested", level: "debug", write: (line) => entries.push(JSON.parse(line)) });
}

/** An app with a handler for each way to answer. */
function createTestApp(options: { entries?: Record<string, unknown>[]; reason?: string } = {}): App {
  const { entries = [], reason } = options;
  const app = createApp({
    log: logInto(entries),
    ready: () => reason === undefined ? { reachable: true } : { reachable: false, reason },
  });
  app.get("/fine", (c) => c.text("fine"));
  app.post("/fine", (c) => c.text("posted"));
  app.get("/broken", () => {
    throw new TypeError("the password is hunter2");
  });
  app.get("/unavailable", () => {
    throw new ChannelUnavailableError("no answer from tcp://10.0.0.5:8302");
  });
  app.get("/large", () => {
    throw new ProblemError(413, "At most 5 bytes", { "Retry-After": "7" });
  });
  return app;
}

/** The members of a problem document. */
async function readProblem(response: Response): Promise<unknown> {
  assert.equal(response.headers.get("Content-Type"), "application/problem+json");
  assert.equal(response.headers.get("Cache-Control"), "no-store");
  return await response.json();
}

Deno.test("createApp() answers a problem document where there is nothing", async () => {
  for (
    const [method, path] of [["GET", "/nothing"], ["POST", "/nothing"], ["BREW", "/"], ["GET", "/fine/"]]
  ) {
    const response = await createTestApp().request(path!, { method: method! });
    assert.equal(response.status, 404);
    assert.deepEqual(await readProblem(response), {
      title: "Not Found",
      status: 404,
      detail: "There is nothing at this address",
    });
  }
});

Deno.test("createApp() says which methods there are where the method is not", async () => {
  for (
    const [method, path, allowed] of [
      ["POST", "/healthz", "GET, HEAD"],
      ["PUT", "/fine", "GET, HEAD, POST"],
      ["OPTIONS", "/fine", "GET, HEAD, POST"],
      ["DELETE", "/broken", "GET, HEAD"],
    ]
  ) {
    const response = await createTestApp().request(path!, { method: method! });
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("Allow"), allowed);
    assert.deepEqual(await readProblem(response), {
      title: "Method Not Allowed",
      status: 405,
      detail: `Only ${allowed} can be used here`,
    });
  }
});

Deno.test("createApp() tells a stranger nothing of an error but the id under which it is in the log", async () => {
  const entries: Record<string, unknown>[] = [];
  const response = await createTestApp({ entries }).request("/broken");
  assert.equal(response.status, 500);
  const requestId = response.headers.get("X-Request-Id");
  assert.match(requestId ?? "", /^[0-9a-f-]{36}$/);
  assert.doesNotMatch(JSON.stringify([...response.headers]), /hunter2|TypeError/);
  assert.deepEqual(await readProblem(response), {
    title: "Internal Server Error",
    status: 500,
    detail: "The service failed to answer; its log says why",
  });
  assert.deepEqual(
    entries.map(({ level, message, method, path, requestId }) => [level, message, method, path, requestId]),
    [["error", "Cannot answer: the password is hunter2", "GET", "/broken", requestId]],
  );
});

Deno.test("createApp() takes over a request id that a proxy has given, and no text that is none", async () => {
  const idFor = async (id: string) => {
    const response = await createTestApp().request("/fine", { headers: { "X-Request-Id": id } });
    return response.headers.get("X-Request-Id");
  };
  assert.equal(await idFor("from-proxy_1="), "from-proxy_1=");
  for (const id of ["<script>", "a b", "x".repeat(256)]) {
    assert.match(await idFor(id) ?? "", /^[0-9a-f-]{36}$/);
  }
});

Deno.test("createApp() asks to try again when the channel is unavailable", async () => {
  const entries: Record<string, unknown>[] = [];
  const response = await createTestApp({ entries }).request("/unavailable");
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("Retry-After"), "1");
  assert.deepEqual(await readProblem(response), {
    title: "Service Unavailable",
    status: 503,
    detail: "The channel did not answer in time; try again",
  });
  assert.deepEqual(entries.map(({ level, message }) => [level, message]), [
    ["warn", "no answer from tcp://10.0.0.5:8302"],
  ]);
});

Deno.test("createApp() turns a ProblemError into a problem document", async () => {
  const entries: Record<string, unknown>[] = [];
  const response = await createTestApp({ entries }).request("/large");
  assert.equal(response.status, 413);
  assert.deepEqual(await readProblem(response), {
    title: "Payload Too Large",
    status: 413,
    detail: "At most 5 bytes",
  });
  assert.deepEqual(entries, []);
});

Deno.test("createApp() is healthy and ready while the channel can be reached", async () => {
  for (const [path, status] of [["/healthz", "ok"], ["/readyz", "ready"]]) {
    const response = await createTestApp().request(path!);
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { status });
  }
});

Deno.test("createApp() is healthy but not ready while the channel cannot be reached", async () => {
  const app = createTestApp({ reason: "The forwarder does not answer" });
  assert.equal((await app.request("/healthz")).status, 200);
  const response = await app.request("/readyz");
  assert.equal(response.status, 503);
  assert.deepEqual(await readProblem(response), {
    title: "Service Unavailable",
    status: 503,
    detail: "The forwarder does not answer",
  });
});

Deno.test("createApp() answers HEAD without a body", async () => {
  const response = await createTestApp().request("/healthz", { method: "HEAD" });
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "");
});

for (const path of ["/fine", "/nothing", "/broken", "/unavailable", "/large", "/healthz", "/readyz"]) {
  for (const method of ["GET", "PUT"]) {
    Deno.test(`createApp() sends its security headers with the answer to ${method} ${path}`, async () => {
      const { headers } = await createTestApp().request(path, { method });
      assert.equal(headers.get("X-Content-Type-Options"), "nosniff");
      assert.equal(headers.get("X-Frame-Options"), "DENY");
      assert.equal(headers.get("Referrer-Policy"), "no-referrer");
      assert.ok(headers.has("X-Request-Id"));
      // The one would forbid what CORS allows; the other is for whoever terminates TLS to say.
      assert.ok(!headers.has("Cross-Origin-Resource-Policy"));
      assert.ok(!headers.has("Strict-Transport-Security"));
    });
  }
}

interface Served extends AsyncDisposable {
  readonly url: string;
  readonly ended: Promise<void>;
  end(): void;
}

/** Serves an app on a free port until it is disposed. */
async function serveApp(app: App, options: Partial<ServeOptions> = {}): Promise<Served> {
  const controller = new AbortController();
  const listening = Promise.withResolvers<string>();
  const ended = serve(app, {
    hostname: "127.0.0.1",
    port: 0,
    signal: controller.signal,
    log: logInto([]),
    onListen: listening.resolve,
    ...options,
  });
  ended.catch(listening.reject);
  return {
    url: await within("the open port", listening.promise),
    ended,
    end: () => controller.abort(),
    async [Symbol.asyncDispose]() {
      controller.abort();
      await within("the end of the server", ended);
    },
  };
}

/** Whether this machine has the address, as one without IPv6 has not. */
function canListen(hostname: string): boolean {
  try {
    Deno.listen({ hostname, port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

for (
  const [hostname, shown] of [
    ["127.0.0.1", "127.0.0.1"],
    ["0.0.0.0", "localhost"],
    ["::", "localhost"],
    ["::1", "[::1]"],
  ] as const
) {
  Deno.test({
    name: `serve() on ${hostname} says an address that a browser on this machine can open`,
    ignore: !canListen(hostname),
    async fn() {
      const entries: Record<string, unknown>[] = [];
      await using served = await serveApp(createTestApp(), { hostname, log: logInto(entries) });
      assert.match(served.url, /^http:\/\/[^/]+:[1-9]\d*\/$/);
      assert.equal(new URL(served.url).hostname, shown);
      assert.deepEqual(entries.map(({ message, url }) => [message, url]), [["Listening", served.url]]);
      const response = await within("the answer", fetch(`${served.url}fine`));
      assert.equal(await response.text(), "fine");
    },
  });
}

Deno.test("serve() fails with a StartError that names address and port when the port is in use", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const onListen = mock.fn();
  await assert.rejects(
    within("the refusal", serveApp(createTestApp(), { port, onListen })),
    (error) => error instanceof StartError && error.message.includes(`127.0.0.1 port ${port}: `),
  );
  assert.equal(onListen.mock.callCount(), 0);
});

Deno.test("serve() ends when its signal aborts, and leaves its port", async () => {
  const served = await serveApp(createTestApp());
  served.end();
  await within("the end", served.ended);
  const port = Number(new URL(served.url).port);
  Deno.listen({ hostname: "127.0.0.1", port }).close();
});

Deno.test("serve() ends at once for a signal that has aborted", async () => {
  const served = await serveApp(createTestApp(), { signal: AbortSignal.abort() });
  await within("the end", served.ended);
});

Deno.test("serve() lets an open request finish and takes no new one", async () => {
  const asked = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const app = createTestApp();
  app.get("/slow", async (c) => {
    asked.resolve();
    await release.promise;
    return c.text("slow");
  });
  await using served = await serveApp(app);
  const answer = fetch(`${served.url}slow`);
  await within("the request", asked.promise);
  served.end();
  await eventually("the port to close", async () => {
    try {
      const response = await fetch(`${served.url}fine`);
      await response.body?.cancel();
      return false;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return true;
    }
  });
  release.resolve();
  const response = await within("the answer", answer);
  assert.equal(await response.text(), "slow");
});

/** An app with a stream at `/stream`; `close` ends all streams. */
function createStreamingApp(): { app: App; close: () => void } {
  const streams: ReadableStreamDefaultController<Uint8Array>[] = [];
  const app = createTestApp();
  app.get("/stream", (c) =>
    c.body(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(":\n\n"));
          streams.push(controller);
        },
      }),
    ));
  return { app, close: () => streams.forEach((stream) => stream.close()) };
}

Deno.test("serve() ends once its streams have ended", async () => {
  const { app, close } = createStreamingApp();
  const served = await serveApp(app);
  await using reader = await openSse(`${served.url}stream`);
  await reader.until("the first comment", () => reader.comments.length === 1);
  served.end();
  close();
  await within("the end of the server", served.ended);
  await reader.until("the end of the stream", () => reader.ended);
});

Deno.test("serve() does not wait for ever for a stream that does not end", async () => {
  const { app, close } = createStreamingApp();
  const served = await serveApp(app);
  await using reader = await openSse(`${served.url}stream`);
  await reader.until("the first comment", () => reader.comments.length === 1);
  served.end();
  await within("the end of the server", served.ended);
  assert.equal(reader.ended, false);
  // A process would end here and cut the connection; the test has to clean up.
  close();
  await reader.until("the end of the stream", () => reader.ended);
});
