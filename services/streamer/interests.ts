/**
 * An index from topics to those who have a matcher for them. Exact matchers are found by the topic. Patterns are
 * asked once per distinct pattern and topic: which of them match a topic is remembered for the topics of late, and
 * holds on when patterns come and go: a new one is asked when the topic comes again, and one that is gone is passed
 * over.
 */
import { BoundedCache } from "../lib/bounded_cache.ts";
import { type Matcher, Topic } from "../lib/matcher.ts";

interface Pattern<T> {
  /** Counts the patterns in the order in which they came. */
  readonly number: number;
  readonly members: Set<T>;
  /** Undefined when nobody has it any more: answers may still name it, and must not hold what was compiled for it. */
  matcher: Matcher | undefined;
}

/** What is known about a topic. */
interface Answer<T> {
  /** The number of the newest pattern that was asked. */
  upTo: number;
  /** Those that match, and some that are gone. */
  patterns: Pattern<T>[];
}

/** Bytes of a pattern that an answer names: itself, if everybody else has forgotten it. */
const PATTERN_BYTES = 64;
/** Bytes of answers: at 100 characters, those for some 20,000 topics. */
const CACHE_BYTES = 16 * 1024 * 1024;
/** Patterns that are gone are taken out of the list when they are so many at least, and most of it. */
const SWEEP = 32;

export class Interests<T> {
  readonly #everything = new Set<T>();
  readonly #byTopic = new Map<string, Set<T>>();
  readonly #byPattern = new Map<string, Pattern<T>>();
  /** In the order of their numbers; some are gone. */
  #patterns: Pattern<T>[] = [];
  #newest = 0;
  #size = 0;
  readonly #answers: BoundedCache<Answer<T>>;

  /** @param cacheBytes for what is known about topics: strangers choose them. */
  constructor(cacheBytes: number = CACHE_BYTES) {
    this.#answers = new BoundedCache({
      maxBytes: cacheBytes,
      sizeOf: ({ patterns }) => PATTERN_BYTES * patterns.length,
    });
  }

  /** How many distinct patterns there are: each topic that is new asks all of them. */
  get patterns(): number {
    return this.#byPattern.size;
  }

  /** Characters of regular expressions that were compiled for them. */
  get size(): number {
    return this.#size;
  }

  /** How many topics are remembered. */
  get remembered(): number {
    return this.#answers.size;
  }

  add(matcher: Matcher, member: T): void {
    this.#membersOf(matcher).add(member);
  }

  delete(matcher: Matcher, member: T): void {
    const members = this.#membersOf(matcher);
    members.delete(member);
    if (members.size > 0 || matcher.matchesAll) return;
    if (matcher.exact !== undefined) this.#byTopic.delete(matcher.exact);
    else this.#forget(matcher);
  }

  /**
   * Those who have a matcher for one of the topics, set by set, each set once; one may be in several. The sets are the
   * index's own, to be read at once.
   */
  find(topics: readonly string[]): ReadonlySet<T>[] {
    const found = new Set<ReadonlySet<T>>();
    if (topics.length > 0 && this.#everything.size > 0) found.add(this.#everything);
    for (const topic of topics) {
      const exact = this.#byTopic.get(topic);
      if (exact !== undefined) found.add(exact);
      if (this.#byPattern.size === 0) continue;
      for (const { members } of this.#matching(topic)) found.add(members);
    }
    return [...found];
  }

  #matching(topic: string): readonly Pattern<T>[] {
    let answer = this.#answers.get(topic);
    if (answer === undefined) {
      answer = { upTo: 0, patterns: [] };
      this.#answers.set(topic, answer);
    }
    if (answer.upTo < this.#newest) this.#ask(topic, answer);
    if (answer.patterns.some(isGone)) answer.patterns = answer.patterns.filter((pattern) => !isGone(pattern));
    return answer.patterns;
  }

  /** Asks the patterns that have come since the topic was last here. */
  #ask(name: string, answer: Answer<T>): void {
    const topic = Topic.of(name);
    let more = 0;
    for (let index = this.#patterns.length - 1; index >= 0; index--) {
      const pattern = this.#patterns[index] as Pattern<T>;
      if (pattern.number <= answer.upTo) break;
      if (!pattern.matcher?.matches(topic)) continue;
      answer.patterns.push(pattern);
      more++;
    }
    answer.upTo = this.#newest;
    if (more > 0) this.#answers.grow(PATTERN_BYTES * more);
  }

  #membersOf(matcher: Matcher): Set<T> {
    if (matcher.matchesAll) return this.#everything;
    if (matcher.exact === undefined) return this.#patternOf(matcher).members;
    let members = this.#byTopic.get(matcher.exact);
    if (members === undefined) {
      members = new Set();
      this.#byTopic.set(matcher.exact, members);
    }
    return members;
  }

  #patternOf(matcher: Matcher): Pattern<T> {
    let pattern = this.#byPattern.get(matcher.key);
    if (pattern === undefined) {
      pattern = { number: ++this.#newest, members: new Set(), matcher };
      this.#byPattern.set(matcher.key, pattern);
      this.#patterns.push(pattern);
      this.#size += matcher.size;
    }
    return pattern;
  }

  #forget(matcher: Matcher): void {
    this.#patternOf(matcher).matcher = undefined;
    this.#byPattern.delete(matcher.key);
    this.#size -= matcher.size;
    const gone = this.#patterns.length - this.#byPattern.size;
    if (gone < SWEEP || gone < this.#byPattern.size) return;
    this.#patterns = this.#patterns.filter((pattern) => !isGone(pattern));
  }
}

function isGone<T>({ matcher }: Pattern<T>): boolean {
  return matcher === undefined;
}
