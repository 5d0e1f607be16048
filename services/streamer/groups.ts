/**
 * The subscribers by what they see, and an index from topics to them: an update visits only those who may get it,
 * and each distinct pattern is asked once, however many have subscribed with it.
 */
import type { Matcher, Topic } from "../lib/matcher.ts";
import type { Framed } from "./framed.ts";
import type { Subscriber } from "./subscriber.ts";
import type { View } from "./view.ts";

/** The subscribers with one view. */
export class Group {
  readonly view: View;
  /** Those who have had everything so far. */
  readonly live = new Set<Subscriber>();
  /** What is to be written to them in this turn. */
  pending: Framed[] = [];
  /** How many subscribers it has, live or not. */
  size = 0;

  constructor(view: View) {
    this.view = view;
  }
}

/** Those who subscribed with one matcher. */
interface Interest {
  readonly matcher: Matcher;
  readonly groups: Set<Group>;
}

export class Groups {
  readonly #byView = new Map<string, Group>();
  readonly #byTopic = new Map<string, Set<Group>>();
  readonly #byPattern = new Map<string, Interest>();
  readonly #everything = new Set<Group>();
  #size = 0;

  /** How many distinct patterns there are: each update asks all of them. */
  get patterns(): number {
    return this.#byPattern.size;
  }

  /** Characters of regular expressions that were compiled for them. */
  get size(): number {
    return this.#size;
  }

  /** The group of a view, with one more subscriber. */
  join(view: View): Group {
    let group = this.#byView.get(view.key);
    if (group === undefined) {
      group = new Group(view);
      this.#byView.set(view.key, group);
      for (const matcher of view.matchers) this.#index(matcher).add(group);
    }
    group.size++;
    return group;
  }

  /** Takes a subscriber away again, and with the last one the group. */
  leave(group: Group): void {
    group.size--;
    if (group.size > 0) return;
    this.#byView.delete(group.view.key);
    for (const matcher of group.view.matchers) this.#unindex(matcher, group);
  }

  /** The groups that have a matcher for one of the topics, each once. */
  routedTo(topics: readonly Topic[]): Set<Group> {
    if (topics.length === 0) return new Set();
    const groups = new Set(this.#everything);
    for (const topic of topics) {
      for (const group of this.#byTopic.get(topic.name) ?? []) groups.add(group);
      for (const { matcher, groups: interested } of this.#byPattern.values()) {
        if (!matcher.matches(topic)) continue;
        for (const group of interested) groups.add(group);
      }
    }
    return groups;
  }

  #index(matcher: Matcher): Set<Group> {
    if (matcher.matchesAll) return this.#everything;
    if (matcher.exact !== undefined) {
      return getOrInsert(this.#byTopic, matcher.exact, () => new Set());
    }
    return getOrInsert(this.#byPattern, matcher.key, () => {
      this.#size += matcher.size;
      return { matcher, groups: new Set<Group>() };
    }).groups;
  }

  #unindex(matcher: Matcher, group: Group): void {
    const groups = this.#index(matcher);
    groups.delete(group);
    if (groups.size > 0) return;
    if (this.#byPattern.delete(matcher.key)) this.#size -= matcher.size;
    if (matcher.exact !== undefined) this.#byTopic.delete(matcher.exact);
  }
}

function getOrInsert<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}
