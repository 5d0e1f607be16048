/** Which client a request comes from, also through proxies. */
import type { Context } from "hono";
import { BlockList, isIP, isIPv6 } from "node:net";

/**
 * The address of the client: of the connection, or, when that is a trusted proxy's, the last one in
 * `X-Forwarded-For` that is none. What stands before that one, anybody may have written.
 */
export function clientAddress(c: Context, trustedProxies: BlockList): string {
  const forwarded = c.req.header("X-Forwarded-For")?.split(",").map((address) => address.trim()) ?? [];
  let client = peerOf(c);
  while (isTrusted(client, trustedProxies)) {
    const previous = forwarded.pop();
    const address = previous && withoutPort(previous);
    if (!address) return client;
    client = address;
  }
  return client;
}

/**
 * Whether the request seems to come through a proxy that nobody named: from this machine or its network, and for
 * somebody else. From anywhere else the header proves nothing.
 */
export function isUnnamedProxy(c: Context, trustedProxies: BlockList): boolean {
  const peer = peerOf(c);
  return c.req.header("X-Forwarded-For") !== undefined && !isTrusted(peer, trustedProxies) &&
    isTrusted(peer, NEARBY);
}

/** The address at the other end of the connection. */
function peerOf(c: Context): string {
  const { remoteAddr } = (c.env ?? {}) as Partial<Deno.ServeHandlerInfo<Deno.NetAddr>>;
  return remoteAddr?.hostname ?? "unknown";
}

/** Source: RFC 1918, section 3; RFC 4193, section 3.1; RFC 4291, section 2.5.6; RFC 6598, section 7. */
const NEARBY = new BlockList();
for (
  const [network, prefix] of [
    ["127.0.0.0", 8],
    ["10.0.0.0", 8],
    ["172.16.0.0", 12],
    ["192.168.0.0", 16],
    ["100.64.0.0", 10],
  ] as const
) NEARBY.addSubnet(network, prefix, "ipv4");
for (const [network, prefix] of [["::1", 128], ["fc00::", 7], ["fe80::", 10]] as const) {
  NEARBY.addSubnet(network, prefix, "ipv6");
}

/**
 * What of an address tells one client from another: of IPv6 the network, since a client has as many addresses in it
 * as it likes, but for IPv4 behind a socket of both families. Source: RFC 6177, section 2; RFC 4291, section 2.5.5.2.
 */
export function clientKey(address: string): string {
  const [bare = "", _zone] = address.split("%");
  if (!isIPv6(bare)) return address;
  // One spelling for each address.
  const canonical = new URL(`http://[${bare}]/`).hostname.slice(1, -1);
  if (/^::ffff:[^:]+:[^:]+$/.test(canonical)) return canonical;
  const [head = "", tail = ""] = canonical.split("::");
  const [before, after] = [head, tail].map((part) => part === "" ? [] : part.split(":"));
  const zeros = Array(8 - before!.length - after!.length).fill("0");
  return [...before!, ...zeros, ...after!].slice(0, 4).join(":");
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
