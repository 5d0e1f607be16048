/**
 * Joins history and live into one stream without gap or duplicate. Pure: it knows neither sockets nor time.
 *
 * The rule is short. The live side may lose messages, repeat them and show those of another history; the log
 * may not. So a live item goes out only when it is the very next one. Anything else is proof that something was
 * missed, and the log is read until it has been caught up with. Live items that arrive meanwhile are dropped,
 * for the log holds them: an item is committed before it is sent.
 */

/** The place of an item: its number in one history, where numbers are whole, from 1 and without holes. */
export interface Position {
  /** Names the history; numbers of two epochs cannot be compared. */
  readonly epoch: string;
  readonly number: number;
}

export interface Placed<T> {
  readonly position: Position;
  readonly item: T;
}

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
  live(arrived: Iterable<Placed<T>>): T[] {
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

  /** Takes note that this position exists, because an item or the end of the log was seen there. */
  exists(position: Position): void {
    // Perhaps a late message of the former history, perhaps the first sign of a new one: the log knows.
    if (position.epoch !== this.#position.epoch) this.#unsure = true;
    else this.#target = Math.max(this.#target, position.number);
  }

  /**
   * Takes a page of history that was read after {@link position}, and where the log ended at that time; returns
   * what may go out now.
   *
   * @throws {RangeError} when the page does not follow the position: the log broke its promise.
   */
  page(items: Iterable<Placed<T>>, end: Position): T[] {
    const ready: T[] = [];
    for (const { position, item } of items) {
      if (!this.#isNext(position)) {
        throw new RangeError(`Cannot go on after ${format(this.#position)} with ${format(position)}`);
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

function format({ epoch, number }: Position): string {
  return `${epoch}-${number}`;
}
