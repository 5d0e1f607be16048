/** What the hub tells about its subscriptions, and how a client keeps track of them. */
import assert from "node:assert/strict";
import { eventually } from "../lib/testing/deadline.ts";
import { type Answer, type Event, type Hub, HUB_PATH, type Stream, unique } from "./harness.ts";

/** The path of the collection of all subscriptions. */
export const SUBSCRIPTIONS = `${HUB_PATH}/subscriptions`;
/** A URL pattern for the collections and everything below. */
export const ANY_SUBSCRIPTION = { match: `${SUBSCRIPTIONS}{/*}?`, match_type: "urlpattern" } as const;

/** One subscription, in an event and in the API. */
export interface SubscriptionDocument {
  readonly id: string;
  readonly type: string;
  readonly match_type: string;
  readonly match: string;
  readonly subscriber: string;
  readonly active: boolean;
  readonly payload?: unknown;
}

/** Simple string expansion of one variable. Source: RFC 6570, section 3.2.2. */
export function expand(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => {
    const char = String.fromCharCode(byte);
    return /[A-Za-z0-9\-._~]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}

/** The path of a subscription, or of the collection of those with one matcher. */
export function pathOf(type: string, match: string, subscriber?: string): string {
  const collection = `${SUBSCRIPTIONS}/${type}/${expand(match)}`;
  return subscriber === undefined ? collection : `${collection}/${expand(subscriber)}`;
}

/** A token that sees all that there is to see about subscriptions. */
export function watcherToken(hub: Hub): Promise<string> {
  return hub.token({ subscribe: [ANY_SUBSCRIPTION] });
}

/** A client that follows the subscriptions. */
export interface Watcher extends AsyncDisposable {
  readonly stream: Stream;
  /** What it heard of subscriptions with this matcher. */
  about(match: string): SubscriptionDocument[];
  /** Resolves with the above when there is so much of it. */
  heard(match: string, count: number): Promise<SubscriptionDocument[]>;
  /** Resolves when all that was said before the call is heard. */
  settle(): Promise<void>;
}

/** Opens a stream of the events about subscriptions, of now on or after an id. */
export async function watch(hub: Hub, lastEventId?: string): Promise<Watcher> {
  const fence = unique("fence");
  const query = {
    match: fence,
    match_urlpattern: ANY_SUBSCRIPTION.match,
    ...(lastEventId !== undefined && { last_event_id: lastEventId }),
  };
  const stream = await hub.subscribe(query, { token: await watcherToken(hub) });
  const about = (match: string) => documentsOf(stream.events).filter((document) => document.match === match);
  return {
    stream,
    about,
    async heard(match, count) {
      await stream.until(`${count} events about ${match}`, () => about(match).length >= count);
      return about(match);
    },
    settle: async () => void await stream.drain(fence),
    [Symbol.asyncDispose]: () => stream[Symbol.asyncDispose](),
  };
}

/** What the events about subscriptions say, among others. */
export function documentsOf(events: readonly Event[]): SubscriptionDocument[] {
  return events.filter(({ event }) => event === "mercure").map(({ data }) => JSON.parse(data));
}

/** The collection at a path, with the cursor that belongs to it. */
export interface Snapshot {
  readonly id: string;
  readonly type: string;
  readonly subscriptions: readonly SubscriptionDocument[];
  readonly lastEventId: string;
}

export async function snapshotOf(hub: Hub, path: string = SUBSCRIPTIONS): Promise<Snapshot> {
  const answer = await hub.path(path, { token: await watcherToken(hub) });
  assert.equal(answer.status, 200, `${path}: ${answer.text}`);
  return { ...JSON.parse(answer.text), lastEventId: linkOf(answer).lastEventId };
}

/** Asks until the collection at a path has so many entries. */
export function snapshotWith(hub: Hub, count: number, path?: string): Promise<Snapshot> {
  return eventually(`${count} subscriptions at ${path}`, async () => {
    const snapshot = await snapshotOf(hub, path);
    return snapshot.subscriptions.length === count ? snapshot : undefined;
  });
}

/** The link to the hub. Source: RFC 8288, section 3. */
export function linkOf({ headers }: Answer): { readonly url: string; readonly lastEventId: string } {
  const link = headers.get("Link") ?? "";
  const [, url = ""] = /^<([^>]*)>/.exec(link) ?? [];
  assert.match(link, /; *rel="?mercure"?(?:;|$)/, "the link is one to a hub");
  const [, lastEventId] = /; *last-event-id="([^"]*)"/.exec(link) ?? [];
  assert.ok(lastEventId !== undefined, `the link has a cursor: ${link}`);
  return { url, lastEventId };
}
