/** The subscribers by what they see, so that an update visits only those who may get it (see `interests.ts`). */
import type { Framed } from "./framed.ts";
import { Interests } from "./interests.ts";
import type { Subscriber } from "./subscriber.ts";
import type { View, Visible } from "./view.ts";

/** The subscribers with one view. */
export class Group {
  readonly view: View;
  /** Those who have had everything so far. */
  readonly live = new Set<Subscriber>();
  /** What is to be written to them in this turn. */
  pending: Framed[] = [];
  /** How many subscribers it has, live or not. */
  size = 0;
  /** The union that it was last taken into: marks cost less than a set for each update. */
  union = 0;

  constructor(view: View) {
    this.view = view;
  }
}

/**
 * So many times fewer groups than patterns in all grants are asked one by one: the topic may never come again, and
 * then asking all patterns would have been for nothing.
 */
const FEW = 4;
/** Sets that are asked one after the other; more are made one. */
const FEW_SETS = 8;

export class Groups {
  readonly #byView = new Map<string, Group>();
  readonly #routes: Interests<Group>;
  readonly #grants: Interests<Group>;
  #unions = 0;

  /** @param cacheBytes for what is remembered about topics, twice. */
  constructor({ cacheBytes }: { readonly cacheBytes?: number } = {}) {
    this.#routes = new Interests(cacheBytes);
    this.#grants = new Interests(cacheBytes);
  }

  /** How many distinct patterns they have subscribed with: each topic that is new asks all of them. */
  get patterns(): number {
    return this.#routes.patterns;
  }

  /** Characters of regular expressions that were compiled for those. */
  get size(): number {
    return this.#routes.size;
  }

  /** The group of a view, with one more subscriber. */
  join(view: View): Group {
    let group = this.#byView.get(view.key);
    if (group === undefined) {
      group = new Group(view);
      this.#byView.set(view.key, group);
      for (const matcher of view.matchers) this.#routes.add(matcher, group);
      for (const grant of view.grants) this.#grants.add(grant, group);
    }
    group.size++;
    return group;
  }

  /** Takes a subscriber away again, and with the last one the group. */
  leave(group: Group): void {
    group.size--;
    if (group.size > 0) return;
    this.#byView.delete(group.view.key);
    for (const matcher of group.view.matchers) this.#routes.delete(matcher, group);
    for (const grant of group.view.grants) this.#grants.delete(grant, group);
  }

  /** The groups that see an update, each once. To be read at once: it may be the index's own set. */
  seeing(update: Visible): Iterable<Group> {
    return update.private ? this.#granted(update) : this.#union(this.#routes.find(update.topics));
  }

  #granted(update: Visible): Group[] {
    const routed = this.#routes.find(update.topics);
    const routes = sizeOf(routed);
    if (routes === 0) return [];
    if (routes * FEW <= this.#grants.patterns) {
      return [...this.#union(routed)].filter(({ view }) => view.mayRead(update));
    }
    const granted = this.#grants.find(update.topics);
    // One who sees everything with a grant for little, or the other way round: the fewer are looked at.
    const [fewer, more] = routes < sizeOf(granted) ? [routed, granted] : [granted, routed];
    const others = more.length > FEW_SETS ? [new Set(this.#union(more))] : more;
    return [...this.#union(fewer)].filter((group) => others.some((set) => set.has(group)));
  }

  #union(sets: readonly ReadonlySet<Group>[]): Iterable<Group> {
    const [first] = sets;
    if (first === undefined) return [];
    if (sets.length === 1) return first;
    const union = ++this.#unions;
    const groups: Group[] = [];
    for (const set of sets) {
      for (const group of set) {
        if (group.union === union) continue;
        group.union = union;
        groups.push(group);
      }
    }
    return groups;
  }
}

function sizeOf(sets: readonly ReadonlySet<Group>[]): number {
  return sets.reduce((sum, { size }) => sum + size, 0);
}
