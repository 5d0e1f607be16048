/** Reads a stream of Server-Sent Events with a parser that is not ours. */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { aborted } from "../shutdown.ts";
import { within } from "./deadline.ts";

export interface SseReader extends AsyncDisposable {
  readonly response: Response;
  /** Every event so far. */
  readonly events: readonly EventSourceMessage[];
  /** Every comment so far. */
  readonly comments: readonly string[];
  /** The last `retry:` in milliseconds. */
  readonly retry: number | undefined;
  /** Whether the server has ended the stream. */
  readonly ended: boolean;
  /** Resolves when the condition holds; it is looked at after each chunk and at the end. */
  until(what: string, condition: () => boolean): Promise<void>;
}

export interface SseOptions {
  /** The body is not read before this resolves: a client that stands still. */
  readonly readAfter?: Promise<void>;
}

/** Opens a stream. Disposing it leaves, as a closed browser tab does. */
export async function openSse(
  url: string | URL,
  init: RequestInit = {},
  { readAfter }: SseOptions = {},
): Promise<SseReader> {
  const leave = new AbortController();
  const headers = new Headers(init.headers);
  if (!headers.has("Accept")) headers.set("Accept", "text/event-stream");
  const response = await within(
    `the headers of ${url}`,
    fetch(url, { ...init, headers, signal: leave.signal }),
  );
  const events: EventSourceMessage[] = [];
  const comments: string[] = [];
  let retry: number | undefined;
  let ended = false;
  let progress = Promise.withResolvers<void>();
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onComment: (comment) => comments.push(comment),
    onRetry: (milliseconds) => retry = milliseconds,
  });

  const reading = (async () => {
    await Promise.race([readAfter, aborted(leave.signal)]);
    try {
      for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
        parser.feed(text);
        progress.resolve();
        progress = Promise.withResolvers();
      }
    } catch (error) {
      // A connection that is cut ends the stream, on whichever side it was cut.
      if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
    }
    ended = true;
    progress.resolve();
  })();

  const wait = async (what: string, condition: () => boolean) => {
    while (!condition()) {
      if (ended) throw new Error(`The stream ended while waiting for ${what}`);
      await progress.promise;
    }
  };

  return {
    response,
    events,
    comments,
    get retry() {
      return retry;
    },
    get ended() {
      return ended;
    },
    until(what, condition) {
      return within(what, wait(what, condition));
    },
    async [Symbol.asyncDispose]() {
      leave.abort();
      await reading;
    },
  };
}
