/** `GET /history`: what happened before, page by page in both directions, for who may see it. */
import type { Context } from "hono";
import * as v from "valibot";
import { HISTORY_QUERY, type HistoryAnswer, type HistoryUpdate } from "../lib/api/history.ts";
import { type Channel, type Cursor, type Entry, HistoryLostError } from "../lib/channel.ts";
import { type App, ProblemError } from "../lib/http.ts";
import type { Matcher } from "../lib/matcher.ts";
import type { FormField } from "../lib/mercure/form.ts";
import { nextTurn } from "../lib/shutdown.ts";
import { shownOf } from "./framed.ts";
import type { View } from "./view.ts";
import { readViewer, type ViewerOptions } from "./viewer.ts";

interface HistoryOptions extends ViewerOptions {
  readonly channel: Channel;
  /** What is matched where the request has no matchers of its own. */
  readonly matchAll: (c: Context) => readonly Matcher[];
}

/** Entries that are read at once. */
const PAGE = 500;
/** Entries that one request looks through; where matchers match little, the answer is short and says how to go on. */
const MAX_LOOKED = 5000;
/** Characters of an answer's data, about. */
const MAX_CHARACTERS = 4 * 1024 * 1024;

/** Answers these paths. */
export function serveHistory(app: App, paths: readonly string[], options: HistoryOptions): void {
  const answer = async (c: Context) => {
    const { fields, view } = await readViewer(c, options, options.matchAll(c));
    const { limit, place } = readQuery(fields);
    try {
      return c.json(await read(place, { channel: options.channel, view, limit }), 200, {
        "Cache-Control": "no-store",
      });
    } catch (error) {
      if (!(error instanceof HistoryLostError)) throw error;
      throw new ProblemError(410, `The place in ${place.name} is no longer kept, or of another history`);
    }
  };
  for (const path of paths) {
    app.get(path, answer);
    app.on("QUERY", path, answer);
  }
}

interface Place {
  readonly name: "before" | "until" | "after" | "latest";
  /** An id, or a cursor behind a `#`, with which no id begins. */
  readonly value: string;
}

/** @throws {ProblemError} when a parameter is wrong. */
function readQuery(fields: readonly FormField[]): { limit: number; place: Place } {
  const names = Object.keys(HISTORY_QUERY.entries);
  const given = fields.filter(({ name }) => names.includes(name));
  const query = Object.fromEntries(given.map(({ name, value }) => [name, value]));
  const result = v.safeParse(HISTORY_QUERY, query, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    throw new ProblemError(400, `The parameter ${v.getDotPath(issue)} ${issue.message}`);
  }
  const { limit } = result.output;
  const places = (["before", "until", "after"] as const).flatMap((name) => {
    const value = result.output[name];
    return value === undefined ? [] : [{ name, value }];
  });
  if (places.length > 1) throw new ProblemError(400, "Only one of before, until and after can be given");
  return { limit, place: places[0] ?? { name: "latest", value: "" } };
}

interface ReadOptions {
  readonly channel: Channel;
  readonly view: View;
  readonly limit: number;
}

async function read(place: Place, options: ReadOptions): Promise<HistoryAnswer> {
  if (place.name === "latest") return await readBackwards("latest", options);
  const cursor = await locate(place, options);
  if (place.name === "after") return await readForwards(cursor, options);
  if (place.name === "before") return await readBackwards(cursor, options);
  const [next] = await options.channel.history(cursor, { limit: 1 });
  return await readBackwards(next?.cursor ?? "latest", options);
}

/** @throws {ProblemError} when nobody knows the id, or it is not for this reader to know. */
async function locate({ name, value }: Place, { channel, view }: ReadOptions): Promise<Cursor> {
  if (value.startsWith("#") && name !== "until") return value.slice(1) as Cursor;
  const cursor = await channel.locate(value);
  const entry = cursor && await entryAt(cursor, channel);
  // That there is a private update with this id is nobody's business.
  if (entry === undefined || !view.mayRead(entry.update)) {
    throw new ProblemError(404, `Nobody knows the id in ${name}; it may be too old`);
  }
  return entry.cursor;
}

async function entryAt(cursor: Cursor, channel: Channel): Promise<Entry | undefined> {
  const [previous] = await channel.historyBefore(cursor, { limit: 1 });
  const [entry] = await channel.history(previous?.cursor ?? "earliest", { limit: 1 });
  return entry?.cursor === cursor ? entry : undefined;
}

async function readBackwards(before: Cursor | "latest", options: ReadOptions): Promise<HistoryAnswer> {
  const { channel } = options;
  const page = new PageOfHistory(options);
  let oldest: Cursor | undefined;
  let newest: Cursor | undefined;
  let hasMore = true;
  while (hasMore && !page.isFull) {
    const entries = await channel.historyBefore(oldest ?? before, { limit: PAGE });
    hasMore = entries.length > 0;
    newest ??= entries.at(-1)?.cursor;
    for (const entry of entries.toReversed()) {
      if (page.isFull) break;
      page.take(entry);
      oldest = entry.cursor;
    }
    await nextTurn();
  }
  if (hasMore && oldest !== undefined) {
    hasMore = (await channel.historyBefore(oldest, { limit: 1 })).length > 0;
  }
  return { updates: page.updates.reverse(), older: hasMore ? token(oldest) : null, newer: token(newest) };
}

async function readForwards(after: Cursor, options: ReadOptions): Promise<HistoryAnswer> {
  const { channel } = options;
  const page = new PageOfHistory(options);
  let oldest: Cursor | undefined;
  let newest = after;
  let hasMore = true;
  while (hasMore && !page.isFull) {
    const entries = await channel.history(newest, { limit: PAGE });
    hasMore = entries.length > 0;
    oldest ??= entries[0]?.cursor;
    for (const entry of entries) {
      if (page.isFull) break;
      page.take(entry);
      newest = entry.cursor;
    }
    await nextTurn();
  }
  return { updates: page.updates, older: token(oldest), newer: hasMore ? token(newest) : null };
}

function token(cursor: Cursor | undefined): string | null {
  return cursor === undefined ? null : `#${cursor}`;
}

/** What one answer may hold. */
class PageOfHistory {
  readonly updates: HistoryUpdate[] = [];
  readonly #limit: number;
  readonly #view: View;
  #looked = 0;
  #characters = 0;

  constructor({ limit, view }: ReadOptions) {
    this.#limit = limit;
    this.#view = view;
  }

  get isFull(): boolean {
    return this.updates.length >= this.#limit || this.#looked >= MAX_LOOKED ||
      this.#characters >= MAX_CHARACTERS;
  }

  /** Keeps an entry if this reader sees it. */
  take({ update }: Entry): void {
    this.#looked++;
    const shown = shownOf(update);
    if (shown === undefined) return;
    const { topics, update: { id, type, data, private: isPrivate } } = shown;
    if (!this.#view.sees({ topics, private: isPrivate })) return;
    this.updates.push({
      id,
      ...(type !== undefined && { type }),
      topics: [...topics],
      data,
      ...(isPrivate && { private: true as const }),
    });
    this.#characters += data.length;
  }
}
