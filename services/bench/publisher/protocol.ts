/** What the publisher is told by whoever starts it, and what it answers; both travel as JSON. */

/** Where the updates go. */
export type Target =
  | { readonly kind: "zeromq"; readonly routerPort: number; readonly xpubPort: number }
  | {
    readonly kind: "http";
    readonly port: number;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    /** Whether the data is the body, or a field of a form beside the topic. */
    readonly body: "data" | "form";
    readonly connections: number;
  }
  /** A connection that takes frames as they go out to the readers. */
  | { readonly kind: "frames"; readonly port: number };

export interface PublisherOptions {
  readonly target: Target;
  /** Updates per second. */
  readonly rate: number;
  /** How many go out together. */
  readonly burst: number;
  /** `{n}` stands for a random number below `topics`. */
  readonly topic: string;
  readonly topics: number;
  /** Characters of the data of one update. */
  readonly dataLength: number;
  /** Ends by itself after so many updates; 0: when it is told to. */
  readonly count: number;
}

/** The answer to `mark`, and the last one. Counts are since the start. */
export interface Published {
  /** The moment, in milliseconds since 1970. */
  readonly at: number;
  readonly sent: number;
  readonly acknowledged: number;
  readonly failed: number;
  /** Why the first one failed that did. */
  readonly error: string | null;
  /** The id of the first one, where the server told it. */
  readonly firstId: string | null;
}
