/** Which client a request comes from, also through proxies. */
import type { Context } from "hono";
import { type BlockList, isIP } from "node:net";

/**
 * The address of the client: of the connection, or, when that is a trusted proxy's, the last one in
 * `X-Forwarded-For` that is none. What stands before that one, anybody may have written.
 */
export function clientAddress(c: Context, trustedProxies: BlockList): string {
  const { remoteAddr } = c.env as Partial<Deno.ServeHandlerInfo<Deno.NetAddr>>;
  const forwarded = c.req.header("X-Forwarded-For")?.split(",").map((address) => address.trim()) ?? [];
  let client = remoteAddr?.hostname ?? "unknown";
  while (isTrusted(client, trustedProxies)) {
    const previous = forwarded.pop();
    const address = previous && withoutPort(previous);
    if (!address) return client;
    client = address;
  }
  return client;
}

/** An address as proxies write it, some with a port behind it; undefined when it is none. */
function withoutPort(text: string): string | undefined {
  const [, bracketed, v4] = /^\[([^\]]+)\](?::[0-9]+)?$|^([0-9.]+):[0-9]+$/.exec(text) ?? [];
  const address = bracketed ?? v4 ?? text;
  return isIP(address) === 0 ? undefined : address;
}

function isTrusted(address: string, trusted: BlockList): boolean {
  const version = isIP(address);
  return version !== 0 && trusted.check(address, version === 6 ? "ipv6" : "ipv4");
}
