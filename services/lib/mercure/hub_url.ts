/** Where the hub is: its URL is the resource identifier, the audience of tokens, and the base of relative topics. */

export const DEFAULT_HUB_PATH = "/.well-known/mercure";

/** Where protected resources describe themselves; the path of the resource follows. Source: RFC 9728, section 3.1. */
const METADATA_PREFIX = "/.well-known/oauth-protected-resource";

/** Octets that a URL may write as `%XX` or as they are, with the same meaning. Source: RFC 3986, section 2.3. */
const ESCAPED_UNRESERVED = /%(?:2[DE]|3[0-9]|4[1-9A-F]|5[0-9A]|5F|6[1-9A-F]|7[0-9A]|7E)/gi;

export class HubUrl {
  /** The path of the hub, without a slash at its end. */
  readonly path: string;
  readonly metadataPath: string;
  /** Undefined when it comes from each request. */
  readonly origin: string | undefined;
  readonly #comparable: string;

  /** @param setting a URL without query and fragment, or its path, when scheme and host come from each request. */
  constructor(setting: string) {
    const url = URL.parse(setting);
    this.origin = url?.origin;
    this.path = url?.pathname ?? setting;
    this.metadataPath = METADATA_PREFIX + this.path;
    this.#comparable = decodeUnreserved(this.path);
  }

  /** Whether it was pinned, and does not depend on what a request says. */
  get isPinned(): boolean {
    return this.origin !== undefined;
  }

  /** The absolute URL of the hub, as the client of a request has to see it. */
  resolve(requestUrl: string): string {
    return this.#originFor(requestUrl) + this.path;
  }

  /** The absolute URL of the metadata document, likewise. */
  resolveMetadata(requestUrl: string): string {
    return this.#originFor(requestUrl) + this.metadataPath;
  }

  /**
   * Whether a topic lies in the namespace that only the hub itself publishes in: at its path or below, on whatever
   * host. Source: draft-dunglas-mercure-08, "Reserved topics".
   */
  isReserved(topic: string, hubUrl: string): boolean {
    // The parser resolves dot segments, those that are written with %2E as well.
    const url = URL.parse(topic, hubUrl);
    if (url === null) return false;
    const path = decodeUnreserved(url.pathname);
    return path === this.#comparable || path.startsWith(`${this.#comparable}/`);
  }

  #originFor(requestUrl: string): string {
    return this.origin ?? new URL(requestUrl).origin;
  }
}

function decodeUnreserved(path: string): string {
  return path.replace(ESCAPED_UNRESERVED, decodeURIComponent);
}
