/**
 * Joins history and live into one stream without gap or duplicate. Pure: it knows neither sockets nor time.
 *
 * The rule is short. The live side may lose messages, repeat them and show those of another epoch; the history
 * may not. So a live item goes out only when it is the very next one. Anything else is proof that something was
 * missed, and the history is read until it has been caught up with. Live items that arrive meanwhile are dropped,
 * for the history holds them: an item is committed before it is sent.
 */

import { formatCursor, type Position, type Positioned } from "./position.ts";

export class CatchUp<T> {
  #position: Position;
  /** The highest number of this epoch that is known to exist. */
  #target: number;
  /** Whether history must be read though no higher number is known: at the start, and after a foreign epoch. */
  #unsure = true;

  constructor(after: Position) {
    this.#position = after;
    this.#target = after.number;
  }

  /** The place of the last item that was returned. */
  get position(): Position {
    return this.#position;
  }

  /** Whether history after {@link position} must be read before anything newer may go out. */
  get behind(): boolean {
    return this.#unsure || this.#position.number < this.#target;
  }

  /** Takes what arrived live; returns what may go out now. */
  live(arrived: Iterable<Positioned<T>>): T[] {
    const ready: T[] = [];
    for (const { position, item } of arrived) {
      if (!this.behind && this.#isNext(position)) {
        this.#position = position;
        ready.push(item);
      } else {
        this.exists(position);
      }
    }
    return ready;
  }

  /** Takes note that this position exists, because an item or the end of the history was seen there. */
  exists(position: Position): void {
    // Perhaps a late message of the former history, perhaps the first sign of a new one: the history knows.
    if (position.epoch !== this.#position.epoch) this.#unsure = true;
    else this.#target = Math.max(this.#target, position.number);
  }

  /**
   * Takes a page of history that was read after {@link position}, and where it ended at that time; returns
   * what may go out now.
   *
   * @throws {RangeError} when the page does not follow the position: the history broke its promise.
   */
  page(items: Iterable<Positioned<T>>, end: Position): T[] {
    const ready: T[] = [];
    for (const { position, item } of items) {
      if (!this.#isNext(position)) {
        throw new RangeError(
          `Cannot go on after ${formatCursor(this.#position)} with ${formatCursor(position)}`,
        );
      }
      this.#position = position;
      ready.push(item);
    }
    this.#unsure = false;
    this.exists(end);
    return ready;
  }

  #isNext({ epoch, number }: Position): boolean {
    return epoch === this.#position.epoch && number === this.#position.number + 1;
  }
}
