/** What pages report arrives once, over the real processes, whichever of them dies meanwhile. */
import assert from "node:assert/strict";
import { v7 as uuidv7 } from "uuid";
import type { Cursor, Entry } from "./lib/channel.ts";
import { ZeromqChannel } from "./lib/channels/zeromq.ts";
import { eventually, within } from "./lib/testing/deadline.ts";
import { freePorts } from "./lib/testing/ports.ts";
import {
  type ForwarderPorts,
  type HttpProcess,
  ready,
  startForwarder,
  startHttpService,
} from "./lib/testing/processes.ts";
import { openSse } from "./lib/testing/sse_reader.ts";
import { startSystem } from "./lib/testing/system.ts";

const BATCHES = 40;
const EVENTS = 25;

interface Batch {
  readonly ids: readonly string[];
  readonly body: string;
}

function newBatch(size: number, overrides: Record<string, unknown> = {}): Batch {
  const now = Date.now();
  const e = Array.from({ length: size }, (_, n) => ({ id: uuidv7(), n, t: now, k: "click" }));
  const body = JSON.stringify({
    v: 1,
    site: "shop",
    sent: now,
    try: 0,
    drop: 0,
    bots: "allow",
    e,
    ...overrides,
  });
  return { ids: e.map(({ id }) => id), body };
}

/** The status; 0 when nobody answered. */
async function send({ url }: HttpProcess, { body }: Batch): Promise<number> {
  try {
    const response = await fetch(`${url}e`, { method: "POST", body });
    await response.body?.cancel();
    return response.status;
  } catch (error) {
    if (error instanceof TypeError) return 0;
    throw error;
  }
}

/** Sends all at once, as one tracker for each would: again, until it is acknowledged. */
async function sendAll(
  batches: readonly Batch[],
  { to, onRefused = () => {} }: { to: () => HttpProcess; onRefused?: () => void },
): Promise<void> {
  await Promise.all(batches.map((batch) =>
    eventually("the acknowledgement", async () => {
      const status = await send(to(), batch);
      assert.ok([0, 204, 503].includes(status), `${status}`);
      if (status !== 204) onRefused();
      return status === 204;
    })
  ));
}

/** The ids of the events that are stored, in their order. */
async function stored(ports: ForwarderPorts): Promise<string[]> {
  await using channel = new ZeromqChannel({
    host: "127.0.0.1",
    routerPort: Number(ports.ROUTER_PORT),
    xpubPort: Number(ports.XPUB_PORT),
  });
  const ids: string[] = [];
  for (let after: Cursor | "earliest" = "earliest";;) {
    const entries: Entry[] = await channel.history(after, { limit: 1000 });
    if (entries.length === 0) return ids;
    ids.push(...entries.map(({ update }) => JSON.parse(update.data).id));
    after = entries.at(-1)!.cursor;
  }
}

function assertOnce(ids: readonly string[], batches: readonly Batch[]): void {
  assert.deepEqual(ids.toSorted(), batches.flatMap((batch) => batch.ids).toSorted());
}

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a batch is on every stream in its order, and two clients that send it are one", async () => {
  await using system = await startSystem();
  await using second = await startHttpService("broadcaster", system.ports);
  await ready(second.url);
  await using reader = await openSse(`${system.streamer.url}events`);
  await reader.until("the first bytes", () => reader.retry !== undefined);
  const batch = newBatch(50);
  const racers = [system.broadcaster, second, system.broadcaster, second];
  assert.deepEqual(await Promise.all(racers.map((racer) => send(racer, batch))), [204, 204, 204, 204]);
  const last = newBatch(1);
  assert.equal(await send(system.broadcaster, last), 204);
  const idOf = ({ data }: { data: string }) => JSON.parse(data).id;
  await reader.until("the last", () => reader.events.some((event) => idOf(event) === last.ids[0]));
  assert.deepEqual(reader.events.map(idOf), [...batch.ids, ...last.ids]);
  assert.ok(reader.events.every(({ event }) => event === "track"));
});

Deno.test("the events of a batch are stored in the order in which the page made them", async () => {
  await using system = await startSystem();
  const batches = Array.from({ length: 10 }, () => newBatch(50));
  assert.ok(
    (await Promise.all(batches.map((batch) => send(system.broadcaster, batch)))).every((s) => s === 204),
  );
  const ids = await stored(system.ports);
  for (const batch of batches) {
    const own = new Set(batch.ids);
    assert.deepEqual(ids.filter((id) => own.has(id)), batch.ids);
  }
});

Deno.test("a forwarder that is killed in the middle of batches: sent again, each event is stored once", () =>
  withFolder(async (folder) => {
    const [XSUB_PORT = "", XPUB_PORT = "", ROUTER_PORT = ""] = freePorts(3).map(String);
    const ports = { XSUB_PORT, XPUB_PORT, ROUTER_PORT };
    let forwarder = await startForwarder({ ports, folder });
    try {
      await using broadcaster = await startHttpService("broadcaster", { ...ports, PUBLISH_TIMEOUT: "500ms" });
      await ready(broadcaster.url);
      await using reader = new ZeromqChannel({
        host: "127.0.0.1",
        routerPort: Number(ROUTER_PORT),
        xpubPort: Number(XPUB_PORT),
      });
      const abort = new AbortController();
      const [early, late] = [1, 2].map(() => Array.from({ length: BATCHES }, () => newBatch(EVENTS)));
      const refused = Promise.withResolvers<void>();
      const options = { to: () => broadcaster, onRefused: refused.resolve };
      const acknowledged = [sendAll(early!, options)];
      // Some are stored and most are not.
      for await (const _ of reader.subscribe("earliest", abort)) break;
      abort.abort();
      await forwarder[Symbol.asyncDispose]();
      acknowledged.push(sendAll(late!, options));
      await within("a batch that has to be sent again", refused.promise);
      forwarder = await startForwarder({ ports, folder });
      await Promise.all(acknowledged);
      assertOnce(await stored(ports), [...early!, ...late!]);
    } finally {
      await forwarder[Symbol.asyncDispose]();
    }
  }));

Deno.test("a broadcaster that is killed in the middle of batches: sent to another, each event is stored once", async () => {
  await using forwarder = await startForwarder();
  const { ports } = forwarder;
  await using first = await startHttpService("broadcaster", ports);
  await using second = await startHttpService("broadcaster", ports);
  await Promise.all([first, second].map(({ url }) => ready(url)));
  const batches = Array.from({ length: BATCHES }, () => newBatch(EVENTS));
  let broadcaster = first;
  const acknowledged = sendAll(batches, { to: () => broadcaster });
  await eventually("the first of them", async () => (await stored(ports)).length > 0);
  broadcaster = second;
  await first[Symbol.asyncDispose]();
  await acknowledged;
  assertOnce(await stored(ports), batches);
});

Deno.test("a page of another site gets the script from where it sends to, with the path of this installation", async () => {
  await using forwarder = await startForwarder();
  const env = {
    TRACKER_PATH: "/js/t.js",
    EVENTS_PATH: "/in",
    TRACK_SITES: "shop",
    MAX_BATCHES_PER_CLIENT: "3",
  };
  await using broadcaster = await startHttpService("broadcaster", { ...forwarder.ports, ...env });
  await ready(broadcaster.url);
  const script = `${broadcaster.url}js/t.js`;
  const [, endpoint = ""] = /endpoint = "([^"]*)"/.exec(await (await fetch(script)).text()) ?? [];
  const url = new URL(endpoint, script).href;
  assert.equal(url, `${broadcaster.url}in`);
  const statuses: number[] = [];
  for (const site of ["shop", "other", "shop", "shop"]) {
    const response = await fetch(url, { method: "POST", body: newBatch(1, { site }).body });
    await response.body?.cancel();
    statuses.push(response.status);
  }
  assert.deepEqual(statuses, [204, 403, 204, 429]);
});
