/**
 * Clients that are gone without a word, as when a laptop is closed or a cable is pulled: a filter that drops all
 * makes one of a socket, since its system then acknowledges nothing more and sends nothing either.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { libc } from "../lib/libc.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { numberedUpdate } from "../lib/testing/fixtures.ts";
import { RawClient, requestFor, startStreamer, type Streamer } from "./streamer_harness.ts";

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
/** A program of classic BPF with one instruction: take 0 bytes of each packet. */
const DROP_ALL = Uint8Array.of(0x06, 0, 0, 0, 0, 0, 0, 0);

const LIBRARIES = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6"];

/** Lets a socket receive nothing any more, not even what its system would answer. Source: socket(7), bpf(4). */
function deafen(socket: Socket): void {
  const path = LIBRARIES.find((path) =>
    Deno.permissions.querySync({ name: "ffi", path }).state === "granted"
  );
  assert.ok(path !== undefined);
  const library = Deno.dlopen(path, {
    setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    // Returns its first argument: Deno tells the address of a buffer only to whom it lets use any library.
    memmove: { parameters: ["buffer", "buffer", "usize"], result: "usize" },
  });
  const { setsockopt, close, memmove } = library.symbols;
  // struct sock_fprog: the number of instructions, and where they are.
  const program = new BigUint64Array([1n, memmove(DROP_ALL, DROP_ALL, 0n)]);
  const { _handle: handle } = socket as Socket & { readonly _handle: { fdForIpc(): number } };
  const fd = handle.fdForIpc();
  assert.equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, program.byteLength), 0);
  assert.equal(close(fd), 0);
  library.close();
}

/** A stream of a client that has a socket of Node, and that is live. */
async function openDeaf({ port, hub }: Streamer): Promise<Socket> {
  const before = hub.live;
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(requestFor());
  await once(socket, "data");
  await eventually("it is live", () => hub.live === before + 1);
  return socket;
}

/** How many heartbeats a stream has had: comments, but for the one that it begins with. */
function heartbeatsIn(text: string): number {
  return text.slice(text.indexOf("\r\n\r\n") + 4).split("\n").filter((line) => line === ":").length - 1;
}

/** A stream that is silent and read. */
async function openHealthy({ port, hub }: Streamer): Promise<RawClient> {
  const before = hub.live;
  const client = await RawClient.get(port);
  await client.untilText("retry");
  await eventually("it is live", () => hub.live === before + 1);
  return client;
}

// Where the system cannot be told how long to wait it waits for a quarter of an hour.
const ignore = libc === undefined;

Deno.test({
  name: "a silent client that vanished is found within two heartbeats or so, and one that is there stays",
  ignore,
  async fn() {
    await using streamer = await startStreamer({ heartbeatMs: 1000 });
    using healthy = await openHealthy(streamer);
    const gone = await openDeaf(streamer);
    deafen(gone);
    while (streamer.hub.counters.ended.vanished === 0) await healthy.read();
    const heartbeats = heartbeatsIn(healthy.text);
    assert.ok(heartbeats <= 4, `It was found after ${heartbeats} heartbeats`);
    assert.equal(streamer.hub.size, 1);
    gone.destroy();
  },
});

Deno.test({
  name: "a client that vanished while it was not reading is found as well",
  ignore,
  async fn() {
    await using streamer = await startStreamer({ heartbeatMs: 500, stallMs: 2000 });
    const gone = await openDeaf(streamer);
    gone.pause();
    for (let number = 1; number <= 20; number++) {
      await streamer.channel.publish(numberedUpdate(number, { data: "x".repeat(10_000) }));
    }
    deafen(gone);
    await eventually("it is found", () => streamer.hub.size === 0);
    gone.destroy();
  },
});

Deno.test({
  name: "a client that is there and does not read has SUBSCRIBER_TIMEOUT, however little waits for it",
  ignore,
  async fn(t) {
    for (const bytes of [200_000, 1_000_000, 20_000_000]) {
      await t.step(`${bytes} bytes`, async () => {
        await using streamer = await startStreamer({ heartbeatMs: 500, stallMs: 60_000 });
        using healthy = await openHealthy(streamer);
        using stopped = await openHealthy(streamer);
        for (let sent = 0, number = 1; sent < bytes; sent += 10_000, number++) {
          await streamer.channel.publish(numberedUpdate(number, { data: "x".repeat(10_000) }));
        }
        const last = bytes / 10_000;
        await healthy.untilText(`id: urn:test:${last}\n`);
        // Heartbeats of the other stream are the clock: far more than the patience with those that vanished.
        while (heartbeatsIn(healthy.text) < 8) await healthy.read();
        assert.equal(streamer.hub.size, 2);
        await stopped.untilText(`id: urn:test:${last}\n`);
      });
    }
  },
});
