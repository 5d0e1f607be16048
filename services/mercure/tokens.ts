/** Tokens that no honest issuer would mint, hubs with issuers of their own, and how refusals are read. */
import assert from "node:assert/strict";
import { base64url, type CompactJWSHeaderParameters, CompactSign } from "jose";
import { type HttpProcess, ready, startService } from "../lib/testing/processes.ts";
import { type Answer, Hub, KEY, type Settings } from "./harness.ts";

/** Signs any header and any claims as they are; text is taken for the claims unchanged. Default key: `KEY`. */
export async function sign(
  header: Readonly<Record<string, unknown>> & { readonly alg: string },
  claims: unknown,
  key: Uint8Array | CryptoKey = bytesOf(KEY),
): Promise<string> {
  const payload = bytesOf(typeof claims === "string" ? claims : JSON.stringify(claims));
  const { crit } = header;
  // What is critical must be known to who signs as well.
  const known = Array.isArray(crit) ? Object.fromEntries(crit.map((name: string) => [name, true])) : {};
  return await new CompactSign(payload)
    .setProtectedHeader(header as CompactJWSHeaderParameters)
    .sign(key, { crit: known });
}

/** A token without a signature. Source: RFC 7519, section 6.1. */
export function unsigned(header: Readonly<Record<string, unknown>>, claims: unknown): string {
  return `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(claims))}.`;
}

/** The same token with another end of its signature. */
export function withBrokenSignature(token: string): string {
  const end = token.endsWith("AAAAAAAA") ? "BBBBBBBB" : "AAAAAAAA";
  return token.slice(0, -end.length) + end;
}

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** The parameters of a Bearer challenge. Source: RFC 6750, section 3. */
export function challengeOf({ headers }: Answer): Readonly<Record<string, string>> {
  const challenge = headers.get("WWW-Authenticate") ?? "";
  assert.match(challenge, /^Bearer(?: |$)/, "the challenge must be one for Bearer tokens");
  const parameters = challenge.matchAll(/(\w+)="([^"]*)"/g);
  return Object.fromEntries(Array.from(parameters, ([, name = "", value = ""]) => [name, value]));
}

/** What a refusal is for. Source: RFC 6750, section 3.1; draft-dunglas-mercure-08, "Authorization". */
const REFUSALS = {
  none: 401,
  invalid_token: 401,
  insufficient_scope: 403,
  invalid_request: 400,
} as const;

/** Asserts that a request was refused for the reason; `none` stands for a token that is missing. */
export function assertRefused(answer: Answer, error: keyof typeof REFUSALS, what: string): void {
  assert.equal(answer.status, REFUSALS[error], `${what}: status; ${answer.text}`);
  assert.equal(challengeOf(answer).error, error === "none" ? undefined : error, `${what}: error`);
}

/** An issuer as ISSUERS_FILE has it. */
export type IssuerEntry = Readonly<Record<string, unknown>>;

/** A hub with these issuers and no other, before the forwarder of another one. */
export async function hubWithIssuers(
  { forwarder }: Hub,
  issuers: readonly IssuerEntry[],
): Promise<Hub> {
  await using owned = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir();
  owned.defer(() => Deno.remove(folder, { recursive: true }));
  const file = `${folder}/issuers.json`;
  await Deno.writeTextFile(file, JSON.stringify({ issuers }));
  const service = owned.use(startService(
    "streamer",
    { PORT: "0", ...forwarder.ports, ISSUERS_FILE: file },
    // As for the log of a forwarder: a flag takes the place of the set's own list.
    [`--allow-read=./node_modules,/etc/alpine-release,./static,${folder}`],
  ));
  const { url } = await service.logged("Listening");
  const streamer: HttpProcess = Object.assign(service, { url: `${url}` });
  await ready(streamer.url);
  return new Hub(streamer, forwarder, owned.move());
}

/** Settings that take the usual issuer away: an empty variable counts as missing. */
export const NO_ISSUER: Settings = { JWT_ISSUER: "", JWT_KEY: "" };
