/** The C library, for the little that neither Deno nor Node can: where the system is Linux and the service may. */

/** Where distributions have it. Deno opens what it has the permission for, and by its path only. */
const PATHS = [
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/lib/aarch64-linux-gnu/libc.so.6",
  "/lib64/libc.so.6",
  "/usr/lib/libc.so.6",
  "/lib/ld-musl-x86_64.so.1",
  "/lib/ld-musl-aarch64.so.1",
];

const SYMBOLS = {
  close: { parameters: ["i32"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  // Waits in a thread of its own.
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32", nonblocking: true },
} as const;

export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** Its functions; undefined where they cannot be had. */
export const libc: Libc | undefined = open();

/** RLIMIT_NOFILE of Linux on x86-64 and ARM. */
const OPEN_FILES = 7;

/** How many descriptors the process may have; Infinity where nobody knows. Source: getrlimit(2). */
export function openFilesLimit(): number {
  const limits = new BigUint64Array(2);
  return libc?.getrlimit(OPEN_FILES, limits) === 0 ? Number(limits[0]) : Infinity;
}

function open(): Libc | undefined {
  if (Deno.build.os !== "linux") return undefined;
  for (const path of PATHS) {
    // Asked first, for Deno asks whoever sits at the terminal where a permission is missing.
    if (Deno.permissions.querySync({ name: "ffi", path }).state !== "granted") continue;
    try {
      return Deno.dlopen(path, SYMBOLS).symbols;
    } catch {
      // Another distribution; the next path may be its.
    }
  }
  return undefined;
}
