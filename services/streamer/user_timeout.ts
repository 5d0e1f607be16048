/**
 * How long the system waits for a client that acknowledges nothing. By itself Linux repeats what it has sent for a
 * quarter of an hour, and a client that vanished without a word keeps its stream for as long. Neither Deno nor Node
 * has a setting for that, so the C library is asked.
 * Source: tcp(7), TCP_USER_TIMEOUT; RFC 5482.
 */
import type { Socket } from "node:net";
import { libc } from "../lib/libc.ts";

const IPPROTO_TCP = 6;
const TCP_USER_TIMEOUT = 18;

/** What a socket of Node has below, as far as it is needed here. */
interface Handle {
  /** A descriptor of the same connection, which is the caller's to close. */
  fdForIpc?(): number;
}

/** Whether the system can be told. */
export function hasUserTimeout(): boolean {
  return libc() !== undefined;
}

/**
 * Ends the connection, with the error ETIMEDOUT, when what was sent is not acknowledged for so many milliseconds, or
 * when the client has had no room for so long. Where the system cannot be told, it takes its own time.
 */
export function setUserTimeout(socket: Socket, ms: number): void {
  const functions = libc();
  if (functions === undefined) return;
  const { _handle: handle } = socket as Socket & { readonly _handle: Handle | null };
  const fd = handle?.fdForIpc?.() ?? -1;
  // Without one the socket is closed already.
  if (fd < 0) return;
  functions.setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, Int32Array.of(ms), 4);
  functions.close(fd);
}
