/** One answer of the history: what it holds, and how much is done for it. */
import type { HistoryUpdate } from "../lib/api/history.ts";
import type { Entry } from "../lib/channel.ts";
import { nextTurn } from "../lib/shutdown.ts";
import type { Update } from "../lib/update.ts";
import { shownOf } from "./framed.ts";
import type { View } from "./view.ts";

export interface PageOfHistoryOptions {
  /** Updates in it, at most. */
  readonly limit: number;
  readonly view: View;
  /** Aborts when nobody waits for it any more. */
  readonly signal: AbortSignal;
}

/** Entries that are read at once. */
const BATCH_LIMIT = 200;
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
const MAX_CHARACTERS = 1024 * 1024;

export class PageOfHistory {
  readonly updates: HistoryUpdate[] = [];
  readonly #limit: number;
  readonly #view: View;
  readonly #signal: AbortSignal;
  #characters = 0;
  #looked = 0;
  #lookedCharacters = 0;
  #matchingMs = 0;
  #goMs = 0;

  constructor({ limit, view, signal }: PageOfHistoryOptions) {
    this.#limit = limit;
    this.#view = view;
    this.#signal = signal;
  }

  /** How many entries to read next: mostly those that are shown, and one to know whether there are more. */
  get wanted(): number {
    return this.#looked === 0 ? Math.min(BATCH_LIMIT, this.#limit + 1) : BATCH_LIMIT;
  }

  /**
   * Takes the next entry; what this reader does not see is passed over. Resolves with false when it has to wait for the
   * next page: there is no room for it, enough has been done for this one, or its reader has left. The first one is
   * always taken for who is there.
   */
  async take({ update }: Entry): Promise<boolean> {
    if (
      this.#signal.aborted || this.#looked >= MAX_LOOKED ||
      this.#lookedCharacters >= MAX_LOOKED_CHARACTERS || this.#matchingMs >= MAX_MATCHING_MS
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
