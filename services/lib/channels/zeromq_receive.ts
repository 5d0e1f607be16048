/**
 * The one place where ØMQ sockets are read.
 *
 * Nothing may wait inside the addon. Deno stops watching an ØMQ socket after its first wake-up, and that wake-up
 * is often for an internal command (a peer attached) and not for a message: `for await (… of socket)` and a
 * pending `receive()` then wait for ever (denoland/deno#36317), and a `receiveTimeout` above 0 crashes the
 * process. So a socket is drained while it says that it is readable, and a timer waits in between.
 * `zeromq_receive_test.ts` fails when waiting works again: then this file can go.
 */

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

/** Waits between two rounds of draining: not at all under load, briefly after it, a little longer when it is quiet. */
export class Pacer {
  #lastBusy = performance.now();

  /** Ends the round; `taken` says how many messages it brought. */
  async pause(taken: number): Promise<void> {
    const now = performance.now();
    if (taken > 0) this.#lastBusy = now;
    // Even a busy loop must let timers and other sockets of the process have their turn.
    if (taken >= FULL_ROUND) return await nextTurn();
    const quiet = now - this.#lastBusy > QUIET_AFTER_MS;
    await new Promise((resolve) => setTimeout(resolve, quiet ? QUIET_PAUSE_MS : BUSY_PAUSE_MS));
  }
}
