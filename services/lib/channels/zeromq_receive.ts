/**
 * The one place where ØMQ sockets are read.
 *
 * Nothing may wait inside the addon. Deno stops watching an ØMQ socket after its first wake-up, and that wake-up
 * is often for an internal command (a peer attached) and not for a message: `for await (… of socket)` and a
 * pending `receive()` then wait for ever (denoland/deno#36317), and a `receiveTimeout` above 0 crashes the
 * process. So a socket is drained while it says that it is readable, and in between the system watches its
 * descriptor from outside, or a timer waits.
 * `zeromq_receive_test.ts` fails when waiting works again: then this file can go.
 */

import type { Socket } from "zeromq";
import { libc } from "../libc.ts";
import { nextTurn } from "../shutdown.ts";

/** What draining needs of an ØMQ socket; all of them are readable so but PUB and PUSH. */
export interface ReadableSocket {
  readonly readable: boolean;
  receive(): Promise<Uint8Array[]>;
}

/** Options that every socket needs here, whatever its type. */
export const SOCKET_OPTIONS = {
  // Without it an IPv6 address can neither be bound nor reached; with it one bind serves both families.
  ipv6: true,
  // Never above 0, see above. 0 fails at once instead of waiting.
  receiveTimeout: 0,
  // A peer that vanished without a FIN is noticed after three seconds, and the socket reconnects.
  heartbeatInterval: 1000,
  heartbeatTimeout: 3000,
} as const;

/** Bytes after which a turn takes no more: what it takes lies in memory until the turn is over. */
const TURN_BYTES = 8 * 1024 * 1024;

/** Takes messages that have arrived, at most `limit` and not many bytes, without waiting for any. */
export async function drain(socket: ReadableSocket, limit: number): Promise<Uint8Array[][]> {
  const messages: Uint8Array[][] = [];
  let bytes = 0;
  while (messages.length < limit && bytes < TURN_BYTES && socket.readable) {
    const message = await socket.receive();
    for (const frame of message) bytes += frame.length;
    messages.push(message);
  }
  return messages;
}

/** Milliseconds between two looks at a socket: the delay that polling adds to a message. Timers are up to one late. */
const BUSY_PAUSE_MS = 1;
/** The same after a quiet while, where a delay nobody notices buys an idle processor. */
const QUIET_PAUSE_MS = 4;
const QUIET_AFTER_MS = 1000;

/** Messages of one round from which on the next follows at once. After fewer, waiting gathers more for one commit. */
const FULL_ROUND = 100;

/** Waits until one of some sockets may be readable, for some milliseconds at most. */
export type Wait = () => Promise<unknown>;

/** Milliseconds in one wait for a descriptor. Nothing else can end it, such as the end of the service. */
const WAIT_MS = 50;
/** Options of a socket that the addon does not name. Source: zmq.h; poll(2). */
const ZMQ_FD = 14;
const POLLIN = 1;

/**
 * How to wait for sockets without a timer, which costs some percent of a processor where nothing happens and delays
 * what comes: their descriptors are watched from outside of the addon, in a thread. Undefined where there is no C
 * library to do that.
 *
 * To be used only when each of them was found empty, and nothing was sent since: whatever is done with a socket takes
 * note of what has arrived, and then its descriptor says nothing any more.
 *
 * @param ms the longest wait.
 */
export function waitFor(sockets: readonly Socket[], ms = WAIT_MS): Wait | undefined {
  const poll = libc?.poll;
  if (poll === undefined) return undefined;
  const pollfds = new Uint8Array(Int32Array.from(sockets.flatMap((socket) => [fdOf(socket), POLLIN])).buffer);
  return () => poll(pollfds, BigInt(sockets.length), ms);
}

function fdOf(socket: Socket): number {
  return (socket as unknown as { getInt32Option(option: number): number }).getInt32Option(ZMQ_FD);
}

/** Waits between two rounds of draining: not at all under load, briefly after it, a little longer when it is quiet. */
export class Pacer {
  #lastBusy = performance.now();

  /** Lets the next pauses be brief, as after a round that brought something. */
  wake(): void {
    this.#lastBusy = performance.now();
  }

  /**
   * Ends the round.
   *
   * @param taken how many messages it brought.
   * @param wait used after a round that brought none, instead of a timer.
   */
  async pause(taken: number, wait?: Wait): Promise<void> {
    if (taken > 0) this.wake();
    // Even a busy loop must let timers and other sockets of the process have their turn.
    if (taken >= FULL_ROUND) return await nextTurn();
    if (taken === 0 && wait !== undefined) return void await wait();
    const quiet = performance.now() - this.#lastBusy > QUIET_AFTER_MS;
    await new Promise((resolve) => setTimeout(resolve, quiet ? QUIET_PAUSE_MS : BUSY_PAUSE_MS));
  }
}
