/** Whatever arrives at the hub, it answers, goes on, and is the same afterwards. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { residentBytes } from "../bench/measure.ts";
import { eventually, within } from "../lib/testing/deadline.ts";
import {
  type HttpProcess,
  ready,
  type ServiceProcess,
  startForwarder,
  startHttpService,
} from "../lib/testing/processes.ts";
import { anyAttack, type Attack, HOSTILE_PATTERNS, HOSTILE_TOPICS, makeTokens } from "./fuzz.ts";
import { Door, Hub, HUB_PATH, ISSUER, KEY, startStreamer, unique } from "./harness.ts";

/** Attacks in one round. */
const ROUND = 1000;
/** Rounds after which the memory has to be where it was before them. */
const WINDOW = 3;
/** It takes some rounds until caches are full, the code is hot and the heap has come to its size; so many at most. */
const MAX_ROUNDS = 20;
/** What the streamer may grow by in a window, for its heap is never quite the same: under 3 KiB for each attack. */
const MAX_GROWTH_BYTES = 8 * 1024 * 1024;
/** Connections at a time. */
const WORKERS = 16;
/** More streams than are ever open here at a time; none is left over when one is not given back for each attack. */
const MAX_STREAMS = 200;
/** Tokens of each kind in one round. */
const TOKENS = 100;
/** Milliseconds that something malformed has to be answered in, if it is at all. */
const PATIENCE_MS = 20;
/** Always the same attacks first, then others in each run. */
const FIXED_SEED = 20_261_124;
const decoder = new TextDecoder("latin1");

/** Sends an attack, and resolves with the head of the response; empty when there is none. The stream is left. */
async function send({ bytes, isHttp }: Attack, port: number): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  let open = true;
  const leave = () => {
    if (open) connection.close();
    open = false;
  };
  const timer = isHttp ? undefined : setTimeout(leave, PATIENCE_MS);
  try {
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
    return await readHead(connection);
  } catch (error) {
    // The server hung up, or we did.
    if (!(error instanceof Error) || isHttp) throw error;
    return "";
  } finally {
    clearTimeout(timer);
    leave();
  }
}

/** The head of the first response that is not an interim one. */
async function readHead(connection: Deno.Conn): Promise<string> {
  const chunk = new Uint8Array(16 * 1024);
  let text = "";
  while (true) {
    const length = await connection.read(chunk);
    if (length === null) return text;
    text += decoder.decode(chunk.subarray(0, length));
    text = text.replace(/^HTTP\/1\.[01] 1\d\d [^]*?\r\n\r\n/, "");
    const end = text.indexOf("\r\n\r\n");
    if (end !== -1) return text.slice(0, end);
  }
}

/** Fails with the attack when its answer is not one. */
function judge({ bytes, isHttp }: Attack, head: string): number {
  const request = () => JSON.stringify(decoder.decode(bytes)).slice(0, 2000);
  const status = Number(/^HTTP\/1\.[01] (\d{3}) /.exec(head)?.[1] ?? 0);
  if (isHttp) assert.ok(status > 0, `no answer to ${request()}`);
  assert.ok(status < 500, `${head} is the answer to ${request()}`);
  return status;
}

/** Sends attacks on several connections at a time, and resolves with how often each status was the answer. */
async function attack(attacks: readonly Attack[], ports: readonly number[]): Promise<Map<number, number>> {
  const statuses = new Map<number, number>();
  const waiting = attacks.entries();
  const work = async () => {
    for (const [index, each] of waiting) {
      // One in four goes to the last port.
      const port = ports[index % 4 === 0 ? ports.length - 1 : 0]!;
      const what = `an answer to ${decoder.decode(each.bytes)}`.slice(0, 2000);
      const status = judge(each, await within(what, send(each, port)));
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  return statuses;
}

function portOf({ url }: HttpProcess): number {
  return Number(new URL(url).port);
}

/** Opens a stream for every hostile pattern that is accepted, and publishes every hostile topic to all of them. */
async function matchHostilePatterns(hub: Hub): Promise<number> {
  await using streams = new AsyncDisposableStack();
  const end = unique();
  let accepted = 0;
  for (const name of ["match_urlpattern", "topic"]) {
    const all = await Promise.all(HOSTILE_PATTERNS.map(async (pattern) => {
      const query = [[name, pattern], ["match", end]] as const;
      const { status } = await hub.get(query);
      if (status !== 200) {
        assert.equal(status, 400, pattern);
        return undefined;
      }
      return streams.use(await hub.subscribe(query));
    }));
    for (const topic of HOSTILE_TOPICS) {
      const { status } = await hub.publish({ topic, data: "x" });
      assert.ok([200, 400].includes(status), `${topic.slice(0, 100)} was answered with ${status}`);
    }
    for (const stream of all) {
      if (stream === undefined) continue;
      accepted++;
      await stream.drain(end);
    }
  }
  return accepted;
}

/** What a service has said that an operator would have to look at: errors, and whatever is no log entry. */
function complaintsOf({ entries, output }: ServiceProcess): unknown[] {
  return [...entries.filter(({ level }) => level === "error"), ...output];
}

async function allStreamsClosed(hub: Hub, token: string): Promise<void> {
  await eventually("all streams are closed", async () => {
    const { status, text } = await hub.path(`${HUB_PATH}/subscriptions`, { token });
    assert.equal(status, 200);
    return JSON.parse(text).subscriptions.length === 0;
  });
}

/** Every stream that the hub allows can be opened, so none of those before is still counted. */
async function openAllStreams(hub: Hub): Promise<void> {
  await using streams = new AsyncDisposableStack();
  for (let count = 0; count < MAX_STREAMS; count++) streams.use(await hub.subscribe({ match: "x" }));
  assert.equal((await hub.get({ match: "x" })).status, 429);
}

async function deliverPrivately(hub: Hub, broadcaster: Door, token: string): Promise<void> {
  const topic = unique();
  await using stream = await hub.subscribe({ match: topic }, { token });
  const ids = [await hub.publishOk({ topic, private: "on" })];
  ids.push(await broadcaster.publishOk({ topic }));
  assert.deepEqual((await stream.drain(topic)).map(({ id }) => id), ids);
}

Deno.test("thousands of hostile requests leave the hub as it was", async () => {
  // After `--` on the command line stands the seed of a run that is to be had again.
  const randomSeed = Number(Deno.args[0] ?? crypto.getRandomValues(new Uint16Array(1))[0]);
  const issuer = { JWT_ISSUER: ISSUER, JWT_KEY: KEY, JWT_LEGACY: "1" };
  const settings = {
    ...issuer,
    COOKIE_NAME: "token",
    CORS_ORIGINS: "http://listed.test",
    PUBLISH_ORIGINS: "http://listed.test",
    // A busy machine is no reason for a 503 here.
    PUBLISH_TIMEOUT: "20s",
  };
  await using forwarder = await startForwarder();
  await using streamer = await startStreamer(forwarder, {
    ...settings,
    SUBSCRIPTIONS: "on",
    // Filled in the first round, so that it does not grow in the others.
    RECENT_BYTES: "1MiB",
    TRUSTED_PROXIES: "127.0.0.1",
    MAX_STREAMS: `${MAX_STREAMS}`,
    MAX_STREAMS_PER_CLIENT: `${MAX_STREAMS}`,
    MAX_SUBSCRIPTIONS_PER_TOKEN: "1000",
    OVERLOAD: "refuse",
  });
  await using broadcaster = await startHttpService("broadcaster", { ...forwarder.ports, ...settings });
  await ready(broadcaster.url);
  const hub = new Hub(streamer, forwarder, new AsyncDisposableStack());
  const ports = [portOf(streamer), portOf(broadcaster)];
  const token = await hub.token({ publish: ["*"], subscribe: ["*"], claims: { exp: 4_000_000_000 } });

  const { host } = new URL(hub.url);
  const round = async (seed: number) => {
    const tokens = await makeTokens(hub.url, { seed, count: TOKENS, good: token });
    const statuses = await attack(fc.sample(anyAttack({ tokens, host }), { seed, numRuns: ROUND }), ports);
    await allStreamsClosed(hub, token);
    return statuses;
  };

  const services = { forwarder, streamer, broadcaster };
  const complaints = () => Object.entries(services).map(([name, service]) => [name, complaintsOf(service)]);
  const before = complaints();

  await Deno.stdout.write(new TextEncoder().encode(`Seeds: ${FIXED_SEED}, ${randomSeed}\n`));
  const statuses = await round(FIXED_SEED);
  // Attacks that are all turned away at the door would say nothing about what is behind it.
  for (const status of [200, 204, 400, 401, 403, 404, 405, 410]) {
    assert.ok(statuses.has(status), `no answer was ${status}: ${JSON.stringify([...statuses])}`);
  }
  assert.ok(await matchHostilePatterns(hub) > HOSTILE_PATTERNS.length / 2);

  // A process that leaks grows in every window, one that has come to its size does not.
  const sizes: number[] = [];
  const hasGrown = () => sizes.at(-1)! - (sizes.at(-1 - WINDOW) ?? 0) > MAX_GROWTH_BYTES;
  do {
    assert.ok(sizes.length < MAX_ROUNDS, `the streamer grows and grows, in bytes: ${sizes}`);
    await round(randomSeed + sizes.length);
    sizes.push(await residentBytes(streamer.pid));
  } while (hasGrown());

  await deliverPrivately(hub, new Door(broadcaster), token);
  await allStreamsClosed(hub, token);
  await openAllStreams(hub);
  assert.deepEqual(complaints(), before);
});
