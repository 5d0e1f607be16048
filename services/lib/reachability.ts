/** What to do about a channel that cannot be reached: try again, and tell the operator. */
import { type Channel, ChannelUnavailableError } from "./channel.ts";
import type { Log } from "./log.ts";
import { pause } from "./shutdown.ts";

/** Milliseconds before an unreachable channel is asked again, besides what the asking itself takes. */
const RETRY_MS = 100;

/**
 * Repeats an action that fails because the channel is away, until it succeeds.
 *
 * @throws the reason of the signal when it aborts before that, and every other failure of the action.
 */
export async function whenReachable<T>(action: () => Promise<T>, signal: AbortSignal): Promise<T> {
  while (true) {
    signal.throwIfAborted();
    try {
      return await orAborted(action(), signal);
    } catch (error) {
      if (!(error instanceof ChannelUnavailableError)) throw error;
    }
    // Some refusals come at once, and without a pause nothing else of the process would have its turn.
    await pause(RETRY_MS, signal);
  }
}

/** Does not wait for an action longer than anybody wants it: a question may take longer than a service has to end. */
async function orAborted<T>(action: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([action, late]);
  } finally {
    signal.removeEventListener("abort", abort);
    // Nobody waits any more for what it says then.
    action.catch(() => {});
  }
}

export interface ReachabilityOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Milliseconds between two looks. The first one comes after as many, when the channel had time to connect. */
  readonly intervalMs?: number;
}

/** Writes to the log when the channel is lost and when it is back; probes only tell who asks. */
export async function logReachability(
  channel: Channel,
  { log, signal, intervalMs = 1000 }: ReachabilityOptions,
): Promise<void> {
  let last: string | undefined;
  while (true) {
    await pause(intervalMs, signal);
    if (signal.aborted) return;
    const status = channel.status();
    const now = status.reachable ? "" : status.reason;
    if (now === last) continue;
    last = now;
    if (status.reachable) log.info("The channel can be reached");
    else log.warn("The channel cannot be reached", { reason: status.reason });
  }
}
