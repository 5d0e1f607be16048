/**
 * Verifies tokens: JWT access tokens (RFC 9068) and, for issuers that ask for it, tokens of the 0.x generation. The
 * keys come from the settings or from a URL in them, never from a token, and each belongs to one issuer.
 *
 * A client is never told why its token is refused, so the reason has to be in the log. No reason holds the token or
 * a key, and what it repeats of the token's claims is short and without controls.
 * Source: draft-dunglas-mercure-08, "Token Validation"; RFC 8725.
 */
import { createHash } from "node:crypto";
import { compactVerify, decodeJwt, decodeProtectedHeader } from "jose";
import { isObject } from "../json.ts";
import {
  InvalidDetailsError,
  legacyClaimOf,
  parseAuthorizationDetails,
  parseLegacyClaim,
  type TopicGrants,
} from "./authorization_details.ts";
import { DEVELOPMENT_ISSUER, type Issuer, type KeySource } from "./issuers.ts";
import { type Header, type KeySet, openKeySet, UnavailableKeysError } from "./key_sets.ts";
import { PUBLIC_ALGORITHMS, SECRET_ALGORITHMS } from "./keys.ts";
import { clipped, shown } from "./shown.ts";

export type Role = "publish" | "subscribe";

/** What a token allows, and until when. */
export interface Grants extends TopicGrants {
  /** Milliseconds since 1970; only 0.x tokens may be without. */
  readonly expiresAt: number | undefined;
  /** Whether they come from the claim of a 0.x token. */
  readonly legacy: boolean;
  /** The same for all tokens that name the same issuer and subject: whose token it is. */
  readonly publisher: string;
  /** The same for the same token, which it does not disclose. */
  readonly tokenId: string;
}

/** The token is not accepted. The message says why, for the log only. */
export class InvalidTokenError extends Error {
  override readonly name = "InvalidTokenError";
}

export interface AuthorizeOptions {
  /** Whose keys verify it: those of publishers or those of subscribers. */
  readonly role: Role;
  /** Absolute; what the token must be meant for, and the base of its relative patterns. */
  readonly hubUrl: string;
}

export interface AuthorizationOptions {
  readonly maxDetails: number;
  /** In UTF-8 bytes. */
  readonly maxMatcherLength: number;
  /** The URL of the hub, where it is pinned; otherwise each request says it. */
  readonly hubUrl?: string;
}

/** One thing that is asked of a token, and what came out. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface Explanation {
  readonly accepted: boolean;
  /** In order; what could not be asked any more is missing. */
  readonly checks: readonly Check[];
  readonly grants?: Grants;
}

type Claims = Readonly<Record<string, unknown>>;

/** Takes the outcome of a check; the problem is undefined when there is none. */
type Note = (name: string, problem: string | undefined, fine: () => string) => void;

interface OpenIssuer extends Issuer {
  readonly keySets: Readonly<Record<Role, readonly KeySet[]>>;
}

/** What the role is called in the log. */
const ROLE_NAMES = { publish: "publishing", subscribe: "subscribing" } as const;
const ALGORITHMS: ReadonlySet<unknown> = new Set([...SECRET_ALGORITHMS, ...PUBLIC_ALGORITHMS]);

export class Authorization {
  readonly warnings: readonly string[];
  readonly #issuers: ReadonlyMap<string | undefined, OpenIssuer>;
  readonly #options: AuthorizationOptions;

  private constructor(issuers: readonly OpenIssuer[], options: AuthorizationOptions) {
    this.#issuers = new Map(issuers.map((issuer) => [issuer.issuer, issuer]));
    this.#options = options;
    this.warnings = [...warningsAbout(issuers, options)];
  }

  /** Makes the keys ready. The issuers are those that `readIssuers` has judged. */
  static async open(issuers: readonly Issuer[], options: AuthorizationOptions): Promise<Authorization> {
    // A source may serve both roles, and is opened once.
    const opened = new Map<KeySource, Promise<KeySet>>();
    const openOnce = (source: KeySource) => {
      const keySet = opened.get(source) ?? openKeySet(source);
      opened.set(source, keySet);
      return keySet;
    };
    const openIssuers = issuers.map(async (issuer) => ({
      ...issuer,
      keySets: {
        publish: await Promise.all(issuer.publisherKeys.map(openOnce)),
        subscribe: await Promise.all(issuer.subscriberKeys.map(openOnce)),
      },
    }));
    return new Authorization(await Promise.all(openIssuers), options);
  }

  /** Whether there is any issuer. */
  get configured(): boolean {
    return this.#issuers.size > 0;
  }

  /** Whether 0.x tokens of any issuer are taken. */
  get legacy(): boolean {
    return this.#all().some(({ legacy }) => legacy);
  }

  /** The issuers whose keys are fetched, and which are therefore servers. */
  get authorizationServers(): readonly string[] {
    return this.#all().flatMap(({ issuer, publisherKeys, subscriberKeys }) =>
      issuer !== undefined && [...publisherKeys, ...subscriberKeys].some(({ kind }) => kind === "jwks-url")
        ? [issuer]
        : []
    );
  }

  /** Whether some issuer has keys for publishing. */
  canPublish(): boolean {
    return this.#all().some(({ publisherKeys }) => publisherKeys.length > 0);
  }

  /** @throws {InvalidTokenError} */
  async authorize(token: string, options: AuthorizeOptions): Promise<Grants> {
    const grants = await this.#examine(token, options, (_name, problem) => {
      if (problem !== undefined) throw new InvalidTokenError(problem);
    });
    if (grants === undefined) throw new InvalidTokenError("it was not accepted");
    return grants;
  }

  /** The same checks as {@link authorize}, all of them, for whoever wonders; never throws for a bad token. */
  async explain(token: string, options: AuthorizeOptions): Promise<Explanation> {
    const checks: Check[] = [];
    const grants = await this.#examine(token, options, (name, problem, fine) => {
      checks.push({ name, ok: problem === undefined, detail: problem ?? fine() });
    });
    const accepted = grants !== undefined && checks.every(({ ok }) => ok);
    return { accepted, checks, ...(accepted && { grants }) };
  }

  #all(): readonly OpenIssuer[] {
    return [...this.#issuers.values()];
  }

  /** Asks everything, in order. A note that returns in spite of a problem lets it go on as far as it can. */
  async #examine(token: string, options: AuthorizeOptions, note: Note): Promise<Grants | undefined> {
    const decoded = decode(token);
    note("form", decoded === undefined ? "it is no JWT" : undefined, () => "a JWT");
    if (decoded === undefined) return undefined;
    const { header, claims } = decoded;
    const issuer = this.#issuerOf(claims);
    const legacy = issuer !== undefined && issuer.legacy && isLegacy(claims);
    if (!legacy) note("typ", problemOfType(header, claims), () => shown(header.typ));
    note("alg", problemOfAlgorithm(header), () => shown(header.alg));
    note("crit", problemOfCritical(header), () => "none");
    note("iss", this.#problemOfIssuer(claims, issuer), () => issuerName(issuer));
    if (issuer !== undefined) {
      note("signature", await problemOfSignature(token, header, issuer, options.role), () => "verified");
    }
    const now = Date.now();
    if (!legacy) {
      const audiences = [options.hubUrl, ...issuer?.audience ?? []];
      note("aud", problemOfAudience(claims, audiences), () => shown(claims.aud));
    }
    note("exp", problemOfExpiry(claims, now, { required: !legacy }), () => expiryOf(claims, now));
    note("nbf", problemOfStart(claims, now), () => claims.nbf === undefined ? "none" : "passed");
    const granted = this.#parse(claims, { legacy, base: options.hubUrl });
    const problem = typeof granted === "string" ? granted : undefined;
    note(legacy ? "mercure" : "authorization_details", problem, () => "valid");
    if (typeof granted === "string") return undefined;
    const expiresAt = typeof claims.exp === "number" ? Math.floor(claims.exp * 1000) : undefined;
    return { ...granted, expiresAt, legacy, publisher: publisherOf(claims), tokenId: idOf(token) };
  }

  /**
   * The one issuer whose keys may verify the token. 0.x tokens mostly name none, which is no question while only one
   * issuer has such tokens.
   */
  #issuerOf(claims: Claims): OpenIssuer | undefined {
    const named = typeof claims.iss === "string" ? this.#issuers.get(claims.iss) : undefined;
    if (named !== undefined || !isLegacy(claims)) return named;
    const [legacy, ...others] = this.#all().filter(({ legacy }) => legacy);
    return others.length === 0 ? legacy : undefined;
  }

  #problemOfIssuer(claims: Claims, issuer: OpenIssuer | undefined): string | undefined {
    if (issuer !== undefined) return undefined;
    const names = this.#all().map(({ issuer }) => issuer).filter((name) => name !== undefined);
    const known = names.length === 0 ? "no issuer is" : `known: ${clipped(names.map(shown).join(", "))}`;
    if (claims.iss === undefined) return `it has no iss (${known})`;
    return `issuer ${shown(claims.iss)} is not configured (${known})`;
  }

  /** What the token grants, or what is wrong with that part of it. */
  #parse(claims: Claims, { legacy, base }: { legacy: boolean; base: string }): TopicGrants | string {
    const { maxDetails, maxMatcherLength: maxLength } = this.#options;
    try {
      if (legacy) return parseLegacyClaim(legacyClaimOf(claims), { base, maxLength });
      return parseAuthorizationDetails(claims.authorization_details, { base, maxLength, maxDetails });
    } catch (error) {
      if (error instanceof InvalidDetailsError) return clipped(error.message);
      throw error;
    }
  }
}

/** Header and claims, of which nothing is verified yet; undefined when the text is no JWT. */
function decode(token: string): { header: Header; claims: Claims } | undefined {
  try {
    // By the library that will verify it: two decoders could read one token in two ways.
    const [header, claims] = [decodeProtectedHeader(token) as unknown, decodeJwt(token) as unknown];
    return isObject(header) && isObject(claims) ? { header, claims } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a token is of the 0.x generation. One with the claims of both is not, so that no token is both. */
function isLegacy(claims: Claims): boolean {
  return !Object.hasOwn(claims, "authorization_details") && legacyClaimOf(claims) !== undefined;
}

/** Other JWTs of the same issuer, such as ID tokens, are for other purposes. Source: RFC 9068, section 4. */
function problemOfType({ typ }: Header, claims: Claims): string | undefined {
  if (typeof typ === "string" && /^(application\/)?at\+jwt$/i.test(typ)) return undefined;
  const found = typ === undefined ? "it has no typ" : `its typ is ${shown(typ)}`;
  const hint = isLegacy(claims) ? "; it looks like a 0.x token, and its issuer is not set to legacy" : "";
  return `${found}, but must be at+jwt${hint}`;
}

function problemOfAlgorithm({ alg }: Header): string | undefined {
  if (ALGORITHMS.has(alg)) return undefined;
  return alg === undefined ? "it has no alg" : `its alg ${shown(alg)} is not allowed`;
}

/** We know no extension that a token could demand. Source: RFC 7515, section 4.1.11. */
function problemOfCritical({ crit }: Header): string | undefined {
  return crit === undefined ? undefined : `its crit ${shown(crit)} demands what this hub does not know`;
}

async function problemOfSignature(
  token: string,
  header: Header,
  issuer: OpenIssuer,
  role: Role,
): Promise<string | undefined> {
  const keySets = issuer.keySets[role];
  const whose = `${issuerName(issuer)} has`;
  if (keySets.length === 0) return `${whose} no key for ${ROLE_NAMES[role]}`;
  const failures: string[] = [];
  let tried = 0;
  for (const keySet of keySets) {
    try {
      const keys = await keySet.find(header);
      tried += keys.length;
      for (const key of keys) {
        if (await isSignedWith(token, key, header)) return undefined;
      }
    } catch (error) {
      if (!(error instanceof UnavailableKeysError)) throw error;
      failures.push(error.message);
    }
  }
  if (failures.length > 0) return failures.join("; ");
  if (tried > 0) return `its signature does not fit the key of ${issuerName(issuer)}`;
  const kid = header.kid === undefined ? "" : ` and kid ${shown(header.kid)}`;
  const summaries = [...new Set(keySets.map(({ summary }) => summary))].join(", ");
  return `${whose} no key for ${ROLE_NAMES[role]} with alg ${shown(header.alg)}${kid}, but ${summaries}`;
}

async function isSignedWith(token: string, key: CryptoKey, { alg }: Header): Promise<boolean> {
  try {
    await compactVerify(token, key, { algorithms: [String(alg)] });
    return true;
  } catch {
    // Whatever the reason is, it is not verified.
    return false;
  }
}

function problemOfAudience({ aud }: Claims, accepted: readonly string[]): string | undefined {
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (accepted.some((each) => audiences.includes(each))) return undefined;
  const found = aud === undefined ? "it has no aud" : `its aud is ${shown(aud)}`;
  return `${found}, and this hub is ${accepted.map(shown).join(" or ")}`;
}

/** @param options `required` whether a token has to expire. */
function problemOfExpiry({ exp }: Claims, now: number, options: { required: boolean }): string | undefined {
  if (exp === undefined) return options.required ? "it has no exp" : undefined;
  if (!isNumericDate(exp)) return `its exp is ${shown(exp)}, but must be seconds since 1970`;
  return exp * 1000 > now ? undefined : `it expired ${duration(now - exp * 1000)} ago`;
}

/**
 * No tolerance here or above: only issuers know how exact their clocks are, and those whose clocks are not can set
 * `nbf` earlier.
 */
function problemOfStart({ nbf }: Claims, now: number): string | undefined {
  if (nbf === undefined) return undefined;
  if (!isNumericDate(nbf)) return `its nbf is ${shown(nbf)}, but must be seconds since 1970`;
  return nbf * 1000 <= now ? undefined : `it is not valid before ${duration(nbf * 1000 - now)} have passed`;
}

/** Seconds, maybe with a fraction. JSON can write numbers that are too large to be any. */
function isNumericDate(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function expiryOf({ exp }: Claims, now: number): string {
  return typeof exp === "number" ? `in ${duration(exp * 1000 - now)}` : "none";
}

/** Milliseconds as people say them. */
function duration(ms: number): string {
  const units = [[86_400_000, "days"], [3_600_000, "h"], [60_000, "min"]] as const;
  const [size, name] = units.find(([size]) => ms >= 2 * size) ?? [1000, "s"];
  return `${Math.ceil(ms / size)} ${name}`;
}

/** Source: RFC 9068, section 2.2: `sub` is the client itself where no user is involved. */
function publisherOf({ iss, sub, client_id }: Claims): string {
  return JSON.stringify([iss, sub, client_id]);
}

/** What was signed, hashed. The signature does not count: for some algorithms others of the same text are valid too. */
function idOf(token: string): string {
  return createHash("sha256").update(token.slice(0, token.lastIndexOf("."))).digest("base64url");
}

function issuerName(issuer: OpenIssuer | undefined): string {
  return issuer?.issuer === undefined ? "the issuer of 0.x tokens" : `issuer ${shown(issuer.issuer)}`;
}

/** Secrets from examples, which everybody knows. */
const EXAMPLE_SECRETS: ReadonlySet<string> = new Set([
  "!ChangeThisMercureHubJWTSecretKey!",
  "!ChangeMe!",
  "!UnsecureChangeMe!",
  "aVerySecretKey",
  "your-256-bit-secret",
  "a-string-secret-at-least-256-bits-long",
  "changeme",
  "secret",
]);

function* warningsAbout(
  issuers: readonly OpenIssuer[],
  { hubUrl }: AuthorizationOptions,
): Generator<string> {
  for (const issuer of issuers) {
    const name = issuerName(issuer);
    for (const key of new Set([...issuer.publisherKeys, ...issuer.subscriberKeys])) {
      if (key.kind !== "secret") continue;
      const wanted = Number(key.algorithm.slice(2)) / 8;
      if (EXAMPLE_SECRETS.has(new TextDecoder().decode(key.secret))) {
        yield `A secret of ${name} comes from an example, so everybody can make its tokens`;
      } else if (key.secret.length < wanted) {
        yield `A secret of ${name} has ${key.secret.length} bytes, and ${key.algorithm} needs ${wanted}: it can be guessed`;
      }
    }
    const others = issuer.audience?.filter((audience) => audience !== hubUrl) ?? [];
    if (hubUrl !== undefined && others.length > 0) {
      const list = others.map(shown).join(", ");
      yield `Tokens of ${name} for ${list} are accepted as well, and HUB_URL is ${hubUrl}`;
    }
  }
  const modern = issuers.filter(({ issuer }) => issuer !== undefined && issuer !== DEVELOPMENT_ISSUER);
  if (hubUrl === undefined && modern.length > 0) {
    yield "HUB_URL is only a path, so each request says which host its token must be meant for; " +
      "set it to the whole URL of the hub";
  }
}
