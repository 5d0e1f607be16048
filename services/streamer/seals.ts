/**
 * Seals places of the history, so that clients can hold them between two pages. A cursor counts all updates, and so
 * would tell whoever compares two how many private ones there were. Two seals of one place differ, for else they would
 * tell that nothing came between. All streamers of a channel open each other's, and what a client makes up does not
 * open.
 *
 * So the places of ordinary pages tell nothing of what is not shown between them. That there is much of it is no secret:
 * a page ends early behind thousands of updates or megabytes that its reader does not see, and one takes longer to read
 * for each of them.
 */
import type { Channel } from "../lib/channel.ts";

/** Bytes of the random part, as AES-GCM wants it. Source: NIST SP 800-38D. */
const NONCE_BYTES = 12;
/** The length is a multiple of so many bytes, or it would tell how many digits a number has. */
const BLOCK_BYTES = 128;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Seals {
  readonly #channel: Channel;
  #latest: { readonly epoch: string; readonly seal: Seal } | undefined;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /**
   * The seal of the history as it is now; with another history all places of the one before are void anyway.
   *
   * @throws {ChannelUnavailableError} when the channel cannot be reached.
   */
  async current(): Promise<Seal> {
    const epoch = await this.#channel.epoch();
    if (this.#latest?.epoch !== epoch) this.#latest = { epoch, seal: new Seal(await keyOf(epoch)) };
    return this.#latest.seal;
  }
}

async function keyOf(epoch: string): Promise<CryptoKey> {
  const bytes = await crypto.subtle.digest("SHA-256", encoder.encode(`places of the history\n${epoch}`));
  return await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
}

export class Seal {
  readonly #key: CryptoKey;

  constructor(key: CryptoKey) {
    this.#key = key;
  }

  /** @param use what the text is good for; it opens for nothing else. */
  async close(text: string, use: string): Promise<string> {
    const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
    const { length } = encoder.encode(text);
    const plain = encoder.encode(text + " ".repeat(-length & (BLOCK_BYTES - 1)));
    const sealed = await crypto.subtle.encrypt(this.#algorithm(nonce, use), this.#key, plain);
    const bytes = new Uint8Array(NONCE_BYTES + sealed.byteLength);
    bytes.set(nonce);
    bytes.set(new Uint8Array(sealed), NONCE_BYTES);
    return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  }

  /** The text that was closed; undefined for what was not closed with this seal, or for another use. */
  async open(sealed: string, use: string): Promise<string | undefined> {
    try {
      const bytes = Uint8Array.fromBase64(sealed, { alphabet: "base64url" });
      const algorithm = this.#algorithm(bytes.subarray(0, NONCE_BYTES), use);
      const plain = await crypto.subtle.decrypt(algorithm, this.#key, bytes.subarray(NONCE_BYTES));
      return decoder.decode(plain).trimEnd();
    } catch (error) {
      // It is not base64url, or AES-GCM does not find its tag.
      if (error instanceof SyntaxError || error instanceof DOMException) return undefined;
      throw error;
    }
  }

  #algorithm(iv: Uint8Array<ArrayBuffer>, use: string): AesGcmParams {
    return { name: "AES-GCM", iv, additionalData: encoder.encode(use) };
  }
}
