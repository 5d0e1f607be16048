/**
 * What one subscriber gets to see: the updates that its matchers route to it, and of the private ones those that
 * its token grants. Subscribers with the same view receive the same bytes.
 * Source: draft-dunglas-mercure-08, "Subscription" and "Authorization".
 */
import { createHash } from "node:crypto";
import { type Matcher, Topic } from "../lib/matcher.ts";

/** What of an update decides who sees it. */
export interface Visible {
  readonly topics: readonly string[];
  readonly private: boolean;
}

export class View {
  /** Equal for views that see the same. */
  readonly key: string;
  readonly matchers: readonly Matcher[];
  readonly grants: readonly Matcher[];
  /** Whether every update is routed to it. */
  readonly matchesAll: boolean;

  /** @param grants which private updates may be read; none without a token. */
  constructor(matchers: readonly Matcher[], grants: readonly Matcher[]) {
    this.matchers = matchers;
    this.grants = grants;
    this.matchesAll = matchers.some((matcher) => matcher.matchesAll);
    const keys = JSON.stringify([keysOf(matchers), keysOf(grants)]);
    // They may be long, and are kept for as long as anybody has this view.
    this.key = createHash("sha256").update(keys).digest("base64url");
  }

  sees(update: Visible): boolean {
    return matchesAny(this.matchers, update.topics) && this.mayRead(update);
  }

  /** Whether it may see an update that is routed to it. Any of the topics may be granted, not just the routed one. */
  mayRead({ private: isPrivate, topics }: Visible): boolean {
    return !isPrivate || matchesAny(this.grants, topics);
  }
}

function keysOf(matchers: readonly Matcher[]): string[] {
  return [...new Set(matchers.map(({ key }) => key))].toSorted();
}

function matchesAny(matchers: readonly Matcher[], names: readonly string[]): boolean {
  for (const name of names) {
    for (const matcher of matchers) {
      if (matcher.matchesAll || matcher.exact === name) return true;
      if (matcher.exact === undefined && matcher.matches(Topic.of(name))) return true;
    }
  }
  return false;
}
