/** The shapes of what the modules of the page hand on to each other. Browsers never load this file. */
import type { RequestError } from "./refusal.js";
import type { Row } from "./row.js";

/** One event of an event stream. */
export interface StreamEvent {
  /** The id that this very event bears, or "" when it bears none. */
  id: string;
  /** The SSE event name; "message" when the event has none. */
  type: string;
  data: string;
}

export interface StreamRequest {
  url: URL;
  /** "" or none when there is none. */
  token?: string;
  /** What to go on after; "" for what comes from now on. */
  lastEventId: string;
}

/** What the server says about the stream itself. */
export interface Signal {
  /** "hello", "heartbeat", "gap", or one that this page is too old to know; never a row. */
  type: string;
  /** Why, as text to show; "" when the server gives none. */
  reason: string;
  /** By the clock of the server, in ms of the epoch. */
  now?: number;
}

/** An answer that is not the one hoped for. */
export interface Refusal {
  /** 0 when there was no answer at all. */
  status: number;
  /** What the server says, "" when it says nothing. */
  detail: string;
  /** What the log of the server knows the request by; "" when the answer has none. */
  requestId: string;
  /** What the server asks to wait; 0 when it does not ask. */
  retryAfterMs: number;
}

/** Why there is no connection, and when the next attempt starts. */
export interface Wait {
  cause: RequestError | "ended" | "broken" | "offline";
  /** How long the connection had been open; 0 when it was cut off by "offline" or never open. */
  openMs: number;
  /** In ms of the epoch. */
  retryAt: number;
}

export interface LastingStreamHandlers {
  onEvent(event: StreamEvent): void;
  /** The server could not go on where the stream had ended. */
  onGap(reason: string): void;
  /** The server has said something else about the stream. */
  onSignal?(signal: Signal): void;
  onConnecting(): void;
  /** `since` in ms of the epoch. */
  onOpen(since: number): void;
  /** May close the stream, where to try again is no use. */
  onWait(wait: Wait): void;
}

export interface LeaderHandlers {
  onLead(): void;
  /** It leads no more. */
  onFollow(): void;
  /** From another tab; never trusted, for other pages of this origin may speak. */
  onMessage(message: unknown): void;
}

export interface HistoryPage {
  /** The oldest first. */
  events: StreamEvent[];
  /** What to ask for the page before it; null when there is nothing older. */
  older: string | null;
  /** Likewise for the one after it. */
  newer: string | null;
}

export type HistoryPlace = { before: string } | { after: string } | { until: string } | Record<string, never>;

/** How the page is connected to what happens. */
export interface SourceState {
  name: "connecting" | "catching-up" | "live" | "reconnecting" | "offline";
  /** When the next attempt starts, in ms of the epoch; absent while one is under way. */
  retryAt?: number | undefined;
  /** Why the last attempt failed, as a sentence; absent after a mere interruption. */
  problem?: string | undefined;
  /** How many came so far while it catches up. */
  count?: number;
}

export interface SourceHandlers {
  onEvents(events: StreamEvent[], how: { isLive: boolean }): void;
  onGap(reason: string): void;
  onState(state: SourceState): void;
}

/** What tabs tell each other: the leader what came after the event with this id, and how the connection is. */
export type Message =
  | { kind: "who" }
  | { kind: "retry" }
  | { kind: "events"; after: string; events: StreamEvent[]; isLive: boolean }
  | { kind: "gap"; reason: string }
  | { kind: "state"; state: SourceState; last: string; aheadMs: number };

/** What an update says that follows the words of this project. */
export interface Update {
  /** "" when the publisher gave none. */
  id: string;
  type: string;
  message: string;
  /** "debug", "info", "warning", "error", or whatever the publisher wrote. */
  level: string;
  notify: boolean;
  /** In ms of the epoch. */
  time: number;
}

/** What one row of the page is made of. */
export interface Entry {
  /** Its place on this page: whole and consecutive; the ring sets it. Negative ones were scrolled back. */
  seq: number;
  row: "update" | "gap" | "mark" | "notice";
  /** "" when it has none. */
  id: string;
  /** That of a tracking event, else the SSE type; "" for all but updates. */
  kind: string;
  /** The SSE type. */
  type: string;
  /** "debug", "info", "warning", "error" or "other". */
  level: string;
  /** One line. */
  message: string;
  notify: boolean;
  /** In ms of the epoch: as the event tells it, or its id, or when it arrived. */
  time: number;
  /** In ms of the epoch. */
  arrived: number;
  /** It came as it happened, and was not read back. */
  isLive: boolean;
  /** "" when unknown. */
  site: string;
  /** Its session; "" when unknown. */
  sid: string;
  /** Its number in the session; -1 when unknown. */
  n: number;
  /** Ms from the event to the server; -1 when unknown. */
  latency: number;
  /** How many events its page had to give up before it. */
  dropped: number;
  /** As it came. */
  data: string;
  /** In small letters, to be searched. */
  text: string;
}

export interface FeedHandlers {
  onClick(seq: number, target: Element): void;
  onDraw(rows: Iterable<Row>): void;
  /** What is in view, or whether it follows, has changed. */
  onPlace(): void;
  /** The reader has come near the oldest row. */
  onTop(): void;
}

/** A term of the filter that asks for a value of a field. */
export interface Term {
  field: string;
  value: string;
  isExcluded: boolean;
}

/** A stretch of time in ms of the epoch, open where one is missing. */
export interface Range {
  from?: number;
  to?: number;
}

export interface StatsSnapshot {
  total: number;
  /** How many of each; those past the bound are under OTHER. */
  kinds: ReadonlyMap<string, number>;
  /** Active within five minutes. */
  sessions: number;
  errors: number;
  /** Ms from the event to the server, of the newest thousand. */
  p50: number | undefined;
  p95: number | undefined;
  /** Events that pages had to give up. */
  dropped: number;
  /** Per second, over the last ten. */
  rate: number;
  /** The original demo's three. */
  logins: number;
  clicks: number;
  alerts: number;
}

export interface TimelineSnapshot {
  /** Where the first bucket begins, in ms of the epoch. */
  start: number;
  bucketMs: number;
  /** The most frequent ones, then OTHER if there is more. */
  kinds: string[];
  /** For each bucket, from the oldest, how many of each of `kinds`. */
  buckets: number[][];
  /** Of all kinds in one bucket. */
  max: number;
  /** From when on all is counted. */
  from: number;
}
