/**
 * What `tracker.js` and `tracker.mjs` offer. Attributes of the script tag are options of the same names.
 *
 * Why it sends as it does, which the script has no room to say:
 *
 * - An event leaves the queue when the server has acknowledged it, with 204 or with a 200 that holds its clock, or has
 *   refused it for good. Whatever else answers, such as the page of a network that one has to sign in to, is none.
 *   Until then it is sent again, with the id that it always had: the server stores it once.
 * - Batches go one at a time, as requests that outlive the page: all such requests of a page share 64 KB.
 * - When the page is hidden or goes, what is left goes at once. To the page's own site by `sendBeacon`, which browsers
 *   are surest to send; to others by `fetch`, since ad-blockers stop every beacon to another site. A beacon that was
 *   accepted is not acknowledged, so its events stay in the queue.
 * - What does not fit into those 64 KB, and what nobody has acknowledged, is sent by the next page of the same origin
 *   where `storage` is `local`. Elsewhere it is lost with the page.
 */

export interface TrackerOptions {
  /** Label of every event. Default: the host name of the page. */
  site?: string;
  /** Where batches go, absolute or relative to the script. Default: `e` beside it. */
  endpoint?: string;
  /** Page views without being told. Default: on. */
  auto?: Switch;
  /** `route`: what is behind `#` is a page of its own. */
  hash?: "ignore" | "route";
  /** Which parameters of an address are told: none, all, or those of this list, separated by commas. */
  query?: "strip" | "keep" | (string & Record<never, never>);
  /** Links that lead to other hosts. Default: on. */
  outbound?: Switch;
  /** Links to files. Default: on. */
  downloads?: Switch;
  /** Forms that are sent: their name and id, never a value. Default: on. */
  forms?: Switch;
  /** Errors of scripts, ten for each page at most. Default: on. */
  errors?: Switch;
  /** How long the page was in view and in focus, and how far it was scrolled. Default: on. */
  engagement?: Switch;
  /** `ignore` tracks visitors who ask not to be, by Global Privacy Control or Do Not Track. */
  privacy?: "respect" | "ignore";
  /** `allow` tracks browsers that a program drives. */
  bots?: "drop" | "allow";
  /** `none`: no session. `session`: one until half an hour passes without an event. `local`: unsent events stay, too. */
  storage?: "none" | "session" | "local";
  /** Milliseconds that events are collected into one request. Default: 1000. */
  flush?: number | string;
  /** Part of the sessions that report, 0 to 1. Default: 1. */
  sample?: number | string;
  /** Anything: the console says why events are ignored or dropped. */
  debug?: unknown;
}

export type Switch = boolean | "on" | "off";

/** An event as it travels; times are in ms since 1970. */
export interface TrackedEvent {
  id: string;
  n: number;
  t: number;
  /** Kind. */
  k: string;
  /** Address of the page. */
  u: string;
  /** Address of the page before. */
  r?: string;
  p?: Record<string, unknown>;
}

export interface Track {
  /**
   * Reports an event; returns its id. It never throws, and never waits.
   *
   * @param how `now` sends at once all that is queued, also what waits for its next attempt; `id` (a UUID) makes it the same event as another one with that id.
   */
  (name: string, props?: Record<string, unknown>, how?: { now?: boolean; id?: string }): string;
  /** Reports a page view; returns its id. */
  page(): string;
  /** May change each event before it is queued, or drop it by returning null. */
  use(hook: (event: TrackedEvent) => TrackedEvent | null): void;
  /** Properties of all events to come. */
  set(props: Record<string, unknown>): void;
  /** Sends what is queued now, however often that has failed. */
  flush(): void;
  /** Nothing is tracked in this browser any more, on this origin. */
  optOut(): void;
  optIn(): void;
  status(): {
    queued: number;
    /** Events that were given up since the last batch that arrived. */
    dropped: number;
    /** In ms since 1970; 0 before the first. */
    lastAck: number;
  };
}

/** What the server says when there is more to say than 204. */
export interface TrackAnswer {
  /** The server's clock, in ms since 1970. */
  now: number;
  /** Nothing is wanted: this batch was not stored, and none will be. */
  off?: boolean;
  /** Part of the sessions to come that should report. */
  rate?: number;
  /** Events of the batch that are not stored, and never will be. */
  rejected?: { index: number; reason: string }[];
}

declare global {
  interface Window {
    track: Track;
  }
  interface DocumentEventMap {
    /** A batch was taken. `answer` is what came with a 200: it may say that events of the batch are not stored. */
    "track:sent": CustomEvent<{ ids: string[]; status: number; answer?: TrackAnswer }>;
    /**
     * A batch was not; `status` is 0 without an answer. `retryAt` is when it is sent again, in ms since 1970; without
     * it, that takes `track.flush()`, or is no use.
     */
    "track:failed": CustomEvent<{ ids: string[]; status: number; retryAt?: number }>;
  }
}
