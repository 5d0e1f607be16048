/**
 * What TCP knows of a client, and how long the system waits for one that acknowledges nothing. By itself Linux repeats
 * what it has sent for a quarter of an hour, and a client that vanished without a word keeps its stream for as long.
 * Neither Deno nor Node has a setting for that, so the C library is asked.
 * Source: tcp(7), TCP_USER_TIMEOUT, TCP_NOTSENT_LOWAT and TCP_INFO; RFC 5482.
 */
import type { Socket } from "node:net";
import { type Libc, libc } from "../lib/libc.ts";

const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const TCP_USER_TIMEOUT = 18;
const TCP_NOTSENT_LOWAT = 25;

/**
 * Bytes that the system takes and has not sent. By itself it takes 4 MB for each client that does not read, and tells
 * of room, which is the progress that we see, when a third of that has gone.
 */
const MAX_UNSENT = 64 * 1024;

/** In struct tcp_info: packets in flight, and milliseconds since anything was last acknowledged. */
const UNACKED_OFFSET = 24;
const LAST_ACK_OFFSET = 56;
const INFO_BYTES = 104;

/** What a socket of Node has below, as far as it is needed here. */
interface Handle {
  /** A descriptor of the same connection, which is the caller's to close. */
  fdForIpc?(): number;
}

/**
 * Lets the system take little that it cannot send, and end the connection, with the error ETIMEDOUT, when what was
 * sent is not acknowledged for so many milliseconds, or when the client has had no room for so long. Where the
 * system cannot be told, it takes its own time.
 */
export function limitPatience(socket: Socket, ms: number): void {
  withDescriptor(socket, ({ setsockopt }, fd) => {
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, Int32Array.of(ms), 4);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, Int32Array.of(MAX_UNSENT), 4);
  });
}

/**
 * Whether something is on its way of which nothing was acknowledged for so many milliseconds. A client without room
 * is not meant: it says so, and then nothing is on its way. False where the system cannot be asked.
 */
export function isUnanswered(socket: Socket, ms: number): boolean {
  const info = new Uint32Array(INFO_BYTES / 4);
  withDescriptor(socket, ({ getsockopt }, fd) => {
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, Uint32Array.of(INFO_BYTES));
  });
  const [unacked = 0, lastAck = 0] = [info[UNACKED_OFFSET / 4], info[LAST_ACK_OFFSET / 4]];
  return unacked > 0 && lastAck >= ms;
}

function withDescriptor(socket: Socket, use: (functions: Libc, fd: number) => void): void {
  if (libc === undefined) return;
  const { _handle: handle } = socket as Socket & { readonly _handle: Handle | null };
  const fd = handle?.fdForIpc?.() ?? -1;
  // Without one the socket is closed already.
  if (fd < 0) return;
  use(libc, fd);
  libc.close(fd);
}
