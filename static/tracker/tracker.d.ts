/** What `tracker.js` and `tracker.mjs` offer. Attributes of the script tag are options of the same names. */

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
   * @param how `now` sends at once, `id` (a UUID) makes it the same event as another one with that id.
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

declare global {
  interface Window {
    track: Track;
  }
  interface DocumentEventMap {
    /** A batch was stored. */
    "track:sent": CustomEvent<{ ids: string[]; status: number }>;
    /**
     * A batch was not; `status` is 0 without an answer. `retryAt` is when it is sent again, in ms since 1970; without
     * it, that takes `track.flush()`, or is no use.
     */
    "track:failed": CustomEvent<{ ids: string[]; status: number; retryAt?: number }>;
  }
}
