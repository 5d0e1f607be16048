/** Ports for services that come and go. */

/**
 * Below those from which systems take the ports of outgoing connections: while a service is away, one of its own
 * clients could otherwise be given its port, and then it cannot come back.
 */
const FIRST = 20_000;
const LAST = 32_000;

/** Ports that nobody has now. */
export function freePorts(count: number): number[] {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}
