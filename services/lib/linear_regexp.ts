/**
 * Regular expressions whose cost is bounded: the door of RE2JS.
 *
 * A test costs at most (length of the text) × (size of the program) steps. JavaScript's own `RegExp` backtracks,
 * so a short expression from outside could freeze the process.
 */
import { RE2Set } from "re2js";

/**
 * Bytes of automaton states that one expression may keep. They are made as texts arrive; past the bound RE2JS
 * forgets them, and simulates the expression where that happens too often. Its plain `RE2JS.compile()` keeps up
 * to 8 MiB for each expression (50 hostile ones grew by 1 GiB over 20 texts), and only a set lets one say less.
 */
const MAX_STATE_BYTES = 32 * 1024;

/** An expression in RE2 syntax that has to match a whole text. */
export class LinearRegExp {
  /** Characters of the source; each may take some 100 bytes of memory. */
  readonly size: number;
  readonly #set = new RE2Set(RE2Set.ANCHOR_BOTH, 0, MAX_STATE_BYTES);

  /** @throws {Error} when the expression is not valid or nested too deeply. */
  constructor(source: string) {
    this.size = source.length;
    this.#set.add(source);
    this.#set.compile();
  }

  test(text: string): boolean {
    return this.#set.match(text).length > 0;
  }
}

/** The RE2 expression that matches this text only. */
export function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
