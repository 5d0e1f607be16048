import assert from "node:assert/strict";
import { MemoryChannel } from "../lib/channels/memory.ts";
import type { Channel } from "../lib/channel.ts";
import { createLog } from "../lib/log.ts";
import { parseMatcher } from "../lib/matcher.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { numberedUpdate } from "../lib/testing/fixtures.ts";
import { Presence } from "./presence.ts";
import { readNotice, subscriptionOf } from "./subscription.ts";

const log = createLog({ service: "test", level: "error" });
const hubPath = "/.well-known/mercure";

interface Streamer extends AsyncDisposable {
  readonly presence: Presence;
  /** Ends it as `kill -9` would: it publishes nothing more. */
  die(): Promise<void>;
}

/** What of a streamer knows who is there: it follows the channel, as the hub does. */
function startStreamer(channel: Channel, options: { maxStreamLifeMs?: number } = {}): Streamer {
  const { maxStreamLifeMs = 60_000 } = options;
  const presence = new Presence({ channel, log, hubPath, intervalMs: 10, maxStreamLifeMs });
  const ended = new AbortController();
  const following = (async () => {
    for await (const entries of channel.subscribe("latest", { signal: ended.signal })) {
      presence.onEntries(entries);
    }
  })();
  const running = presence.run(ended.signal);
  const die = async () => {
    ended.abort();
    await Promise.all([following, running]);
  };
  return { presence, die, [Symbol.asyncDispose]: die };
}

function subscriptionTo(topic: string, subscriber = `urn:uuid:${crypto.randomUUID()}`) {
  const matcher = parseMatcher("exact", topic, { base: "https://hub.test/", maxLength: 4096 });
  return subscriptionOf(matcher, { hubPath, subscriber });
}

function sees(presence: Presence, ...ids: string[]): Promise<true> {
  return eventually(`the list is ${ids}`, () => {
    const found = presence.list().map(({ id }) => id);
    return presence.isLoaded && found.toSorted().join() === ids.toSorted().join();
  });
}

/** What was published of subscriptions, as `+id` and `-id`. */
async function told(channel: Channel): Promise<string[]> {
  const entries = await channel.history("earliest", { limit: 10_000 });
  return entries.flatMap(({ update }) => {
    const notice = readNotice(update);
    return notice?.kind === "subscription" ? [`${notice.active ? "+" : "-"}${notice.subscription.id}`] : [];
  });
}

Deno.test("a subscription at one streamer is known to all, until it ends", async () => {
  await using channel = new MemoryChannel();
  await using a = startStreamer(channel);
  await using b = startStreamer(channel);
  const subscription = subscriptionTo("/x");
  const end = a.presence.begin([subscription]);
  await sees(a.presence, subscription.id);
  await sees(b.presence, subscription.id);
  end();
  await sees(b.presence);
  await sees(a.presence);
  assert.deepEqual(await told(channel), [`+${subscription.id}`, `-${subscription.id}`]);
});

Deno.test("a streamer that starts later knows what there was before, with or without a bound on the life of streams", async () => {
  for (const maxStreamLifeMs of [0, 60_000]) {
    await using channel = new MemoryChannel();
    await using a = startStreamer(channel);
    const [kept, ended] = [subscriptionTo("/kept"), subscriptionTo("/ended")];
    a.presence.begin([kept]);
    const end = a.presence.begin([ended]);
    for (let number = 1; number <= 2500; number++) await channel.publish(numberedUpdate(number));
    end();
    await sees(a.presence, kept.id);
    await using b = startStreamer(channel, { maxStreamLifeMs });
    await sees(b.presence, kept.id);
  }
});

Deno.test("the subscriptions of a streamer that died are ended by the others, each once", async () => {
  await using channel = new MemoryChannel();
  await using a = startStreamer(channel);
  await using b = startStreamer(channel);
  await using c = startStreamer(channel);
  const [lost, kept] = [subscriptionTo("/lost"), subscriptionTo("/kept")];
  a.presence.begin([lost]);
  b.presence.begin([kept]);
  await sees(c.presence, lost.id, kept.id);
  await a.die();
  await sees(b.presence, kept.id);
  await sees(c.presence, kept.id);
  await b.presence.drain();
  await c.presence.drain();
  assert.deepEqual((await told(channel)).filter((each) => each.startsWith("-")), [`-${lost.id}`]);
});

Deno.test("streamers that notice a death at the same moment end its subscriptions once", async () => {
  await using channel = new MemoryChannel();
  const lost = subscriptionTo("/lost");
  {
    await using a = startStreamer(channel);
    a.presence.begin([lost]);
    await sees(a.presence, lost.id);
  }
  // They follow the channel by our hand, so that none hears of what the other does in between.
  const options = { channel, log, hubPath, intervalMs: 10, maxStreamLifeMs: 60_000 };
  const others = [new Presence(options), new Presence(options)];
  const ended = new AbortController();
  const running = others.map((presence) => presence.run(ended.signal));
  const heartbeats = await eventually("three heartbeats of both", async () => {
    const entries = await channel.history("earliest", { limit: 10_000 });
    const found = entries.filter(({ update }) => readNotice(update)?.kind === "heartbeat");
    const counts = Map.groupBy(found, ({ update }) => update.topics[0]).values().map((each) => each.length);
    return [...counts].filter((count) => count >= 3).length >= 2 && found;
  });
  for (const presence of others) presence.onEntries(heartbeats);
  ended.abort();
  await Promise.all(running);
  for (const presence of others) await presence.drain();
  assert.deepEqual(await told(channel), [`+${lost.id}`, `-${lost.id}`]);
});

Deno.test("the subscriptions of a streamer that died are ended by one that starts after it", async () => {
  await using channel = new MemoryChannel();
  const lost = subscriptionTo("/lost");
  {
    await using a = startStreamer(channel);
    a.presence.begin([lost]);
    await sees(a.presence, lost.id);
  }
  await using b = startStreamer(channel);
  await sees(b.presence);
  assert.deepEqual(await told(channel), [`+${lost.id}`, `-${lost.id}`]);
});

Deno.test("a streamer that was taken for dead says that it is not", async () => {
  await using channel = new MemoryChannel();
  await using a = startStreamer(channel);
  const subscription = subscriptionTo("/x");
  a.presence.begin([subscription]);
  await sees(a.presence, subscription.id);
  const announced = (await channel.history("earliest", { limit: 100 }))
    .find(({ update }) => readNotice(update)?.kind === "subscription");
  assert.ok(announced);
  const data = announced.update.data.replace('"active":true', '"active":false');
  await channel.publish({ ...announced.update, id: "urn:test:end", data });
  await eventually("it is said again", async () => (await told(channel)).length === 3);
  await sees(a.presence, subscription.id);
});

Deno.test("a history that was lost is told anew what goes on", async () => {
  await using channel = new MemoryChannel();
  await using a = startStreamer(channel);
  const subscription = subscriptionTo("/x");
  a.presence.begin([subscription]);
  await sees(a.presence, subscription.id);
  a.presence.onHistoryLost();
  await eventually("it is said again", async () => (await told(channel)).length === 2);
});
