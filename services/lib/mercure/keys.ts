/**
 * Public keys of those who sign tokens, as PEM or JWK, made into what verifies signatures; and which algorithms each
 * of them is for. The algorithm of a token has to suit its key, or a public key could be used as a secret.
 * Source: RFC 7517, RFC 7518; RFC 8725, section 3.1.
 */
import { createPublicKey } from "node:crypto";

/** For secrets that both sides have. */
export const SECRET_ALGORITHMS = ["HS256", "HS384", "HS512"] as const;
export type SecretAlgorithm = (typeof SECRET_ALGORITHMS)[number];

/** For pairs of keys. */
export const PUBLIC_ALGORITHMS = [
  "EdDSA",
  "ES256",
  "ES384",
  "ES512",
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
] as const;
export type PublicAlgorithm = (typeof PUBLIC_ALGORITHMS)[number];

/** A JSON Web Key as it was written, of which nothing is known yet. Source: RFC 7517, section 4. */
export type Jwk = Readonly<Record<string, unknown>>;
export interface JwkSet {
  readonly keys: readonly Jwk[];
}

/** A public key, ready for each algorithm that it is for. */
export interface PublicKey {
  readonly keyId: string | undefined;
  readonly byAlgorithm: ReadonlyMap<string, CryptoKey>;
}

/** Fewer can be broken. Source: RFC 7518, section 3.3. */
const MIN_RSA_BITS = 2048;
const PUBLIC_LABELS = new Set(["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"]);
const CURVES: ReadonlyMap<unknown, PublicAlgorithm> = new Map([
  ["P-256", "ES256"],
  ["P-384", "ES384"],
  ["P-521", "ES512"],
]);

/** Whether a text is meant as PEM. Source: RFC 7468. */
export function isPem(text: string): boolean {
  return text.includes("-----BEGIN ");
}

/**
 * Returns the public key in a PEM text: SPKI, PKCS #1 or a certificate.
 *
 * @throws {RangeError} that says what was wanted, and nothing of the text.
 */
export function jwkOfPem(pem: string): Jwk {
  const labels = [...pem.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map(([, label = ""]) => label);
  if (labels.some((label) => label.endsWith("PRIVATE KEY"))) {
    throw new RangeError(
      "a public key; this is a private one, which only the issuer may have (openssl pkey -pubout makes it public)",
    );
  }
  const [label] = labels;
  try {
    if (label === undefined || !PUBLIC_LABELS.has(label)) throw new RangeError("No public key");
    return { ...createPublicKey(pem).export({ format: "jwk" }) };
  } catch {
    // What the decoder says could hold parts of the text.
    throw new RangeError("a PEM public key or certificate, for RSA, an elliptic curve or Ed25519");
  }
}

/** The algorithms that a public key can verify and is meant for; none where it serves something else. */
function algorithmsOf(jwk: Jwk): readonly PublicAlgorithm[] {
  const { kty, crv, alg, use, key_ops: operations } = jwk;
  if (use !== undefined && use !== "sig") return [];
  if (Array.isArray(operations) && !operations.includes("verify")) return [];
  return PUBLIC_ALGORITHMS.filter((algorithm) => {
    if (alg !== undefined && alg !== algorithm) return false;
    if (kty === "RSA") return /^[RP]S/.test(algorithm);
    if (kty === "EC") return CURVES.get(crv) === algorithm;
    return kty === "OKP" && crv === "Ed25519" && algorithm === "EdDSA";
  });
}

/**
 * Makes a key ready; one without any algorithm serves something else.
 *
 * @param wanted the one algorithm that it may be used with; otherwise all that it is for.
 * @throws {RangeError} that says what was wanted, and nothing of the key.
 */
export async function importPublicKey(jwk: Jwk, wanted?: string): Promise<PublicKey> {
  if (jwk.kty === "oct" || "k" in jwk) throw new RangeError("a public key; this is a secret");
  if ("d" in jwk) throw new RangeError("a public key; this is a private one, which only the issuer may have");
  const fitting = algorithmsOf(jwk);
  const algorithms = wanted === undefined ? fitting : fitting.filter((algorithm) => algorithm === wanted);
  if (wanted !== undefined && algorithms.length === 0) {
    throw new RangeError(
      `a key for ${wanted}; this one is for ${fitting.join(", ") || "none that is known"}`,
    );
  }
  try {
    // Web Crypto finds some of what is wrong with a key only when it verifies.
    if (algorithms.length > 0) createPublicKey({ key: { ...publicPart(jwk) }, format: "jwk" });
    const imported = algorithms.map(async (algorithm) =>
      [algorithm, await importFor(jwk, algorithm)] as const
    );
    const keyId = typeof jwk.kid === "string" ? jwk.kid : undefined;
    const key = { keyId, byAlgorithm: new Map(await Promise.all(imported)) };
    if (jwk.kty === "RSA" && [...key.byAlgorithm.values()].some(isShort)) {
      throw new RangeError(`an RSA key of ${MIN_RSA_BITS} bits at least`);
    }
    return key;
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new RangeError("a valid public key", { cause: error });
  }
}

/**
 * Makes the keys of a set ready, without those that serve something else.
 *
 * @throws {RangeError} that says which key is wrong, and what was wanted.
 */
export async function importKeySet({ keys }: JwkSet): Promise<readonly PublicKey[]> {
  const imported: PublicKey[] = [];
  for (const [index, jwk] of keys.entries()) {
    try {
      imported.push(await importPublicKey(jwk));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new RangeError(`a set of public keys, whose keys[${index}] must be ${error.message}`, {
        cause: error,
      });
    }
  }
  const usable = imported.filter(({ byAlgorithm }) => byAlgorithm.size > 0);
  if (usable.length === 0) throw new RangeError("a set with a public key for signatures");
  return usable;
}

function importFor(jwk: Jwk, algorithm: PublicAlgorithm): Promise<CryptoKey> {
  return crypto.subtle.importKey("jwk", publicPart(jwk), webCryptoName(jwk, algorithm), true, ["verify"]);
}

/** The members that make the key, without those that say what it is for. */
function publicPart({ kty, crv, n, e, x, y }: Jwk): JsonWebKey {
  return JSON.parse(JSON.stringify({ kty, crv, n, e, x, y }));
}

function webCryptoName(jwk: Jwk, algorithm: PublicAlgorithm): RsaHashedImportParams | EcKeyImportParams {
  const hash = `SHA-${algorithm.slice(2)}`;
  if (algorithm.startsWith("RS")) return { name: "RSASSA-PKCS1-v1_5", hash };
  if (algorithm.startsWith("PS")) return { name: "RSA-PSS", hash };
  if (algorithm === "EdDSA") return { name: "Ed25519", hash };
  return { name: "ECDSA", namedCurve: String(jwk.crv) };
}

function isShort(key: CryptoKey): boolean {
  return (key.algorithm as RsaHashedKeyAlgorithm).modulusLength < MIN_RSA_BITS;
}

/** Makes a secret ready. */
export function importSecret(secret: Uint8Array, algorithm: SecretAlgorithm): Promise<CryptoKey> {
  const parameters = { name: "HMAC", hash: `SHA-${algorithm.slice(2)}` };
  return crypto.subtle.importKey("raw", secret as BufferSource, parameters, false, ["sign", "verify"]);
}
