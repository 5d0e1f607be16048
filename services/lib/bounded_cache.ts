/**
 * What was found out lately, within a bound in bytes. Kept in two generations: what is asked for moves into the
 * younger one; when that is full it becomes the older one, and what nobody has asked for since is forgotten. So a
 * flood of keys that come once does not drive out those that come often, and a hit costs one look into a map.
 */

/** Bytes of a place in a map, and of a value without what is its own. */
const ENTRY_BYTES = 100;

export interface BoundedCacheOptions<V> {
  /** Of both generations, keys and values, about. One value alone may exceed half of it. */
  readonly maxBytes: number;
  /** Bytes of a value beyond its key, about. */
  readonly sizeOf: (value: V) => number;
}

export class BoundedCache<V extends NonNullable<unknown>> {
  readonly #maxBytes: number;
  readonly #sizeOf: (value: V) => number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  /** Of the younger one; the older one has at most half of the bound, as it had when it was young. */
  #bytes = 0;

  constructor({ maxBytes, sizeOf }: BoundedCacheOptions<V>) {
    this.#maxBytes = maxBytes;
    this.#sizeOf = sizeOf;
  }

  /** How many entries there are; one that is in both generations counts twice. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: string): V | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    this.#young.set(key, value);
    this.grow(2 * key.length + ENTRY_BYTES + this.#sizeOf(value));
  }

  /** Tells that a value that was just asked for has grown by so many bytes. */
  grow(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= this.#maxBytes / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#bytes = 0;
  }
}
