import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { MemoryChannel } from "../lib/channels/memory.ts";
import type { Cursor } from "../lib/channel.ts";
import { createApp, type HttpServer } from "../lib/http.ts";
import { createLog } from "../lib/log.ts";
import { libc } from "../lib/libc.ts";
import { eventually, within } from "../lib/testing/deadline.ts";
import { numberedUpdate } from "../lib/testing/fixtures.ts";
import { startService } from "../lib/testing/processes.ts";
import { answerWithStream, listenForStreams } from "./server.ts";
import { RawClient, requestFor, startStreamer, type StreamerOptions } from "./streamer_harness.ts";

const log = createLog({ service: "test", level: "error" });
/** What goes wrong on purpose is not for the eyes of who runs the tests. */
const silent = { ...log, error() {} };

const HEALTH = requestFor("/healthz");
const EVENT_1 = 'id: urn:test:1\nevent: test\ndata: {"number":1}\n\n';

/** Opens a stream with what is sent, and checks that it is one. */
async function assertStream(
  send: (client: RawClient) => Promise<void>,
  { options = {}, isStream = (text: string) => /^HTTP\/1\.1 200 .*\r\n\r\n:\nretry: \d+\n/s.test(text) }: {
    options?: StreamerOptions;
    isStream?: (text: string) => boolean;
  } = {},
): Promise<void> {
  await using streamer = await startStreamer(options);
  {
    using client = await RawClient.connect(streamer.port);
    await send(client);
    await client.until("the preamble", isStream);
    await eventually("the stream is live", () => streamer.hub.live === 1);
    assert.equal(streamer.hub.size, 1);
    await streamer.channel.publish(numberedUpdate(1));
    await client.untilText(EVENT_1);
    assert.ok(client.text.endsWith(EVENT_1), "nothing but the stream follows its head");
  }
  await eventually("the stream is over", () => streamer.hub.size === 0);
  assert.equal(streamer.hub.counters.ended.left, 1);
}

/** Sends what no client should: it may get a stream, or nothing. */
async function assertNothingLeft(text: string): Promise<void> {
  await using streamer = await startStreamer();
  using client = await RawClient.connect(streamer.port);
  await client.send(text);
  while (!client.text.includes("retry") && await client.read());
  assert.ok(streamer.hub.size <= 1);
  assert.doesNotMatch(client.text, /"status"/);
  client[Symbol.dispose]();
  await eventually("nothing is left", () => streamer.hub.size === 0);
  await streamer.shutdown();
}

/** What a server answers to this, to its end. */
async function answer(text: string, options: StreamerOptions = {}): Promise<string> {
  await using streamer = await startStreamer(options);
  using client = await RawClient.connect(streamer.port);
  await client.send(text);
  await client.untilEnd();
  assert.equal(streamer.hub.size, 0);
  return client.text;
}

Deno.test("a stream is opened by a request in any form that HTTP/1 allows", async (t) => {
  const whole = (text: string) => (client: RawClient) => client.send(text);
  const form = "Content-Type: application/x-www-form-urlencoded\r\n";
  const cases: Record<string, (client: RawClient) => Promise<void>> = {
    "HTTP/1.1": whole(requestFor()),
    "HTTP/1.0 without Host": whole("GET /events HTTP/1.0\r\n\r\n"),
    "HTTP/1.0 with keep-alive": whole("GET /events HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
    "Connection: close": whole(requestFor("/events", { Connection: "close" })),
    "the absolute form": whole(requestFor("http://hub.test/events")),
    "an empty line before it": whole(`\r\n${requestFor()}`),
    "one byte at a time": async (client) => {
      for (const byte of requestFor()) await client.send(byte);
    },
    "a GET with a body": whole(`${requestFor("/events", { "Content-Length": "4" })}body`),
    "a GET with a body that comes later": async (client) => {
      await client.send(requestFor("/events", { "Content-Length": "4" }));
      await client.send("bo");
      await client.send("dy");
    },
    "a GET with a body in chunks": whole(
      `${requestFor("/events", { "Transfer-Encoding": "chunked" })}4\r\nbody\r\n0\r\n\r\n`,
    ),
    "QUERY with a body": whole(
      `QUERY /events HTTP/1.1\r\nHost: hub.test\r\n${form}Content-Length: 15\r\n\r\nmatch=%2Ftest%2F1`
        .replace(
          "15",
          "17",
        ),
    ),
    "QUERY with a body in chunks, in pieces": async (client) => {
      await client.send(
        `QUERY /events HTTP/1.1\r\nHost: hub.test\r\n${form}Transfer-Encoding: chunked\r\n\r\n`,
      );
      for (const piece of ["b\r\nmatch", "=%2Fte\r\n6", "\r\nst%2F1\r", "\n0\r\n\r\n"]) {
        await client.send(piece);
      }
    },
    "QUERY without a body": whole(
      `QUERY /events HTTP/1.1\r\nHost: hub.test\r\n${form}Content-Length: 0\r\n\r\n`,
    ),
    "a request for HTTP/2, which need not be granted": whole(
      requestFor("/events", {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA",
      }),
    ),
  };
  for (const [name, send] of Object.entries(cases)) await t.step(name, () => assertStream(send));
});

Deno.test("a client that waits for 100 (Continue) before its body gets it, and then its stream", async () => {
  await using streamer = await startStreamer();
  using client = await RawClient.connect(streamer.port);
  await client.send(
    "QUERY /events HTTP/1.1\r\nHost: hub.test\r\nContent-Type: application/x-www-form-urlencoded\r\n" +
      "Expect: 100-continue\r\nContent-Length: 17\r\n\r\n",
  );
  await client.untilText("HTTP/1.1 100 Continue\r\n\r\n");
  assert.equal(streamer.hub.size, 0);
  await client.send("match=%2Ftest%2F1");
  await client.until("the stream", (text) => /\r\n\r\nHTTP\/1\.1 200 .*\r\n\r\n:\nretry/s.test(text));
});

Deno.test("a connection that has carried other requests can become a stream", async (t) => {
  const isSecond = (text: string) =>
    /^HTTP\/1\.1 200 .*\{"status":"ok"\}HTTP\/1\.1 200 .*\r\n\r\n:\nretry: \d+\n/s.test(text);
  await t.step("one after the other", () =>
    assertStream(async (client) => {
      await client.send(HEALTH);
      await client.untilText('{"status":"ok"}');
      await client.send(requestFor());
    }, { isStream: isSecond }));
  await t.step(
    "pipelined",
    () => assertStream((client) => client.send(HEALTH + requestFor()), { isStream: isSecond }),
  );
  await t.step(
    "pipelined behind many",
    () =>
      assertStream((client) => client.send(HEALTH.repeat(50) + requestFor()), {
        isStream: (text) =>
          text.split('{"status":"ok"}').length === 51 && /"ok"\}HTTP\/1\.1 200 .*\nretry: \d+\n$/s.test(text),
      }),
  );
  await t.step("after a HEAD", () =>
    assertStream(async (client) => {
      await client.send(requestFor().replace("GET", "HEAD"));
      await client.untilText("\r\n\r\n");
      await client.send(requestFor());
    }, { isStream: (text) => /^HTTP\/1\.1 200 .*\r\n\r\nHTTP\/1\.1 200 .*\r\n\r\n:\nretry/s.test(text) }));
  await t.step("after a refusal", () =>
    assertStream(async (client) => {
      await client.send(requestFor("/events?match=a&match_nothing=b"));
      await client.until("the refusal", (text) => text.startsWith("HTTP/1.1 400") && text.endsWith("}"));
      await client.send(requestFor());
    }, { isStream: (text) => /"status":400.*\}HTTP\/1\.1 200 .*\r\n\r\n:\nretry/s.test(text) }));
});

Deno.test("whatever a client sends behind its request for a stream is not answered, and harms nobody", async (t) => {
  for (
    const [name, more] of Object.entries({
      "another request": HEALTH,
      "an unfinished request": "GET /healthz HTTP/1.1\r\nHo",
      "many": HEALTH.repeat(1000),
    })
  ) {
    await t.step(`${name}, at once`, () => assertNothingLeft(requestFor() + more));
    await t.step(`${name}, later`, () =>
      assertStream(async (client) => {
        await client.send(requestFor());
        await client.untilText("retry");
        await client.send(more);
      }));
  }
  await t.step("what is no HTTP, later", () =>
    assertStream(async (client) => {
      await client.send(requestFor());
      await client.untilText("retry");
      await client.send("\0\xFF no HTTP\r\n\r\n".repeat(1000));
    }));
  await t.step("what is no HTTP, at once", () => assertNothingLeft(`${requestFor()}\0\xFF no HTTP\r\n\r\n`));
});

Deno.test("of two streams asked for on one connection the second is none", async () => {
  await using streamer = await startStreamer();
  {
    using client = await RawClient.connect(streamer.port);
    await client.send(
      requestFor() + requestFor("/events?match=/test/1") + requestFor("/events?match=/test/2"),
    );
    await client.untilText("retry");
    await eventually("one stream is left", () => streamer.hub.size === 1);
    await streamer.channel.publish(numberedUpdate(1));
    await client.untilText(EVENT_1);
    assert.equal(client.text.split("HTTP/1.1").length, 2);
  }
  await eventually("none is left", () => streamer.hub.size === 0);
});

/** A channel that answers where an id is when the test lets it. */
class WaitingChannel extends MemoryChannel {
  readonly asked = Promise.withResolvers<void>();
  readonly go = Promise.withResolvers<void>();

  override async locate(id: string): Promise<Cursor | undefined> {
    this.asked.resolve();
    await this.go.promise;
    return await super.locate(id);
  }
}

Deno.test("a client that leaves before its answer leaves nothing behind", async (t) => {
  const resume = requestFor("/events", { "Last-Event-ID": "urn:test:1" });
  for (
    const [name, requests] of Object.entries({
      "one stream": resume,
      "a stream behind another one": resume + resume,
      "a stream behind another request": resume + HEALTH + requestFor(),
    })
  ) {
    await t.step(name, async () => {
      const channel = new WaitingChannel();
      await using streamer = await startStreamer({ channel });
      const client = await RawClient.connect(streamer.port);
      await client.send(requests);
      await within("the question", channel.asked.promise);
      client[Symbol.dispose]();
      channel.go.resolve();
      await eventually("all streams were made", () => {
        const { ended } = streamer.hub.counters;
        return ended.left === requests.split("/events").length - 1;
      });
      assert.equal(streamer.hub.size, 0);
    });
  }
});

Deno.test("a client that leaves at any moment leaves nothing behind", async () => {
  await using streamer = await startStreamer();
  const request = requestFor();
  for (let count = 0; count < 100; count++) {
    using client = await RawClient.connect(streamer.port);
    await client.send(request.slice(0, count < request.length ? count : undefined));
    if (count % 3 === 1) await client.closeWrite();
  }
  for (let count = 0; count < 100; count++) {
    using client = await RawClient.get(streamer.port);
    if (count % 2 === 1) await client.read(1);
    if (count % 4 > 1) await client.closeWrite();
  }
  await eventually("nothing is left", () => streamer.hub.size === 0);
  await streamer.shutdown();
});

Deno.test("a client that sends its end has left", async (t) => {
  const sendEnd = async (moment: "with the request" | "on the stream") => {
    await using streamer = await startStreamer();
    using client = await RawClient.get(streamer.port);
    if (moment === "on the stream") await client.untilText("retry");
    await client.closeWrite();
    await client.untilEnd();
    await eventually("the stream is over", () => streamer.hub.size === 0);
  };
  for (const moment of ["with the request", "on the stream"] as const) {
    await t.step(moment, () => sendEnd(moment));
  }
});

Deno.test("the body of a QUERY that does not come opens no stream", async (t) => {
  const head =
    "QUERY /events HTTP/1.1\r\nHost: hub.test\r\nContent-Type: application/x-www-form-urlencoded\r\n";
  for (
    const [name, rest] of Object.entries({
      "nothing of it": "Content-Length: 17\r\n\r\n",
      "a part of it": "Content-Length: 17\r\n\r\nmatch",
      "a part of its chunks": "Transfer-Encoding: chunked\r\n\r\n5\r\nmat",
    })
  ) {
    for (const end of ["closes", "sends its end"]) {
      await t.step(`${name}, then the client ${end}`, async () => {
        await using streamer = await startStreamer();
        using client = await RawClient.connect(streamer.port);
        await client.send(head + rest);
        if (end === "closes") client[Symbol.dispose]();
        else {
          await client.closeWrite();
          await client.untilEnd();
          assert.doesNotMatch(client.text, /200 OK/);
        }
        await streamer.shutdown();
        assert.deepEqual(Object.values(streamer.hub.counters.ended), [0, 0, 0, 0, 0, 0, 0]);
      });
    }
  }
  await t.step("chunks that are none", async () => {
    const text = await answer(`${head}Transfer-Encoding: chunked\r\n\r\nno chunk\r\n`);
    assert.match(text, /^HTTP\/1\.1 400 /);
  });
});

Deno.test("a client that leaves while the body of its GET is waited for leaves nothing behind", async () => {
  await using streamer = await startStreamer();
  const client = await RawClient.get(streamer.port, "/events", { "Content-Length": "4" });
  await eventually("the stream waits for it", () => streamer.hub.size === 1);
  client[Symbol.dispose]();
  await eventually("it is over", () => streamer.hub.size === 0);
});

Deno.test("what is no request for anything is refused", async (t) => {
  const cases: Record<string, [string, RegExp]> = {
    "HTTP/1.1 without Host": ["GET /events HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
    "a Host that is none": [
      requestFor("/events", { Host: "a b", Connection: "close" }),
      /^HTTP\/1\.1 400 .*application\/problem\+json/s,
    ],
    "an address that is none": [
      requestFor("http://[::1/events", { Connection: "close" }),
      /^HTTP\/1\.1 400 .*application\/problem\+json/s,
    ],
    "a body behind which another request hides": [
      requestFor("/events", { "Content-Length": "4", "Transfer-Encoding": "chunked" }),
      /^HTTP\/1\.1 400 /,
    ],
    "no HTTP": ["\x16\x03\x01\x02\x00\r\n\r\n", /^HTTP\/1\.1 400 /],
    "a head that is too large": [
      requestFor("/events", { "X-Padding": "x".repeat(128 * 1024) }),
      /^HTTP\/1\.1 431 /,
    ],
  };
  for (const [name, [request, wanted]] of Object.entries(cases)) {
    await t.step(name, async () => assert.match(await answer(request), wanted));
  }
});

Deno.test("a head of 120 KiB is taken, in the headers or in the address", async (t) => {
  await t.step(
    "headers",
    () =>
      assertStream((client) => client.send(requestFor("/events", { "X-Padding": "x".repeat(120 * 1024) }))),
  );
  await t.step(
    "address",
    () => assertStream((client) => client.send(requestFor(`/events?padding=${"x".repeat(120 * 1024)}`))),
  );
});

Deno.test("the head of a stream is complete", async (t) => {
  const open = async (
    options: StreamerOptions,
    headers: Record<string, string>,
    check: (client: RawClient) => void,
    path?: string,
  ) => {
    await using streamer = await startStreamer(options);
    await streamer.channel.publish(numberedUpdate(1, { id: "urn:é日" }));
    using client = await RawClient.get(streamer.port, path, headers);
    await client.until("the head", (text) => text.includes("\r\n\r\n"));
    check(client);
  };
  const assertHeaders = (client: RawClient, wanted: Record<string, string | RegExp | undefined>) => {
    for (const [name, value] of Object.entries(wanted)) {
      const values = client.header(name);
      if (value === undefined) assert.deepEqual(values, [], name);
      else if (typeof value === "string") assert.deepEqual(values, [value], name);
      else {
        assert.equal(values.length, 1, name);
        assert.match(values[0]!, value, name);
      }
    }
  };
  await t.step(
    "as a stream, as an answer of ours, and as the last one of its connection",
    () =>
      open({}, { Origin: "https://a.test" }, (client) => {
        assertHeaders(client, {
          "content-type": "text/event-stream",
          "cache-control": /no-store/,
          "x-accel-buffering": "no",
          "x-content-type-options": "nosniff",
          "x-frame-options": "DENY",
          "referrer-policy": "no-referrer",
          "x-request-id": /^[\w-]{36}$/,
          "accept-query": /x-www-form-urlencoded/,
          "access-control-allow-origin": "*",
          "access-control-allow-credentials": undefined,
          "access-control-expose-headers": /Mercure-Last-Event-ID/,
          "connection": "close",
          "date": /GMT$/,
          "transfer-encoding": undefined,
          "content-length": undefined,
          "content-encoding": undefined,
          "mercure-last-event-id": undefined,
          "vary": undefined,
        });
        const names = client.head.headers.map(([name]) => name);
        assert.equal(new Set(names).size, names.length, "each header once");
      }),
  );
  await t.step("for an origin of a list, compressed", () =>
    open(
      { env: { CORS_ORIGINS: "https://a.test,https://c.test", COMPRESS: "on" } },
      { "Origin": "https://a.test", "Accept-Encoding": "gzip" },
      (client) => {
        assertHeaders(client, {
          "access-control-allow-origin": "https://a.test",
          "access-control-allow-credentials": "true",
          "content-encoding": "gzip",
        });
        const vary = client.header("vary").join(", ").toLowerCase().split(/, */).sort();
        assert.deepEqual(vary, ["accept-encoding", "origin"]);
      },
    ));
  await t.step("for an origin that is not on the list", () =>
    open(
      { env: { CORS_ORIGINS: "https://a.test" } },
      { Origin: "https://b.test" },
      (client) => assertHeaders(client, { "access-control-allow-origin": undefined, "vary": /Origin/i }),
    ));
  await t.step(
    "with the request id of the client",
    () => open({}, { "X-Request-Id": "a-b" }, (client) => assertHeaders(client, { "x-request-id": "a-b" })),
  );
  const id = String.fromCharCode(...new TextEncoder().encode("urn:é日"));
  await t.step(
    "with an id as UTF-8, byte by byte",
    () =>
      open({}, { "Last-Event-ID": id }, (client) => assertHeaders(client, { "mercure-last-event-id": id })),
  );
  await t.step("with the same from a parameter", () =>
    open(
      {},
      {},
      (client) => assertHeaders(client, { "mercure-last-event-id": id }),
      "/events?last_event_id=urn:%C3%A9%E6%97%A5",
    ));
});

interface Bare extends AsyncDisposable {
  readonly server: HttpServer;
  readonly app: ReturnType<typeof createApp>;
}

/** The server under an app of the test's own. */
async function startBare(): Promise<Bare> {
  const app = createApp({ log: silent });
  const server = await listenForStreams()(app, { port: 0, hostname: "127.0.0.1" });
  return {
    app,
    server,
    [Symbol.asyncDispose]: () => within("the end of the server", server.shutdown()),
  };
}

Deno.test("a stream has all the headers of its answer, those that come twice too", async () => {
  await using bare = await startBare();
  bare.app.get("/", (c) => {
    c.header("Set-Cookie", "a=1");
    c.header("Set-Cookie", "b=2", { append: true });
    c.header("Link", "<a>; rel=a");
    c.header("Link", "<b>; rel=b", { append: true });
    c.status(203);
    return answerWithStream(c, { attach: (socket) => socket.end("body"), abandon: assert.fail });
  });
  using client = await RawClient.get(bare.server.port, "/");
  assert.equal(await client.untilEnd(), "ended");
  assert.equal(client.head.status, 203);
  assert.deepEqual(client.header("set-cookie"), ["a=1", "b=2"]);
  assert.deepEqual(client.header("link"), ["<a>; rel=a, <b>; rel=b"]);
  assert.equal(client.text.slice(-4), "body");
});

Deno.test("the socket of a stream is handed over bare: nobody listens to it any more", async () => {
  await using bare = await startBare();
  const taken = Promise.withResolvers<Socket>();
  bare.app.get(
    "/",
    (c) => answerWithStream(c, { attach: (socket) => taken.resolve(socket), abandon: assert.fail }),
  );
  using client = await RawClient.connect(bare.server.port);
  await client.send(HEALTH);
  await client.untilText('{"status":"ok"}');
  await client.send(requestFor("/"));
  const socket = await within("the socket", taken.promise);
  assert.deepEqual(socket.eventNames(), []);
  // The time for which the server keeps an idle connection.
  assert.ok(!socket.timeout);
  assert.equal(socket.destroyed, false);
  socket.on("end", () => socket.end());
  socket.resume();
  socket.end("bye");
  assert.equal(await client.untilEnd(), "ended");
  assert.match(client.text, /\r\n\r\nbye$/);
});

Deno.test("a failure in a handler is answered as a problem, and its connection goes on", async (t) => {
  await using bare = await startBare();
  bare.app.get("/throws", () => {
    throw new Error("secret");
  });
  bare.app.get("/rejects", () => Promise.reject(new Error("secret")));
  using client = await RawClient.connect(bare.server.port);
  for (const path of ["/throws", "/rejects"]) {
    await t.step(path, async () => {
      const { size } = client;
      await client.send(requestFor(path));
      await client.until("an answer", (text) => text.slice(size).endsWith("}"));
      const text = client.text.slice(size);
      assert.match(text, /^HTTP\/1\.1 500 /);
      assert.match(text, /application\/problem\+json/);
      assert.doesNotMatch(text, /secret/);
    });
  }
});

Deno.test("a stream whose answer fails after it was made is given up", async () => {
  await using bare = await startBare();
  let attached = 0;
  const abandoned = Promise.withResolvers<void>();
  bare.app.get("/", async (_, next) => {
    await next();
    throw new Error("too late");
  }, (c) => answerWithStream(c, { attach: () => attached++, abandon: () => abandoned.resolve() }));
  using client = await RawClient.get(bare.server.port, "/");
  await client.until("an answer", (text) => text.endsWith("}"));
  assert.equal(client.head.status, 500);
  await within("the end", abandoned.promise);
  assert.equal(attached, 0);
});

Deno.test("at the end of the server 500 streams have each a time to come back, and a clean end", async () => {
  await using streamer = await startStreamer();
  const clients = await Promise.all(Array.from({ length: 500 }, () => RawClient.get(streamer.port)));
  await eventually("all are live", () => streamer.hub.live === clients.length);
  await Promise.all(clients.map((client) => client.untilText("retry")));
  const ends = clients.map(async (client) => {
    const end = await client.untilEnd();
    client[Symbol.dispose]();
    return end;
  });
  await streamer.shutdown();
  assert.deepEqual(new Set(await Promise.all(ends)), new Set(["ended"]));
  const times = clients.map((client) => {
    const text = new TextDecoder().decode(client.body);
    return Number(/^:\nretry: \d+\nretry: (\d+)\n$/.exec(text)?.[1]);
  });
  assert.ok(new Set(times).size > 100, "they come back at different times");
  assert.ok(times.every((ms) => ms >= 1000 && ms <= 2000));
  assert.equal(streamer.hub.counters.ended.shutdown, clients.length);
});

Deno.test("the server ends though clients keep connections that they do not use", async (t) => {
  const cases: Record<string, (client: RawClient) => Promise<void>> = {
    "nothing was sent": async () => {},
    "a request was answered": async (client) => {
      await client.send(HEALTH);
      await client.untilText('{"status":"ok"}');
    },
  };
  for (const [name, use] of Object.entries(cases)) {
    await t.step(name, async () => {
      await using streamer = await startStreamer();
      using client = await RawClient.connect(streamer.port);
      await use(client);
      // The server has accepted it.
      using last = await RawClient.connect(streamer.port);
      await last.send(HEALTH);
      await last.untilText('{"status":"ok"}');
      last[Symbol.dispose]();
      await streamer.shutdown();
    });
  }
});

Deno.test("a client that keeps its side open does not keep a stream that is over", async () => {
  await using streamer = await startStreamer();
  using client = await RawClient.get(streamer.port);
  await client.untilText("retry");
  await streamer.shutdown();
  assert.equal(await client.untilEnd(), "ended");
});

/** How many files and connections this process has open. */
async function openFiles(): Promise<number> {
  const { stdout } = await new Deno.Command("ls", { args: [`/proc/${Deno.pid}/fd`] }).output();
  return new TextDecoder().decode(stdout).split("\n").length;
}

Deno.test({
  name: "2,000 streams that come and go leave nothing behind",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using streamer = await startStreamer();
    const before = await openFiles();
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 100 }, async (_, index) => {
        using client = await RawClient.connect(streamer.port);
        if (index % 2 === 0) await client.send(HEALTH);
        await client.send(requestFor());
        if (index % 3 > 0) await client.untilText("retry");
        if (index % 3 === 2) await client.closeWrite();
      }));
    }
    await eventually("the hub is empty", () => streamer.hub.size === 0);
    assert.equal(streamer.hub.live, 0);
    await eventually("nothing is open", async () => await openFiles() <= before);
    await streamer.shutdown();
  },
});

Deno.test("more connections than there are descriptors for do not make it deaf", {
  ignore: libc === undefined,
}, async () => {
  const env = { XPUB_PORT: "1", ROUTER_PORT: "1", PORT: "0" };
  const flags = ["-c", 'ulimit -n 300 && exec "$@"', "sh"];
  await using streamer = startService("streamer", env, [], ["sh", ...flags]);
  const { url } = await streamer.logged("Listening");
  const port = Number(new URL(`${url}`).port);
  for (let round = 0; round < 3; round++) {
    const clients = await Promise.all(Array.from({ length: 500 }, () => RawClient.get(port)));
    // Whoever is one too many is closed, and the others are answered.
    await Promise.all(clients.map((client) => client.read()));
    assert.ok(clients.filter(({ size }) => size > 0).length >= 50);
    for (const client of clients) client[Symbol.dispose]();
  }
  const response = await within("an answer", fetch(`${url}healthz`));
  assert.equal(response.status, 200);
  await response.body?.cancel();
});
