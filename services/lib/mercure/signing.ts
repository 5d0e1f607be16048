/** Signs tokens, for `deno task token` and for the throw-away issuer of `deno task start`. Source: RFC 7519, RFC 9068. */
import { createPrivateKey } from "node:crypto";
import { importJWK, type JWTPayload, SignJWT } from "jose";

export type Claims = JWTPayload;

export interface SigningKey {
  readonly key: CryptoKey;
  /** Its name in a token's `alg`. */
  readonly algorithm: string;
}

/** The token with these claims, as an access token; as one of the 0.x generation its type is `JWT`. */
export async function signToken(
  claims: Claims,
  { key, algorithm }: SigningKey,
  { legacy = false } = {},
): Promise<string> {
  const typ = legacy ? "JWT" : "at+jwt";
  return await new SignJWT(claims).setProtectedHeader({ alg: algorithm, typ }).sign(key);
}

const CURVE_ALGORITHMS: Readonly<Record<string, string>> = {
  "P-256": "ES256",
  "P-384": "ES384",
  "P-521": "ES512",
  Ed25519: "EdDSA",
};

/**
 * Reads a private key, PEM without a password.
 *
 * @throws when it is none, or not one for signatures. The message may hold parts of the key.
 */
export async function importPrivateKey(pem: string): Promise<SigningKey> {
  const jwk = createPrivateKey(pem).export({ format: "jwk" }) as JsonWebKey & { kty: string };
  const algorithm = jwk.kty === "RSA" ? "RS256" : CURVE_ALGORITHMS[jwk.crv ?? ""];
  if (algorithm === undefined) throw new RangeError("Not a key for signatures");
  return { key: await importJWK(jwk, algorithm) as CryptoKey, algorithm };
}
