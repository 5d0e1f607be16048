/** Several streamers before one forwarder: one hub for its clients, whichever of them they are connected to. */
import assert from "node:assert/strict";
import { eventually, within } from "../lib/testing/deadline.ts";
import { type ForwarderProcess, ready, startForwarder } from "../lib/testing/processes.ts";
import { Hub, startStreamer, type Suite, unique } from "./harness.ts";
import {
  documentsOf,
  pathOf,
  snapshotOf,
  snapshotWith,
  type SubscriptionDocument,
  watch,
  type Watcher,
} from "./presence.ts";

/** A short interval, so that a streamer is soon known to be dead. */
const SETTINGS = { SUBSCRIPTIONS: "on", PRESENCE_INTERVAL: "200ms" };

/** Runs with hubs that share a forwarder, each with a streamer of its own, and with what starts another one. */
async function withFleet<Name extends string>(
  names: readonly Name[],
  test: (hubs: Readonly<Record<Name, Hub>>, add: () => Promise<Hub>) => Promise<void>,
): Promise<void> {
  await using fleet = new AsyncDisposableStack();
  const forwarder = fleet.use(await startForwarder());
  const add = async () => fleet.use(await hubBefore(forwarder));
  const hubs = await Promise.all(names.map(async (name) => [name, await add()] as const));
  await test(Object.fromEntries(hubs) as Record<Name, Hub>, add);
}

/** A hub whose disposal ends its streamer, and leaves the forwarder. */
async function hubBefore(forwarder: ForwarderProcess): Promise<Hub> {
  await using owned = new AsyncDisposableStack();
  const streamer = owned.use(await startStreamer(forwarder, SETTINGS));
  return new Hub(streamer, forwarder, owned.move());
}

async function kill({ streamer }: Hub, signal: Deno.Signal = "SIGKILL"): Promise<void> {
  streamer.kill(signal);
  await within("the end of a streamer", streamer.exit);
}

/** Kills a hub that has a stream, and resolves when those who watch know it: meanwhile others had time to notice more. */
async function outlive(mortal: Hub, ...watchers: readonly Watcher[]): Promise<void> {
  const topic = unique("mortal");
  await using _stream = await mortal.subscribe({ match: topic });
  for (const watcher of watchers) await watcher.heard(topic, 1);
  await kill(mortal);
  for (const watcher of watchers) await watcher.heard(topic, 2);
}

export function register(suite: Suite): void {
  registerUpdates(suite);
  registerPresence(suite);
}

function registerUpdates(suite: Suite): void {
  const test = (name: string, check: () => Promise<void>) =>
    suite.reference("Reconnection", `two streamers: ${name}`, check);

  test("who subscribes at one gets what is published at the other, in one order", () =>
    withFleet(["a", "b"], async ({ a, b }) => {
      const topic = unique();
      await using atA = await a.subscribe({ match: topic }, { token: await a.token({ subscribe: [topic] }) });
      await using atB = await b.subscribe({ match: topic }, { token: await b.token({ subscribe: [topic] }) });
      const publish = async (hub: Hub) => {
        const ids = [];
        for (let index = 0; index < 50; index++) {
          ids.push(await hub.publishOk({ topic, ...(index % 2 === 0 && { private: "on" }) }));
        }
        return ids;
      };
      const ids = (await Promise.all([publish(a), publish(b)])).flat();
      await atA.next(ids.length);
      await atB.next(ids.length);
      assert.deepEqual(atA.events, atB.events);
      assert.deepEqual(atA.events.map(({ id }) => id).toSorted(), ids.toSorted());
    }));

  test("who was at one that is killed goes on at the other, and misses nothing", () =>
    withFleet(["a", "b"], async ({ a, b }) => {
      const topic = unique();
      const ids: string[] = [];
      let publishing = true;
      await using before = await a.subscribe({ match: topic });
      const published = (async () => {
        while (publishing) ids.push(await b.publishOk({ topic }));
      })();
      await before.next(20);
      await kill(a);
      await eventually("the end of the stream", () => before.ended);
      const seen = before.events.map(({ id }) => id);
      await using after = await b.subscribe({ match: topic, last_event_id: seen.at(-1)! });
      assert.equal(after.response.headers.get("Mercure-Last-Event-ID"), seen.at(-1));
      await after.next(20);
      publishing = false;
      await published;
      await after.next(ids.length - seen.length);
      seen.push(...after.events.map(({ id }) => id));
      assert.deepEqual(seen, ids);
    }));
}

function registerPresence(suite: Suite): void {
  const test = (name: string, check: () => Promise<void>) =>
    suite.reference("Active subscriptions", `two streamers: ${name}`, check);

  test("the subscriptions at one are seen at both", () =>
    withFleet(["a", "b"], async ({ a, b }) => {
      const topic = unique();
      await using atA = await watch(a);
      await using atB = await watch(b);
      const path = pathOf("exact", topic);
      const token = await a.token({ subscribe: [topic], payload: { name: "é" } });
      {
        await using _ofA = await a.subscribe({ match: topic }, { token });
        const [begin] = await atB.heard(topic, 1);
        assert.deepEqual(begin?.payload, { name: "é" });
        await atA.heard(topic, 1);
        for (const hub of [a, b]) {
          const { subscriptions } = await snapshotOf(hub, path);
          assert.deepEqual(subscriptions, [begin]);
          assert.deepEqual((await snapshotOf(hub, begin!.id)).id, begin!.id);
        }
        await using _ofB = await b.subscribe({ match: topic });
        await atA.heard(topic, 2);
        await atB.heard(topic, 2);
        const lists = [await snapshotOf(a, path), await snapshotOf(b, path)];
        assert.equal(lists[0]?.subscriptions.length, 2);
        assert.deepEqual(lists[0]?.subscriptions, lists[1]?.subscriptions);
      }
      await atA.heard(topic, 4);
      await atB.heard(topic, 4);
      assert.deepEqual(atA.about(topic), atB.about(topic), "both hear the same, in the same order");
      for (const hub of [a, b]) assert.deepEqual((await snapshotOf(hub, path)).subscriptions, []);
    }));

  test("what one that is killed had ends once each, for the others", () =>
    withFleet(["a", "b", "c", "mortal"], async ({ a, b, c, mortal }) => {
      const [topic, base] = [unique(), unique("many")];
      await using atB = await watch(b);
      await using atC = await watch(c);
      // Many, so that what the two others say when they notice has the chance to cross.
      const match = Array.from({ length: 99 }, (_, index) => `${base}/${index}`);
      await using streams = new AsyncDisposableStack();
      for (let count = 0; count < 3; count++) streams.use(await a.subscribe({ match: [topic, ...match] }));
      streams.use(await b.subscribe({ match: topic }));
      const many = ({ stream }: Watcher) =>
        documentsOf(stream.events).filter(({ match }) => match.startsWith(base));
      await atB.heard(topic, 4);
      await atB.stream.until("the begin of all", () => many(atB).length >= 297);
      await kill(a);
      await atB.heard(topic, 7);
      await atB.stream.until("the end of all", () => many(atB).length >= 594);
      for (const hub of [b, c]) {
        await snapshotWith(hub, 1, pathOf("exact", topic));
        await snapshotWith(hub, 0, pathOf("exact", `${base}/0`));
      }
      // What the other one has to say, if anything, is there by now.
      await outlive(mortal, atB, atC);
      for (const watcher of [atB, atC]) await watcher.settle();
      assert.deepEqual(atB.about(topic), atC.about(topic));
      assert.deepEqual(many(atB), many(atC));
      const ends = [...many(atB), ...atB.about(topic)].filter(({ active }) => !active);
      assert.equal(ends.length, 300, "one end for each");
      assert.equal(new Set(ends.map(({ id }) => id)).size, 300);
    }));

  test("what one that is told to end had ends once each", () =>
    withFleet(["a", "b", "mortal"], async ({ a, b, mortal }) => {
      const topic = unique();
      await using atB = await watch(b);
      await using _first = await a.subscribe({ match: topic });
      await using _second = await a.subscribe({ match: topic });
      await atB.heard(topic, 2);
      await kill(a, "SIGTERM");
      await atB.heard(topic, 4);
      await snapshotWith(b, 0, pathOf("exact", topic));
      await outlive(mortal, atB);
      await atB.settle();
      assert.deepEqual(atB.about(topic).map(({ active }) => active), [true, true, false, false]);
    }));

  test("one that starts later knows the subscriptions of the others", () =>
    withFleet(["a"], async ({ a }, add) => {
      const [topic, gone] = [unique(), unique("gone")];
      await using atA = await watch(a);
      await using _stream = await a.subscribe({ match: topic });
      const left = await a.subscribe({ match: gone });
      await atA.heard(gone, 1);
      await left[Symbol.asyncDispose]();
      await atA.heard(gone, 2);
      const [document] = await atA.heard(topic, 1);
      const late = await add();
      const { subscriptions } = await snapshotOf(late, pathOf("exact", topic));
      assert.deepEqual(subscriptions, [document]);
      assert.deepEqual((await snapshotOf(late, pathOf("exact", gone))).subscriptions, []);
    }));

  test("one that starts when the only other one was killed soon forgets what that had", () =>
    withFleet(["a"], async ({ a }, add) => {
      const topic = unique();
      await using atA = await watch(a);
      await using _stream = await a.subscribe({ match: topic });
      await atA.heard(topic, 1);
      await kill(a);
      const late = await add();
      await using atLate = await watch(late, "earliest");
      await snapshotWith(late, 0, pathOf("exact", topic));
      await atLate.heard(topic, 2);
      assert.deepEqual(atLate.about(topic).map(({ active }) => active), [true, false]);
    }));

  test("one that stood still for a while has its subscriptions back", () =>
    withFleet(["a", "b"], async ({ a, b }) => {
      const topic = unique();
      await using atB = await watch(b);
      await using stream = await a.subscribe({ match: topic });
      const [document] = await atB.heard(topic, 1);
      a.streamer.kill("SIGSTOP");
      try {
        await atB.heard(topic, 2);
      } finally {
        a.streamer.kill("SIGCONT");
      }
      await eventually("it is back", async () => {
        const { subscriptions } = await snapshotOf(b, pathOf("exact", topic));
        return subscriptions.length === 1 && subscriptions[0]?.id === document?.id;
      });
      assert.deepEqual(await stream.drain(topic), [], "and its stream was open all the time");
    }));

  test("a forwarder that lost its log costs nobody a subscription", () =>
    withFleet(["a", "b"], async ({ a, b }) => {
      const topic = unique();
      await using atA = await watch(a);
      await using first = await a.subscribe({ match: topic });
      await using second = await b.subscribe({ match: topic });
      const documents = await atA.heard(topic, 2);
      await a.forwarder[Symbol.asyncDispose]();
      await using forwarder = await startForwarder({ ports: a.forwarder.ports });
      await Promise.all([a, b].map(({ streamer }) => ready(streamer.url)));
      await using late = await hubBefore(forwarder);
      const idsOf = (list: readonly SubscriptionDocument[]) => list.map(({ id }) => id).toSorted();
      for (const hub of [a, b, late]) {
        const { subscriptions } = await snapshotWith(hub, 2, pathOf("exact", topic));
        assert.deepEqual(idsOf(subscriptions), idsOf(documents));
      }
      assert.equal(first.ended || second.ended, false);
      await second[Symbol.asyncDispose]();
      for (const hub of [a, b, late]) await snapshotWith(hub, 1, pathOf("exact", topic));
    }));

  test("their signs of life are nothing that clients see", () =>
    withFleet(["a", "b", "mortal"], async ({ a, b, mortal }) => {
      const token = await a.token({ subscribe: ["*"] });
      const fence = unique();
      await using stream = await a.subscribe([["match", "*"]], { token });
      await using atB = await watch(b);
      await outlive(mortal, atB);
      for (const { event, data } of await stream.drain(fence)) {
        assert.equal(event, "mercure");
        assert.equal(JSON.parse(data).type, "subscription", data);
      }
    }));
}
