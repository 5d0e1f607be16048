import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { Channel, Cursor } from "../lib/channel.ts";
import { MemoryChannel } from "../lib/channels/memory.ts";
import { type Matcher, parseMatcher, parseTopicSelector } from "../lib/matcher.ts";
import { anyUpdate, numberedUpdate } from "../lib/testing/fixtures.ts";
import { StillClock } from "../lib/testing/still_clock.ts";
import type { Update } from "../lib/update.ts";
import { chunkOf, frameOf } from "./framed.ts";
import { History } from "./history.ts";
import type { Piece } from "./pieces.ts";
import { View } from "./view.ts";

const clock = new StillClock();
const OPTIONS = { base: "https://hub.test/.well-known/mercure", maxLength: 4096 };
const EVERYTHING = parseMatcher("exact", "*", OPTIONS);
const ALL = new View([EVERYTHING], []);
const viewOf = (pattern: string) => new View([parseMatcher("urlpattern", pattern, OPTIONS)], []);

async function channelWith(updates: readonly Update[]): Promise<Channel & { asked: number }> {
  const channel = new MemoryChannel();
  for (const update of updates) await channel.publish(update);
  const history = channel.history.bind(channel);
  return Object.assign(channel, {
    asked: 0,
    history(this: { asked: number }, ...args: Parameters<Channel["history"]>) {
      this.asked++;
      return history(...args);
    },
  });
}

async function readAll(
  history: History,
  view: View,
  after: Cursor | "earliest" = "earliest",
): Promise<Piece[]> {
  const pieces: Piece[] = [];
  while (true) {
    const end = pieces.at(-1)?.end ?? after;
    const piece = (await history.read(end))?.read(view);
    if (piece === undefined || piece.end === end) return pieces;
    pieces.push(piece);
  }
}

const bytesOf = (pieces: readonly Piece[]) => pieces.flatMap(({ chunk }) => [...chunk.plain]);

Deno.test("History gives each view what asking it about each update gives", async () => {
  const aMatcher = fc.oneof(
    fc.constantFrom("*", "/a", "/b").map((topic) => parseMatcher("exact", topic, OPTIONS)),
    fc.constantFrom("/*", "/:x").map((pattern) => parseMatcher("urlpattern", pattern, OPTIONS)),
    fc.constant(parseTopicSelector("/{x}", OPTIONS)),
  );
  const matchers = fc.array(aMatcher, { maxLength: 3 });
  const topics = fc.array(fc.constantFrom("/a", "/b", "/c", "/d/e", "é"), { minLength: 1, maxLength: 3 });
  const update = fc.tuple(anyUpdate, topics).map(([update, topics]) => ({
    ...update,
    topics: topics as [string, ...string[]],
  }));
  await fc.assert(
    fc.asyncProperty(fc.array(update), fc.array(fc.tuple(matchers, matchers)), async (updates, views) => {
      await using channel = await channelWith(updates);
      const items = (await channel.history("earliest", { limit: 1000 })).map(frameOf);
      const history = new History(channel);
      for (const [matchers, grants] of views) {
        const view = new View(matchers, grants);
        assert.deepEqual(bytesOf(await readAll(history, view)), [...chunkOf(items, view).chunk]);
      }
    }),
  );
});

Deno.test("History reads what follows a cursor once, and gives the same pieces to all with one view", async () => {
  await using channel = await channelWith(
    Array.from({ length: 1000 }, (_, number) => numberedUpdate(number)),
  );
  const after = (await channel.history("earliest", { limit: 1 }))[0]!.cursor;
  const history = new History(channel);
  for (const view of [ALL, viewOf("/test/*"), viewOf("/test/5*")]) {
    const [first, second] = [await readAll(history, view, after), await readAll(history, view, after)];
    assert.equal(first.length, 5);
    for (const [index, piece] of first.entries()) assert.equal(piece, second[index]);
  }
  // Once for each page, and at the end, where something may have come since.
  assert.equal(channel.asked, 1 + 5 + 6);
});

Deno.test("History keeps pages within a bound, and forgets those that were not asked for longest", async () => {
  const updates = Array.from(
    { length: 400 },
    (_, number) => numberedUpdate(number, { data: "x".repeat(100_000) }),
  );
  await using channel = await channelWith(updates);
  const cursors = (await channel.history("earliest", { limit: 1000 })).map(({ cursor }) => cursor);
  const history = new History(channel);
  const asked = async (index: number) => {
    const before = channel.asked;
    await history.read(cursors[index]!);
    return channel.asked > before;
  };
  // The page after each is as large as what follows it: 10 MB and some.
  const [first, second, third] = [290, 295, 298];
  assert.deepEqual([await asked(first), await asked(first)], [true, false]);
  assert.deepEqual([await asked(second), await asked(third)], [true, true]);
  assert.deepEqual([await asked(third), await asked(first)], [false, true]);
});

Deno.test("History gives those who are slow to match what they have so far, and goes on from there", async () => {
  await using channel = await channelWith(Array.from({ length: 5 }, (_, number) => numberedUpdate(number)));
  const slow: Matcher = {
    ...parseMatcher("urlpattern", "/test/*", OPTIONS),
    matches: () => {
      clock.advance(6);
      return true;
    },
  };
  const pieces = await readAll(new History(channel), new View([slow], []));
  assert.equal(pieces.length, 5);
  assert.deepEqual(bytesOf(pieces), bytesOf(await readAll(new History(channel), ALL)));
});
