/**
 * How long the system waits for a client that acknowledges nothing. By itself Linux repeats what it has sent for a
 * quarter of an hour, and a client that vanished without a word keeps its stream for as long. Neither Deno nor Node
 * has a setting for that, so the C library is asked, where the system is Linux and we may.
 * Source: tcp(7), TCP_USER_TIMEOUT; RFC 5482.
 */
import type { Socket } from "node:net";

/** Where distributions have the C library. Deno opens what it has the permission for, and by its path only. */
const LIBRARIES = [
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/lib/aarch64-linux-gnu/libc.so.6",
  "/lib64/libc.so.6",
  "/usr/lib/libc.so.6",
  "/lib/ld-musl-x86_64.so.1",
  "/lib/ld-musl-aarch64.so.1",
];

const SYMBOLS = {
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

const IPPROTO_TCP = 6;
const TCP_USER_TIMEOUT = 18;

/** What a socket of Node has below, as far as it is needed here. */
interface Handle {
  /** A descriptor of the same connection, which is the caller's to close. */
  fdForIpc?(): number;
}

let library: Deno.DynamicLibrary<typeof SYMBOLS> | null | undefined;

function open(): Deno.DynamicLibrary<typeof SYMBOLS> | null {
  if (Deno.build.os !== "linux") return null;
  for (const path of LIBRARIES) {
    // Asked first, for Deno asks whoever sits at the terminal where a permission is missing.
    if (Deno.permissions.querySync({ name: "ffi", path }).state !== "granted") continue;
    try {
      return Deno.dlopen(path, SYMBOLS);
    } catch {
      // Another distribution; the next path may be its.
    }
  }
  return null;
}

/** Whether the system can be told. */
export function hasUserTimeout(): boolean {
  library ??= open();
  return library !== null;
}

/**
 * Ends the connection, with the error ETIMEDOUT, when what was sent is not acknowledged for so many milliseconds, or
 * when the client has had no room for so long. Where the system cannot be told, it takes its own time.
 */
export function setUserTimeout(socket: Socket, ms: number): void {
  if (!hasUserTimeout()) return;
  const { _handle: handle } = socket as Socket & { readonly _handle: Handle | null };
  const fd = handle?.fdForIpc?.() ?? -1;
  // Without one the socket is closed already.
  if (fd < 0) return;
  library?.symbols.setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, Int32Array.of(ms), 4);
  library?.symbols.close(fd);
}
