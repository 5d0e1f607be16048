/** The keys that verify the tokens of an issuer: from the settings, or from a URL in them. */
import { createRemoteJWKSet, customFetch, errors } from "jose";
import { messageOf } from "../log.ts";
import type { KeySource } from "./issuers.ts";
import {
  importKeySet,
  importPublicKey,
  importSecret,
  jwkOfPem,
  PUBLIC_ALGORITHMS,
  type PublicKey,
} from "./keys.ts";
import { clipped, shown } from "./shown.ts";

/** The header of a token, of which nothing is verified yet. */
export type Header = Readonly<Record<string, unknown>>;

/** The keys cannot be fetched now. The message says why, for the log. */
export class UnavailableKeysError extends Error {
  override readonly name = "UnavailableKeysError";
}

/** Keys from one source. */
export interface KeySet {
  /** What they verify, for the log. */
  readonly summary: string;
  /**
   * Those that may have signed a token with this header.
   *
   * @throws {UnavailableKeysError} when they cannot be fetched.
   */
  find(header: Header): Promise<readonly CryptoKey[]>;
}

/** Makes the keys of a source ready; those of a URL are fetched when the first token needs them. */
export async function openKeySet(source: KeySource): Promise<KeySet> {
  switch (source.kind) {
    case "secret": {
      const key = await importSecret(source.secret, source.algorithm);
      return new LocalKeySet([{ keyId: undefined, byAlgorithm: new Map([[source.algorithm, key]]) }]);
    }
    case "pem":
      return new LocalKeySet([await importPublicKey(jwkOfPem(source.pem), source.algorithm)]);
    case "jwks":
      return new LocalKeySet(await importKeySet(source.jwks));
    case "jwks-url":
      return new RemoteKeySet(source.url);
  }
}

/** Keys of the settings. */
class LocalKeySet implements KeySet {
  readonly summary: string;
  readonly #keys: readonly PublicKey[];

  constructor(keys: readonly PublicKey[]) {
    this.#keys = keys;
    this.summary = keys.map(({ keyId, byAlgorithm }) => {
      const algorithms = [...byAlgorithm.keys()].join("/");
      return keyId === undefined ? algorithms : `${algorithms} with kid ${shown(keyId)}`;
    }).join(", ");
  }

  find({ alg, kid }: Header): Promise<readonly CryptoKey[]> {
    return Promise.resolve(this.#keys.flatMap(({ keyId, byAlgorithm }) => {
      // It may pick among the keys that have a name.
      if (kid !== undefined && keyId !== undefined && kid !== keyId) return [];
      return byAlgorithm.get(String(alg)) ?? [];
    }));
  }
}

/** Milliseconds: until a fetch is given up, between attempts after a failure, and how long old keys may serve then. */
const FETCH_TIMEOUT_MS = 5000;
const RETRY_AFTER_MS = 5000;
const STALE_MS = 3_600_000;
/** Milliseconds: how long keys serve, and how soon an unknown kid may ask for new ones. */
const FRESH_MS = 600_000;
const COOLDOWN_MS = 30_000;

/** Keys of a server, fetched when they are needed first, and again when they are old or a token names a new one. */
class RemoteKeySet implements KeySet {
  readonly summary: string;
  readonly #keys: ReturnType<typeof createRemoteJWKSet>;
  readonly #place: string;
  #last: { readonly body: string; readonly time: number } | undefined;
  #failure: { readonly message: string; readonly time: number } | undefined;

  constructor(address: string) {
    const url = new URL(address);
    // A query may hold a key.
    this.#place = url.origin + url.pathname;
    this.summary = `the keys of ${this.#place}`;
    this.#keys = createRemoteJWKSet(url, {
      timeoutDuration: FETCH_TIMEOUT_MS,
      cooldownDuration: COOLDOWN_MS,
      cacheMaxAge: FRESH_MS,
      [customFetch]: (url, options) => this.#fetch(url, options),
    });
  }

  async find(header: Header): Promise<readonly CryptoKey[]> {
    // A set of public keys has none for secrets.
    if (!PUBLIC_ALGORITHMS.some((algorithm) => algorithm === header.alg)) return [];
    const kid = typeof header.kid === "string" ? { kid: header.kid } : {};
    try {
      return [await this.#keys({ alg: String(header.alg), ...kid })];
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return [];
      if (error instanceof errors.JWKSMultipleMatchingKeys) return await Array.fromAsync(error);
      throw new UnavailableKeysError(
        `the keys of ${this.#place} cannot be had: ${clipped(messageOf(error))}`,
      );
    }
  }

  /** Spares a server that does not answer, and outlives a while of that with the keys that it gave last. */
  async #fetch(url: string, options: RequestInit): Promise<Response> {
    if (this.#failure === undefined || Date.now() - this.#failure.time >= RETRY_AFTER_MS) {
      try {
        this.#last = { body: await fetchKeys(url, options), time: Date.now() };
        this.#failure = undefined;
      } catch (error) {
        this.#failure = { message: messageOf(error), time: Date.now() };
      }
    }
    if (
      this.#last !== undefined && (this.#failure === undefined || Date.now() - this.#last.time < STALE_MS)
    ) {
      return new Response(this.#last.body);
    }
    throw new Error(this.#failure?.message);
  }
}

async function fetchKeys(url: string, options: RequestInit): Promise<string> {
  const response = await fetch(url, options);
  const body = await response.text();
  if (response.status !== 200) throw new Error(`the answer was ${response.status}`);
  let isKeySet: boolean;
  try {
    isKeySet = Array.isArray(JSON.parse(body).keys);
  } catch {
    isKeySet = false;
  }
  if (!isKeySet) throw new Error("the answer is no set of keys");
  return body;
}
