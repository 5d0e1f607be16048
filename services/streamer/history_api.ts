/** `GET /history`: what happened before, page by page in both directions, for who may see it. */
import type { Context } from "hono";
import * as v from "valibot";
import { HISTORY_QUERY, type HistoryAnswer, type HistoryUpdate } from "../lib/api/history.ts";
import { type Channel, type Cursor, type Entry, HistoryLostError } from "../lib/channel.ts";
import { type App, ProblemError } from "../lib/http.ts";
import type { Matcher } from "../lib/matcher.ts";
import type { FormField } from "../lib/mercure/form.ts";
import { nextTurn } from "../lib/shutdown.ts";
import type { Update } from "../lib/update.ts";
import { shownOf } from "./framed.ts";
import { type Seal, Seals } from "./seals.ts";
import { Turnstile } from "./turnstile.ts";
import type { View } from "./view.ts";
import { readViewer, type ViewerOptions } from "./viewer.ts";

interface HistoryOptions extends ViewerOptions {
  readonly channel: Channel;
  /** What is matched where the request has no matchers of its own. */
  readonly matchAll: (c: Context) => readonly Matcher[];
  /** Milliseconds that a request waits until it is its turn. */
  readonly patienceMs?: number;
}

/** Entries that are read at once. */
const PAGE = 200;
/**
 * Entries that one request looks through, and characters of them, about; where matchers match little, the answer is
 * short and says how to go on.
 */
const MAX_LOOKED = 5000;
const MAX_LOOKED_CHARACTERS = 16 * 1024 * 1024;
/** Milliseconds that one request spends on matching. */
const MAX_MATCHING_MS = 1000;
/** Milliseconds of that in one go: streams want their turn. */
const GO_MS = 5;
/** Characters of the updates in an answer, about; a larger one comes alone. */
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** Requests that are at work at a time: each takes a go in every turn of the loop, and memory for its answer. */
const READERS = 8;

/** Answers these paths. */
export function serveHistory(app: App, paths: readonly string[], options: HistoryOptions): void {
  const { channel, patienceMs = 15_000 } = options;
  const seals = new Seals(channel);
  const turnstile = new Turnstile({ places: READERS, patienceMs });
  const answer = async (c: Context) => {
    const { fields, view } = await readViewer(c, options, options.matchAll(c));
    const { limit, place } = readQuery(fields);
    try {
      const page = await turnstile.pass(async () =>
        await read(place, { channel, seal: await seals.current(), view, limit })
      );
      if (page !== undefined) return c.json(page, 200, { "Cache-Control": "no-store" });
    } catch (error) {
      if (!(error instanceof HistoryLostError)) throw error;
      throw new ProblemError(410, "The place is no longer kept, or of another history");
    }
    throw new ProblemError(503, "Too many read the history at once; try again", { "Retry-After": "1" });
  };
  for (const path of paths) {
    app.get(path, answer);
    app.on("QUERY", path, answer);
  }
}

interface Place {
  readonly name: "before" | "until" | "after" | "latest";
  /** An id, or a sealed place behind a `#`, with which no id begins. */
  readonly value: string;
}

/** @throws {ProblemError} when a parameter is wrong. */
function readQuery(fields: readonly FormField[]): { limit: number; place: Place } {
  const query = new Map<string, string>();
  for (const { name, value } of fields.filter(({ name }) => Object.hasOwn(HISTORY_QUERY.entries, name))) {
    if (value === undefined) throw new ProblemError(400, `The parameter ${name} is not UTF-8`);
    if (query.has(name)) throw new ProblemError(400, `The parameter ${name} can be given once only`);
    query.set(name, value);
  }
  const result = v.safeParse(HISTORY_QUERY, Object.fromEntries(query), { abortEarly: true });
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
  readonly seal: Seal;
  readonly view: View;
  readonly limit: number;
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
  if (value.startsWith("#")) return await unseal(value, { name, seal });
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

async function seal(position: Position, use: "before" | "after", { seal }: ReadOptions): Promise<string> {
  return `#${await seal.close(JSON.stringify(position), use)}`;
}

/** @throws {HistoryLostError} when it does not open: it is of another history, for another use, or made up. */
async function unseal(value: string, { name, seal }: { name: string; seal: Seal }): Promise<Position> {
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
    older: hasMore ? await seal({ cursor: oldest as Cursor }, "before", options) : null,
    newer: await seal({ cursor: newest ?? "earliest" }, "after", options),
  };
}

async function readForwards(after: Cursor | "earliest", options: ReadOptions): Promise<HistoryAnswer> {
  const page = new PageOfHistory(options);
  let newest = after;
  let hasMore = false;
  while (!hasMore) {
    const entries = await options.channel.history(newest, { limit: page.wanted });
    if (entries.length === 0) break;
    for (const entry of entries) {
      hasMore = !await page.take(entry);
      if (hasMore) break;
      newest = entry.cursor;
    }
  }
  return {
    updates: page.updates,
    older: await seal({ cursor: after, inclusive: true }, "before", options),
    newer: hasMore ? await seal({ cursor: newest }, "after", options) : null,
  };
}

/** What one answer holds, and how much is done for it. */
class PageOfHistory {
  readonly updates: HistoryUpdate[] = [];
  readonly #limit: number;
  readonly #view: View;
  #characters = 0;
  #looked = 0;
  #lookedCharacters = 0;
  #matchingMs = 0;
  #goMs = 0;

  constructor({ limit, view }: ReadOptions) {
    this.#limit = limit;
    this.#view = view;
  }

  /** How many entries to read next: mostly those that are shown, and one to know whether there are more. */
  get wanted(): number {
    return this.#looked === 0 ? Math.min(PAGE, this.#limit + 1) : PAGE;
  }

  /**
   * Takes the next entry; what this reader does not see is passed over. Resolves with false when it has to wait for the
   * next page: there is no room for it, or enough has been done for this one. The first one is always taken.
   */
  async take({ update }: Entry): Promise<boolean> {
    if (
      this.#looked >= MAX_LOOKED || this.#lookedCharacters >= MAX_LOOKED_CHARACTERS ||
      this.#matchingMs >= MAX_MATCHING_MS
    ) return false;
    const shown = await this.#match(update);
    const size = sizeOf(update);
    const isFull = this.updates.length >= this.#limit ||
      this.updates.length > 0 && this.#characters + size > MAX_CHARACTERS;
    if (shown !== undefined && isFull) return false;
    this.#looked++;
    this.#lookedCharacters += size;
    if (shown === undefined) return true;
    this.updates.push(shown);
    this.#characters += size;
    return true;
  }

  async #match(update: Update): Promise<HistoryUpdate | undefined> {
    const start = performance.now();
    const shown = viewOf(update, this.#view);
    const took = performance.now() - start;
    this.#matchingMs += took;
    this.#goMs += took;
    if (this.#goMs >= GO_MS) {
      this.#goMs = 0;
      await nextTurn();
    }
    return shown;
  }
}

/** What of an update a reader with this view gets to see. */
function viewOf(update: Update, view: View): HistoryUpdate | undefined {
  const shown = shownOf(update);
  if (shown === undefined || !view.sees({ topics: shown.topics, private: update.private })) return undefined;
  const { id, type, data } = shown.update;
  return {
    id,
    ...(type !== undefined && { type }),
    topics: [...shown.topics],
    data,
    ...(update.private && { private: true as const }),
  };
}

/** Characters of an update, about. */
function sizeOf({ id, topics, data }: Update): number {
  return topics.reduce((sum, topic) => sum + topic.length, id.length + data.length);
}
