/**
 * Who may connect: answers ØMQ's question about every client that has shown that it holds its secret key, from a
 * list of public keys. Source: ØMQ RFC 27 (ZAP).
 */
import { Router } from "zeromq";
import { drain, SOCKET_OPTIONS } from "../lib/channels/zeromq_receive.ts";

/** Where libzmq asks; the address is fixed by the standard. */
const ADDRESS = "inproc://zeromq.zap.01";
const VERSION = "1.0";
/** The domain that our sockets ask in. */
export const ZAP_DOMAIN = "updates";
/** Questions answered in one turn. */
const TURN_LIMIT = 100;
/** Source: ØMQ RFC 32. */
const Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

export class Gatekeeper implements Disposable {
  readonly #socket = new Router({ ...SOCKET_OPTIONS, linger: 0, sendTimeout: 0 });
  readonly #allowed: ReadonlySet<string>;

  private constructor(keys: readonly string[]) {
    this.#allowed = new Set(keys);
  }

  /** Has to stand before a socket that speaks CURVE is bound: where nobody answers, libzmq lets everybody in. */
  static async bind(keys: readonly string[]): Promise<Gatekeeper> {
    const gatekeeper = new Gatekeeper(keys);
    await gatekeeper.#socket.bind(ADDRESS);
    return gatekeeper;
  }

  /** Answers what was asked since; returns how many were turned away. */
  async turn(): Promise<number> {
    let refused = 0;
    for (
      const [peer, delimiter, version, request, domain, ...rest] of await drain(this.#socket, TURN_LIMIT)
    ) {
      const [, , mechanism, key] = rest;
      const allowed = `${version}` === VERSION && `${domain}` === ZAP_DOMAIN && `${mechanism}` === "CURVE" &&
        key?.length === 32 && this.#allowed.has(encodeZ85(key));
      if (!allowed) refused++;
      const verdict = allowed ? ["200", "OK"] : ["400", "The key is not known"];
      await this.#socket.send([peer!, delimiter!, VERSION, request!, ...verdict, "", ""]);
    }
    return refused;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** Bytes, a multiple of four of them, as text. */
function encodeZ85(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = "";
  for (let offset = 0; offset < bytes.length; offset += 4) {
    const value = view.getUint32(offset);
    for (let power = 85 ** 4; power >= 1; power /= 85) text += Z85[Math.floor(value / power) % 85];
  }
  return text;
}
