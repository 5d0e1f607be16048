/** `GET /history`: what happened before, page by page in both directions, for who may see it. */
import type { Context } from "hono";
import type { HistoryAnswer } from "../lib/api/history.ts";
import { type Channel, type Cursor, type Entry, HistoryLostError } from "../lib/channel.ts";
import { type App, ProblemError } from "../lib/http.ts";
import type { Matcher } from "../lib/matcher.ts";
import type { Update } from "../lib/update.ts";
import { shownOf } from "./framed.ts";
import { type Place, readHistoryQuery } from "./history_query.ts";
import { PageOfHistory, type PageOfHistoryOptions } from "./page_of_history.ts";
import { type Seal, Seals } from "./seals.ts";
import { sent } from "./server.ts";
import { Turnstile } from "./turnstile.ts";
import type { View } from "./view.ts";
import { readViewer, type ViewerOptions } from "./viewer.ts";

interface HistoryOptions extends ViewerOptions {
  readonly channel: Channel;
  /** What is matched where the request has no matchers of its own. */
  readonly matchAll: (c: Context) => readonly Matcher[];
  /** Requests that wait for their turn. */
  readonly maxWaiting?: number;
  /** Milliseconds that a request waits until it is its turn. */
  readonly patienceMs?: number;
  /** Answers that are under way: each takes memory from its first read until its client has it. */
  readonly maxAnswers?: number;
  /** Milliseconds that a client has to take an answer. */
  readonly sendMs?: number;
}

/** Requests that are at work at a time: each takes a go in every turn of the loop. */
const READERS = 8;

/** Answers these paths. */
export function serveHistory(app: App, paths: readonly string[], options: HistoryOptions): void {
  const { channel, maxWaiting = 100, patienceMs = 15_000, maxAnswers = 64, sendMs = 30_000 } = options;
  const seals = new Seals(channel);
  const turnstile = new Turnstile({ places: READERS, maxWaiting, patienceMs });
  let answers = 0;
  const answer = async (c: Context) => {
    const { fields, view } = await readViewer(c, options, options.matchAll(c));
    const { limit, place } = readHistoryQuery(fields);
    const { signal } = c.req.raw;
    const response = await turnstile.pass(async () => {
      if (answers >= maxAnswers) return undefined;
      answers++;
      let sending = Promise.resolve();
      try {
        const page = await read(place, { channel, seal: await seals.current(), view, limit, signal });
        sending = sent(c, sendMs);
        return c.json(page, 200, { "Cache-Control": "no-store" });
      } catch (error) {
        if (!(error instanceof HistoryLostError)) throw error;
        throw new ProblemError(410, "The place is no longer kept, or of another history");
      } finally {
        // Not awaited: it is sent once it is returned.
        void sending.then(() => answers--);
      }
    }, signal);
    if (response !== undefined) return response;
    throw new ProblemError(503, "Too many read the history at once; try again", { "Retry-After": "1" });
  };
  for (const path of paths) {
    app.get(path, answer);
    app.on("QUERY", path, answer);
  }
}

interface ReadOptions extends PageOfHistoryOptions {
  readonly channel: Channel;
  readonly seal: Seal;
}

/** Where to read from; backwards, `inclusive` says whether what is there belongs to the page. */
interface Position {
  readonly cursor: Cursor | "earliest";
  readonly inclusive?: boolean;
}

async function read({ name, value }: Place, options: ReadOptions): Promise<HistoryAnswer> {
  if (name === "latest") return await readBackwards("latest", options);
  const { cursor, inclusive = name === "until" } = await locate({ name, value }, options);
  if (name !== "after") return await readBackwards(cursor, { ...options, inclusive });
  const page = await readForwards(cursor, options);
  return value === "earliest" ? { ...page, older: null } : page;
}

/** @throws {ProblemError} when nobody knows the id, or it is not for this reader to know. */
async function locate(
  { name, value }: Pick<Place, "name" | "value">,
  { channel, seal, view }: ReadOptions,
): Promise<Position> {
  if (name === "after" && value === "earliest") return { cursor: value };
  if (value.startsWith("#")) return await unsealPosition(value, { name, seal });
  const cursor = await channel.locate(value);
  const [entry] = cursor === undefined
    ? []
    : await channel.historyBefore(cursor, { limit: 1, inclusive: true });
  // That there is a private update with this id is nobody's business.
  if (entry === undefined || entry.cursor !== cursor || !mayRead(entry.update, view)) {
    throw new ProblemError(404, `Nobody knows the id in ${name}; it may be too old`);
  }
  return { cursor };
}

function mayRead(update: Update, view: View): boolean {
  const shown = shownOf(update);
  return shown !== undefined && view.mayRead({ topics: shown.topics, private: update.private });
}

async function sealPosition(
  position: Position,
  use: "before" | "after",
  { seal }: ReadOptions,
): Promise<string> {
  return `#${await seal.close(JSON.stringify(position), use)}`;
}

/** @throws {HistoryLostError} when it does not open: it is of another history, for another use, or made up. */
async function unsealPosition(
  value: string,
  { name, seal }: { name: string; seal: Seal },
): Promise<Position> {
  const position = await seal.open(value.slice(1), name);
  if (position === undefined) throw new HistoryLostError("Cannot open the place: not sealed here");
  return JSON.parse(position);
}

async function readBackwards(
  before: Cursor | "latest" | "earliest",
  { inclusive = false, ...options }: ReadOptions & { readonly inclusive?: boolean },
): Promise<HistoryAnswer> {
  const page = new PageOfHistory(options);
  let oldest = before;
  let newest: Cursor | undefined;
  let hasMore = false;
  while (!hasMore && oldest !== "earliest") {
    const entries = await options.channel.historyBefore(oldest, {
      limit: page.wanted,
      inclusive: inclusive && newest === undefined,
    });
    if (entries.length === 0) break;
    newest ??= entries.at(-1)?.cursor;
    for (const entry of entries.toReversed()) {
      hasMore = !await page.take(entry);
      if (hasMore) break;
      oldest = entry.cursor;
    }
  }
  return {
    updates: page.updates.toReversed(),
    older: hasMore ? await sealPosition({ cursor: oldest as Cursor }, "before", options) : null,
    newer: await sealPosition({ cursor: newest ?? "earliest" }, "after", options),
  };
}

async function readForwards(after: Cursor | "earliest", options: ReadOptions): Promise<HistoryAnswer> {
  const page = new PageOfHistory(options);
  let newest = after;
  let hasMore = false;
  while (!hasMore) {
    let entries: Entry[];
    try {
      entries = await options.channel.history(newest, { limit: page.wanted });
    } catch (error) {
      // What comes next was forgotten while this was read. Asked for, it is answered so; what was read is not lost.
      if (!(error instanceof HistoryLostError) || newest === after) throw error;
      hasMore = true;
      break;
    }
    if (entries.length === 0) break;
    for (const entry of entries) {
      hasMore = !await page.take(entry);
      if (hasMore) break;
      newest = entry.cursor;
    }
  }
  return {
    updates: page.updates,
    older: await sealPosition({ cursor: after, inclusive: true }, "before", options),
    newer: hasMore ? await sealPosition({ cursor: newest }, "after", options) : null,
  };
}
