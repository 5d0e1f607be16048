/** The four real processes, each with its own permission set, over real sockets. */
import assert from "node:assert/strict";
import { Publisher, Subscriber } from "zeromq";
import { drain, SOCKET_OPTIONS } from "./lib/channels/zeromq_receive.ts";
import { eventually, within } from "./lib/testing/deadline.ts";
import { freePorts } from "./lib/testing/ports.ts";
import {
  ready,
  startForwarder,
  startHttpService,
  startProcess,
  startService,
  startUnreadyForwarder,
} from "./lib/testing/processes.ts";
import { openSse } from "./lib/testing/sse_reader.ts";
import { startSystem, type System } from "./lib/testing/system.ts";

async function report({ broadcaster }: System, type: string): Promise<Response> {
  const response = await fetch(`${broadcaster.url}event/${type}`, { method: "POST" });
  await response.body?.cancel();
  return response;
}

Deno.test("a click on a pill is seen by every EventSource", async () => {
  await using system = await startSystem();
  const sources = [1, 2].map(() => new EventSource(`${system.streamer.url}events`));
  try {
    const opened = sources.map((source) => new Promise((resolve) => source.onopen = resolve));
    await within("both are open", Promise.all(opened));
    const received = sources.map((source) =>
      new Promise<MessageEvent>((resolve) => source.addEventListener("user:btn", resolve))
    );
    assert.equal((await report(system, "pill:red")).status, 201);
    const events = await within("the click", Promise.all(received));
    for (const { data, lastEventId } of events) {
      assert.equal(data, '{"message":"someone picked a red pill","level":"info","notify":true}');
      assert.match(lastEventId, /^urn:uuid:/);
      assert.equal(lastEventId, events[0]?.lastEventId);
    }
  } finally {
    for (const source of sources) source.close();
  }
});

Deno.test("a forwarder that is killed and comes back ends no stream, and nothing published then is missed", async () => {
  await using system = await startSystem();
  await using reader = await openSse(`${system.streamer.url}events?last_event_id=earliest`);
  await report(system, "log:open");
  await reader.until("the first event", () => reader.events.length === 1);

  await system.forwarder[Symbol.asyncDispose]();
  const refused = await report(system, "pill:red");
  assert.equal(refused.status, 503);
  assert.ok(Number(refused.headers.get("Retry-After")) > 0);
  await eventually("the streamer says that it is not ready", async () => {
    const response = await fetch(`${system.streamer.url}readyz`);
    const { detail } = await response.json();
    return response.status === 503 && detail.includes("does not answer");
  });
  const health = await fetch(`${system.streamer.url}healthz`);
  assert.equal(health.status, 200);
  await health.body?.cancel();

  system.forwarder = await startForwarder({ ports: system.ports });
  await ready(system.broadcaster.url);
  // Published at once, most likely before the streamer has noticed anything.
  assert.equal((await report(system, "pill:blue")).status, 201);
  assert.equal((await report(system, "pill:red")).status, 201);
  await reader.until("what was published since", () => reader.events.length === 3);
  const messages = reader.events.map(({ data }) => JSON.parse(data).message);
  assert.deepEqual(messages, [
    "someone logged in",
    "someone picked a blue pill",
    "someone picked a red pill",
  ]);
  assert.equal(reader.ended, false);
});

Deno.test("a streamer that is killed and comes back resumes its readers from the history", async () => {
  await using system = await startSystem();
  await report(system, "log:open");
  await report(system, "pill:blue");
  const before = await openSse(`${system.streamer.url}events?last_event_id=earliest`);
  await before.until("two events", () => before.events.length === 2);
  const [first, second] = before.events;
  await system.streamer[Symbol.asyncDispose]();
  await before[Symbol.asyncDispose]();

  await report(system, "pill:red");
  await using streamer = await startHttpService("streamer", system.ports);
  await using after = await openSse(`${streamer.url}events`, { headers: { "Last-Event-ID": first!.id! } });
  await after.until("the rest", () => after.events.length === 2);
  assert.deepEqual(after.events[0], second);
  assert.equal(JSON.parse(after.events[1]!.data).message, "someone picked a red pill");
});

Deno.test("a stream that was opened before the forwarder first came misses nothing of it", async () => {
  const [XSUB_PORT = "", XPUB_PORT = "", ROUTER_PORT = ""] = freePorts(3).map(String);
  const ports = { XSUB_PORT, XPUB_PORT, ROUTER_PORT };
  await using streamer = await startHttpService("streamer", ports);
  await using broadcaster = await startHttpService("broadcaster", ports);
  await using reader = await openSse(`${streamer.url}events`);
  await reader.until("the first bytes", () => reader.retry !== undefined);
  await using _forwarder = await startForwarder({ ports });
  let published = 0;
  while (published < 20) {
    const response = await fetch(`${broadcaster.url}event/pill:blue`, { method: "POST" });
    await response.body?.cancel();
    if (response.status === 201) published++;
  }
  await reader.until("all of it", () => reader.events.length >= 20);
  assert.equal(new Set(reader.events.map(({ id }) => id)).size, reader.events.length);
});

Deno.test("who resumes after the forwarder lost its history gets what the streamer still has", async () => {
  await using system = await startSystem();
  await using witness = await openSse(`${system.streamer.url}events`);
  await report(system, "log:open");
  await report(system, "pill:blue");
  await witness.until("both", () => witness.events.length === 2);
  await system.forwarder[Symbol.asyncDispose]();
  system.forwarder = await startForwarder({ ports: system.ports });
  await ready(system.broadcaster.url);
  await report(system, "pill:red");
  await witness.until("the third", () => witness.events.length === 3);
  await using resumed = await openSse(`${system.streamer.url}events?last_event_id=${witness.events[0]!.id}`);
  await resumed.until("the rest", () => resumed.events.length === 2);
  assert.deepEqual(resumed.events, witness.events.slice(1));
});

Deno.test("a plain ØMQ publisher is taken on XSUB, and a plain subscriber reads XPUB", async () => {
  await using system = await startSystem();
  await using reader = await openSse(`${system.streamer.url}events?last_event_id=earliest`);
  using publisher = closing(new Publisher({ linger: 0 }));
  using subscriber = closing(new Subscriber({ ...SOCKET_OPTIONS, linger: 0 }));
  publisher.socket.connect(`tcp://127.0.0.1:${system.ports.XSUB_PORT}`);
  subscriber.socket.connect(`tcp://127.0.0.1:${system.ports.XPUB_PORT}`);
  subscriber.socket.subscribe("/tracking/");
  const received: string[][] = [];
  const look = async () => {
    const messages = await drain(subscriber.socket, 100);
    received.push(...messages.map((frames) => frames.map((frame) => `${frame}`)));
    return received.length > 0;
  };

  // A publisher that has just connected loses what it sends first, and so may a subscriber: send until it is there.
  const demo = { event: "user:btn", message: "someone picked a red pill", urgent: true, level: "info" };
  await eventually("the demo's frame on XPUB", async () => {
    await publisher.socket.send("no update at all");
    await publisher.socket.send(JSON.stringify(demo));
    return look();
  });
  const [topic, cursor, json] = received[0] ?? [];
  const update = JSON.parse(json ?? "");
  assert.equal(topic, "/tracking/user:btn");
  assert.match(cursor ?? "", /^[0-9a-f]{16}-[0-9]+$/);
  await reader.until("the same on the stream", () => reader.events.some(({ id }) => id === update.id));
  const event = reader.events.find(({ id }) => id === update.id);
  assert.equal(event?.event, "user:btn");
  assert.equal(event?.data, '{"message":"someone picked a red pill","level":"info","notify":true}');

  const complaint = await system.forwarder.logged("Dropped frames that are no update or request");
  assert.ok(Number(complaint.count) > 0);
  assert.equal((await report(system, "pill:blue")).status, 201);
});

function closing<T extends { close(): void }>(socket: T): Disposable & { readonly socket: T } {
  return { socket, [Symbol.dispose]: () => socket.close() };
}

Deno.test("connections that speak no ØMQ, or nonsense, do not stop the forwarder", async () => {
  await using system = await startSystem();
  const greeting = new Uint8Array([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0]);
  for (const port of Object.values(system.ports)) {
    for (
      const bytes of [
        new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"),
        greeting,
        crypto.getRandomValues(new Uint8Array(60_000)),
      ]
    ) {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
      // The other side may hang up before it has read everything: that is its good right.
      await connection.write(bytes).catch((error) => assert.ok(error instanceof Error));
    }
  }
  assert.equal((await report(system, "pill:blue")).status, 201);
});

Deno.test("SIGINT, SIGTERM and SIGHUP end each service cleanly, with a stream open", async (t) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    await t.step(signal, async () => {
      await using system = await startSystem();
      await using reader = await openSse(`${system.streamer.url}events`);
      const services = [system.broadcaster, system.streamer, system.logger, system.forwarder];
      for (const service of services) service.kill(signal);
      const codes = await within("their ends", Promise.all(services.map((service) => service.exit)));
      assert.deepEqual(codes.map(({ code }) => code), [0, 0, 0, 0]);
      await eventually("the end of the stream", () => reader.ended);
    });
  }
});

Deno.test("bad settings are all named at once, and nothing starts", async (t) => {
  const cases = {
    forwarder: { IP: "nowhere", XPUB_PORT: "65536", LOG_LEVEL: "loud" },
    broadcaster: { ZMQ_HOST: "a b", CORS_ORIGINS: "example.org", LOGGER_URL: "javascript:alert(1)" },
    streamer: { PORT: "80a", CHANNEL: "memory" },
    logger: { EVENTS_URL: "//elsewhere/events" },
  };
  for (const [name, env] of Object.entries(cases)) {
    await t.step(name, async () => {
      await using service = startService(name as keyof typeof cases, env as Record<string, string>);
      const { code } = await within("its end", service.exit);
      assert.equal(code, 2);
      assert.deepEqual(service.output, []);
      const messages = service.entries.map(({ message }) => message);
      assert.equal(messages.length, Object.keys(env).length);
      for (const [setting, value] of Object.entries(env)) {
        assert.ok(
          messages.some((message) => message.startsWith(`${setting} is "${value}", but must be `)),
          setting,
        );
      }
    });
  }
});

Deno.test("a port that is in use is one clear line, and the service ends", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = `${taken.addr.port}`;
  const services = [
    startUnreadyForwarder({ ports: { XSUB_PORT: "0", XPUB_PORT: port, ROUTER_PORT: "0" } }),
    startUnreadyForwarder({ env: { PORT: port } }),
    startService("broadcaster", { PORT: port }),
    startService("streamer", { PORT: port }),
    startService("logger", { PORT: port }),
  ];
  for (const service of services) {
    await using running = service;
    const { code } = await within("its end", running.exit);
    assert.equal(code, 1);
    assert.deepEqual(running.output, []);
    const errors = running.entries.filter(({ level }) => level === "error");
    assert.equal(errors.length, 1);
    assert.match(errors[0]!.message, new RegExp(`^Cannot (bind|listen).*${port}`));
  }
});

Deno.test("the whole address family is served by one [::]", async () => {
  await using forwarder = await startForwarder({ env: { IP: "[::]", ZMQ_INSECURE: "1" } });
  const hosts = ["127.0.0.1", "localhost", "[::1]", "::1"];
  const streamers = await Promise.all(
    hosts.map((ZMQ_HOST) => startHttpService("streamer", { ...forwarder.ports, ZMQ_HOST, IP: "::" })),
  );
  for (const streamer of streamers) {
    await using running = streamer;
    assert.match(running.url, /^http:\/\/localhost:/);
    await ready(running.url.replace("localhost", "127.0.0.1"));
    await ready(running.url.replace("localhost", "[::1]"));
  }
});

Deno.test("a streamer that has never seen a forwarder ends when it is told to", async () => {
  const [XPUB_PORT = "", ROUTER_PORT = ""] = freePorts(2).map(String);
  await using streamer = await startHttpService("streamer", { XPUB_PORT, ROUTER_PORT, SUBSCRIPTIONS: "on" });
  streamer.kill("SIGTERM");
  const { code } = await within("its end", streamer.exit);
  assert.equal(code, 0);
});

Deno.test("deno task start runs the four services, prints where the pages are and how to publish", async () => {
  // On the default ports somebody may be working.
  const [XSUB_PORT = "", XPUB_PORT = "", ROUTER_PORT = ""] = freePorts(3).map(String);
  await using task = startProcess(["task", "start"], {
    PORT: "0",
    XSUB_PORT,
    XPUB_PORT,
    ROUTER_PORT,
    UPDATE_LOG: ":memory:",
    // More services than processors have to start all the same.
    DENO_JOBS: "1",
  });
  const lines = await eventually("all addresses", () => {
    const found = ["Tracking page", "Logger page", "Hub page"].map((name) =>
      task.output.find((line) => line.includes(name))
    );
    return found.every((line) => line !== undefined) ? found : undefined;
  });
  const urls = lines.map((line) => /http:\S+/.exec(line!)![0]);
  for (const url of urls) {
    const response = await fetch(url);
    assert.match(await response.text(), /<!doctype html>/i, url);
  }
  await eventually(
    "all four are up",
    () =>
      ["forwarder", "broadcaster", "streamers", "logger"].every((name) =>
        task.output.some((line) => line.includes(`[${name}]`))
      ),
  );
  const printed = (pattern: RegExp) =>
    eventually(`${pattern}`, () => task.output.map((line) => pattern.exec(line)?.[1]).find(Boolean));
  const token = await printed(/TOKEN=(\S+)/);
  const hubUrl = await printed(/curl .* (http:\S+)$/);
  await ready(new URL("/", hubUrl).href);
  const published = await fetch(hubUrl, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}` },
    body: new URLSearchParams({ topic: "/hello", data: "world" }),
  });
  assert.equal(published.status, 200);
  assert.match(await published.text(), /^urn:uuid:/);
  task.kill("SIGINT");
  await within("its end", task.exit);
  for (const url of urls) await assert.rejects(fetch(url));
});
