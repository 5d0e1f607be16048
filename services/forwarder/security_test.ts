/** Who may use the forwarder's sockets, and what it withstands: real processes, real keys, real garbage. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { curveKeyPair, Dealer, Publisher, Subscriber } from "zeromq";
import { type CurveKeys, ZeromqChannel } from "../lib/channels/zeromq.ts";
import { drain, SOCKET_OPTIONS } from "../lib/channels/zeromq_receive.ts";
import { within } from "../lib/testing/deadline.ts";
import { numberedUpdate } from "../lib/testing/fixtures.ts";
import {
  type ForwarderPorts,
  ready,
  startForwarder,
  startHttpService,
  startProcess,
  startUnreadyForwarder,
} from "../lib/testing/processes.ts";

function connect(ports: ForwarderPorts, curve?: CurveKeys): ZeromqChannel {
  return new ZeromqChannel({
    host: "127.0.0.1",
    xpubPort: Number(ports.XPUB_PORT),
    routerPort: Number(ports.ROUTER_PORT),
    ...(curve && { curve }),
  });
}

Deno.test("with keys, who is on the list publishes and reads, and nobody else does", async (t) => {
  const [server, client, stranger] = [curveKeyPair(), curveKeyPair(), curveKeyPair()];
  await using forwarder = await startForwarder({
    env: { ZMQ_SERVER_SECRET_KEY: server.secretKey, ZMQ_CLIENT_KEYS: client.publicKey },
  });
  const keysOf = (pair: typeof client, serverPublicKey = server.publicKey) => ({
    serverPublicKey,
    clientPublicKey: pair.publicKey,
    clientSecretKey: pair.secretKey,
  });
  await using member = connect(forwarder.ports, keysOf(client));
  const entry = await member.publish(numberedUpdate(1));
  for await (const batch of member.subscribe("earliest", { signal: AbortSignal.timeout(20_000) })) {
    assert.deepEqual(batch, [entry]);
    break;
  }

  const outsiders = {
    "a key that is not on the list": keysOf(stranger),
    "another server's key": keysOf(client, stranger.publicKey),
    "a secret key that is not the public one's": keysOf({ ...client, secretKey: stranger.secretKey }),
    "no keys": undefined,
  };
  for (const [name, keys] of Object.entries(outsiders)) {
    await t.step(name, async () => {
      await using outsider = connect(forwarder.ports, keys);
      await assert.rejects(outsider.publish(numberedUpdate(2)));
      assert.equal(outsider.status().reachable, false);
    });
  }
  await t.step("a subscriber and a publisher without keys", async () => {
    const publisher = new Publisher({ linger: 0 });
    const subscriber = new Subscriber({ ...SOCKET_OPTIONS, linger: 0 });
    publisher.connect(`tcp://127.0.0.1:${forwarder.ports.XSUB_PORT}`);
    subscriber.connect(`tcp://127.0.0.1:${forwarder.ports.XPUB_PORT}`);
    subscriber.subscribe();
    try {
      for (let number = 3; number < 23; number++) {
        await publisher.send(JSON.stringify(numberedUpdate(number)));
        await member.publish(numberedUpdate(number));
        assert.deepEqual(await drain(subscriber, 10), []);
      }
    } finally {
      publisher.close();
      subscriber.close();
    }
  });
  const complaint = await forwarder.logged("Clients were turned away");
  assert.ok(!JSON.stringify(forwarder.entries).includes(server.secretKey));
  assert.ok(Number(complaint.count) > 0);
  const history = await member.history("earliest", { limit: 100 });
  assert.equal(history.length, 21);
});

Deno.test("deno task keys prints settings with which the services find each other", async () => {
  await using task = startProcess(["task", "-q", "keys"]);
  await within("its end", task.exit);
  const settings: Record<string, Record<string, string>> = {};
  let section = "";
  for (const line of task.output) {
    const [, name, value] = /^([A-Z_]+)='(.+)'$/.exec(line) ?? [];
    if (line.startsWith("# ")) section = line.slice(2);
    else if (name && value) (settings[section] ??= {})[name] = value;
  }
  assert.deepEqual(Object.keys(settings), ["forwarder", "broadcaster", "streamer"]);
  await using forwarder = await startForwarder({ env: settings.forwarder! });
  for (const name of ["broadcaster", "streamer"] as const) {
    await using service = await startHttpService(name, { ...forwarder.ports, ...settings[name] });
    await ready(service.url);
  }
});

Deno.test("a forwarder that others could reach wants keys, or to be told that it is meant", async (t) => {
  const { secretKey, publicKey } = curveKeyPair();
  const refused: Record<string, { env: Record<string, string>; wanted: RegExp }> = {
    "no keys": { env: { IP: "0.0.0.0" }, wanted: /^IP is 0\.0\.0\.0, .*ZMQ_INSECURE=1/ },
    "no list of clients": { env: { ZMQ_SERVER_SECRET_KEY: secretKey }, wanted: /^ZMQ_CLIENT_KEYS must list/ },
    "a list without a key": { env: { ZMQ_CLIENT_KEYS: publicKey }, wanted: /ZMQ_SERVER_SECRET_KEY is not/ },
    "a broken secret": {
      env: { ZMQ_SERVER_SECRET_KEY: "hush-hush", ZMQ_CLIENT_KEYS: publicKey },
      wanted: /^ZMQ_SERVER_SECRET_KEY is set, but must be a CURVE key/,
    },
  };
  for (const [name, { env, wanted }] of Object.entries(refused)) {
    await t.step(name, async () => {
      await using forwarder = startUnreadyForwarder({ env });
      const { code } = await within("its end", forwarder.exit);
      assert.equal(code, 2);
      assert.equal(forwarder.entries.length, 1);
      assert.match(forwarder.entries[0]!.message, wanted);
      assert.ok(!JSON.stringify(forwarder.entries).includes("hush-hush"));
    });
  }
  await t.step("meant", async () => {
    await using forwarder = await startForwarder({ env: { IP: "0.0.0.0", ZMQ_INSECURE: "1" } });
    assert.ok(
      forwarder.entries.some(({ level, message }) => level === "warn" && /ZMQ_INSECURE/.test(message)),
    );
  });
  await t.step("a client with some of its keys", async () => {
    await using client = startProcess(["run", "-q", "-P=streamer", "services/streamer/main.ts"], {
      PORT: "0",
      ZMQ_SERVER_PUBLIC_KEY: publicKey,
    });
    const { code } = await within("its end", client.exit);
    assert.equal(code, 2);
    assert.match(client.entries[0]!.message, /must all be set, or none/);
  });
});

Deno.test("frames of any kind, on any socket, are counted and dropped, and never stop the forwarder", async () => {
  await using forwarder = await startForwarder();
  const { ports } = forwarder;
  const options = { linger: 0, sendTimeout: 0 };
  const sockets = {
    XSUB_PORT: new Publisher(options),
    ROUTER_PORT: new Dealer(options),
    // XPUB takes subscriptions; a DEALER's frames are none, and its handshake is refused.
    XPUB_PORT: new Dealer(options),
  };
  try {
    for (const [name, socket] of Object.entries(sockets)) {
      socket.connect(`tcp://127.0.0.1:${ports[name as keyof typeof ports]}`);
    }
    await using channel = connect(ports);
    await channel.publish(numberedUpdate(1));
    const verbs = [
      "publish",
      "history",
      "locate",
      "end",
      "probe",
      "earliest",
      "",
      "{}",
      "0123456789abcdef-1",
    ];
    const frame = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...verbs), fc.json());
    const frames = fc.array(frame, { minLength: 1, maxLength: 6 });
    for (const message of fc.sample(frames, { numRuns: 3000, seed: 7 })) {
      for (const socket of Object.values(sockets)) {
        // Where nobody takes it, it is dropped, as a stranger's would be.
        await socket.send(message).catch((error: { code?: string }) => assert.equal(error.code, "EAGAIN"));
      }
    }
    await forwarder.logged("Dropped frames that are no update or request");
    await channel.publish(numberedUpdate(2));
  } finally {
    for (const socket of Object.values(sockets)) socket.close();
  }
});

Deno.test("raw garbage on the ports, PINGs in masses and sudden resets do not stop the forwarder", async () => {
  await using forwarder = await startForwarder();
  const greeting = new Uint8Array(64);
  greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1, ...new TextEncoder().encode("NULL")]);
  const ready = new TextEncoder().encode("\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB");
  const ping = new Uint8Array([4, 7, 4, 0x50, 0x49, 0x4e, 0x47, 0, 0]);
  const small = new Uint8Array([0, 1, 0x78]);
  // Small frames with PINGs among them, then the end: what made libzmq abort behind a bounded receive mark.
  const flood = new Uint8Array(130_000);
  for (let offset = 0; offset + 9 < flood.length; offset += offset % 90 === 0 ? ping.length : small.length) {
    flood.set(offset % 90 === 0 ? ping : small, offset);
  }
  const openings = [
    [crypto.getRandomValues(new Uint8Array(50_000))],
    [greeting, crypto.getRandomValues(new Uint8Array(50_000))],
    [greeting, ready, flood],
    [greeting, ready, new Uint8Array([2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
  ];
  for (const port of Object.values(forwarder.ports)) {
    for (const opening of [...openings, ...openings]) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
      try {
        for (const bytes of opening) await connection.write(bytes);
      } catch (error) {
        // The other side may hang up before it has read everything.
        assert.ok(error instanceof Error);
      }
      connection.close();
    }
  }
  await using channel = connect(forwarder.ports);
  await channel.publish(numberedUpdate(1));
});
