/**
 * Who may sign tokens, and with which keys: from the environment for one issuer, from a JSON file for several. All of
 * it is judged before anything opens, and no message holds a secret.
 */
import { dirname, isAbsolute, join } from "node:path";
import * as v from "valibot";
import {
  flag,
  optionalChoice,
  optionalPath,
  optionalSecureUrl,
  optionalText,
  parseSecureUrl,
  secretText,
  type SettingsOf,
} from "../env.ts";
import { messageOf } from "../log.ts";
import { EXIT_BAD_SETTINGS, StartError } from "../start.ts";
import {
  importKeySet,
  importPublicKey,
  isPem,
  jwkOfPem,
  type JwkSet,
  PUBLIC_ALGORITHMS,
  type PublicAlgorithm,
  SECRET_ALGORITHMS,
  type SecretAlgorithm,
} from "./keys.ts";

/** Where keys that verify signatures come from. */
export type KeySource =
  | { readonly kind: "secret"; readonly secret: Uint8Array; readonly algorithm: SecretAlgorithm }
  | { readonly kind: "pem"; readonly pem: string; readonly algorithm?: PublicAlgorithm }
  | { readonly kind: "jwks"; readonly jwks: JwkSet }
  | { readonly kind: "jwks-url"; readonly url: string };

export interface Issuer {
  /** What its tokens have as `iss`; undefined where only 0.x tokens are taken, which need none. */
  readonly issuer: string | undefined;
  /** What its tokens may have as `aud`, besides the URL of the hub. */
  readonly audience?: readonly string[];
  readonly publisherKeys: readonly KeySource[];
  readonly subscriberKeys: readonly KeySource[];
  /** Whether its tokens of the 0.x generation are taken, which are checked less. */
  readonly legacy: boolean;
}

/** The issuer that `deno task start` makes up, with a key that lives as long as the process. */
export const DEVELOPMENT_ISSUER = "urn:development";

const ALGORITHMS = [...SECRET_ALGORITHMS, ...PUBLIC_ALGORITHMS] as const;

/** What a service that verifies tokens has to be told. */
export const ISSUER_SETTINGS = {
  jwtIssuer: optionalText("JWT_ISSUER"),
  jwtKey: secretText("JWT_KEY"),
  jwtAlg: optionalChoice("JWT_ALG", ALGORITHMS),
  jwksUrl: optionalSecureUrl("JWKS_URL"),
  jwtLegacy: flag("JWT_LEGACY"),
  issuersFile: optionalPath("ISSUERS_FILE"),
  developmentKey: secretText("DEVELOPMENT_KEY"),
};

export type IssuerConfig = SettingsOf<typeof ISSUER_SETTINGS>;

/**
 * Returns the issuers that the settings describe; none when there are no such settings.
 *
 * @throws {StartError} when they contradict each other, or when the file cannot be read or used.
 */
export async function readIssuers(config: IssuerConfig): Promise<Issuer[]> {
  const contradiction = contradictionIn(config);
  if (contradiction !== undefined) throw unusable(contradiction);
  const { jwtIssuer, jwksUrl, jwtKey, jwtLegacy: legacy, issuersFile, developmentKey } = config;
  if (issuersFile !== undefined) return await readIssuersFile(issuersFile);
  if (jwksUrl !== undefined) return [issuerWith(jwtIssuer, { kind: "jwks-url", url: jwksUrl }, legacy)];
  if (jwtKey !== undefined) return [issuerWith(jwtIssuer, await keyOfEnvironment(jwtKey, config), legacy)];
  if (developmentKey === undefined) return [];
  return [issuerWith(DEVELOPMENT_ISSUER, secretKey(developmentKey), legacy)];
}

/** What makes no sense together, in words for an operator. */
function contradictionIn(config: IssuerConfig): string | undefined {
  const { jwtIssuer, jwksUrl, jwtKey, jwtAlg, jwtLegacy, issuersFile, developmentKey } = config;
  if (issuersFile !== undefined) {
    const others = { JWT_ISSUER: jwtIssuer, JWT_KEY: jwtKey, JWT_ALG: jwtAlg, JWKS_URL: jwksUrl };
    const set = Object.entries(others).flatMap(([name, value]) => value === undefined ? [] : [name]);
    if (jwtLegacy) set.push("JWT_LEGACY");
    if (set.length === 0) return undefined;
    return `ISSUERS_FILE is set, and so is ${
      set.join(", ")
    }: describe all issuers in the file, or one without it`;
  }
  if (jwtKey !== undefined && jwksUrl !== undefined) {
    return "JWT_KEY and JWKS_URL are both set, but one issuer has either; ISSUERS_FILE can hold more";
  }
  if (jwtAlg !== undefined && jwtKey === undefined) {
    return "JWT_ALG is set, but not the JWT_KEY that it is for";
  }
  const hasKeys = jwtKey !== undefined || jwksUrl !== undefined;
  if (!hasKeys && jwtIssuer !== undefined) {
    return "JWT_ISSUER is set, but neither JWT_KEY nor JWKS_URL is: its tokens could not be verified";
  }
  if (!hasKeys && jwtLegacy && developmentKey === undefined) {
    return "JWT_LEGACY is 1, but neither JWT_KEY nor JWKS_URL is set: no token could be verified";
  }
  if (hasKeys && jwtIssuer === undefined && !jwtLegacy) {
    const name = jwtKey === undefined ? "JWKS_URL" : "JWT_KEY";
    return `${name} is set, but JWT_ISSUER is not: it must be what the tokens have as iss`;
  }
  return undefined;
}

function unusable(message: string, cause?: unknown): StartError {
  return new StartError(message, { exitCode: EXIT_BAD_SETTINGS, cause });
}

/** An issuer whose key serves both roles. */
function issuerWith(issuer: string | undefined, key: KeySource, legacy: boolean): Issuer {
  return { issuer, publisherKeys: [key], subscriberKeys: [key], legacy };
}

function secretKey(secret: string, algorithm: SecretAlgorithm = "HS256"): KeySource {
  return { kind: "secret", secret: new TextEncoder().encode(secret), algorithm };
}

async function keyOfEnvironment(text: string, { jwtAlg }: IssuerConfig): Promise<KeySource> {
  try {
    return isPem(text) ? await pemKey(text, jwtAlg) : rawKey(text, jwtAlg);
  } catch (error) {
    if (error instanceof AlgorithmError) throw unusable(`JWT_ALG is ${jwtAlg}, but JWT_KEY ${error.message}`);
    if (error instanceof RangeError) throw unusable(`JWT_KEY is set, but must be ${error.message}`);
    throw error;
  }
}

/** An algorithm that is not for its key. */
class AlgorithmError extends Error {
  override readonly name = "AlgorithmError";
}

/** @throws {AlgorithmError} */
function rawKey(secret: string, algorithm: string | undefined): KeySource {
  if (algorithm === undefined || isSecretAlgorithm(algorithm)) return secretKey(secret, algorithm);
  throw new AlgorithmError("is no PEM key: a secret goes with HS256, HS384 or HS512");
}

/** @throws {AlgorithmError | RangeError} */
async function pemKey(text: string, algorithm: string | undefined): Promise<KeySource> {
  // Environment files and JSON hold it on one line.
  const pem = text.replaceAll("\\n", "\n");
  const jwk = jwkOfPem(pem);
  if (algorithm === undefined) {
    const { byAlgorithm } = await importPublicKey(jwk);
    if (byAlgorithm.size === 0) throw new RangeError("an RSA, P-256, P-384, P-521 or Ed25519 key");
    return { kind: "pem", pem };
  }
  // Whoever knows the public key could otherwise use it as the secret.
  if (isSecretAlgorithm(algorithm)) {
    throw new AlgorithmError("is a PEM key, and HS algorithms are for secrets");
  }
  try {
    await importPublicKey(jwk, algorithm);
  } catch (error) {
    if (error instanceof RangeError) throw new AlgorithmError(`must be ${error.message}`, { cause: error });
    throw error;
  }
  return { kind: "pem", pem, algorithm: algorithm as PublicAlgorithm };
}

function isSecretAlgorithm(algorithm: string): algorithm is SecretAlgorithm {
  return SECRET_ALGORITHMS.some((candidate) => candidate === algorithm);
}

/** What is wrong with an object; its place is in the issue. */
function problemOfObject({ expected }: { readonly expected: string | null }): string {
  if (expected === "never") return "is not known here";
  return expected === "Object" ? "must be an object" : "is missing";
}

const text = v.pipe(v.string("must be a text"), v.nonEmpty("must not be empty"));
const list = <T extends v.GenericSchema>(item: T) =>
  v.pipe(v.array(item, "must be a list"), v.nonEmpty("must not be empty"));

const jwkSet = v.looseObject(
  { keys: list(v.record(v.string(), v.unknown(), "must be an object")) },
  problemOfObject,
);

const SOURCES = ["secret", "pem", "pem_file", "jwks", "jwks_file", "jwks_url"] as const;

const key = v.pipe(
  v.strictObject({
    secret: v.optional(text),
    pem: v.optional(text),
    pem_file: v.optional(text),
    jwks: v.optional(jwkSet),
    jwks_file: v.optional(text),
    jwks_url: v.optional(text),
    alg: v.optional(v.picklist(ALGORITHMS, `must be one of ${ALGORITHMS.join(", ")}`)),
  }, problemOfObject),
  v.check(
    (key) => SOURCES.filter((source) => key[source] !== undefined).length === 1,
    `must have one of ${SOURCES.join(", ")}`,
  ),
  v.check(
    (key) =>
      key.alg === undefined || [key.secret, key.pem, key.pem_file].some((value) => value !== undefined),
    "must have no alg: a set of keys says it for each of them",
  ),
);
type KeyEntry = v.InferOutput<typeof key>;
const oneKeyOrMore = v.lazy((input): v.GenericSchema<KeyEntry | KeyEntry[]> =>
  Array.isArray(input) ? list(key) : key
);

const issuersSchema = v.strictObject({
  issuers: list(v.strictObject({
    issuer: text,
    audience: v.optional(list(text)),
    keys: v.optional(list(key)),
    publisher: v.optional(oneKeyOrMore),
    subscriber: v.optional(oneKeyOrMore),
    legacy: v.optional(v.boolean("must be true or false"), false),
  }, problemOfObject)),
}, problemOfObject);
type IssuerEntry = v.InferOutput<typeof issuersSchema>["issuers"][number];

/** @throws {StartError} with all that is wrong, each with its path inside the file. */
async function readIssuersFile(path: string): Promise<Issuer[]> {
  const parsed = v.safeParse(issuersSchema, await readJsonFile(path));
  if (!parsed.success) {
    throw unusable(`ISSUERS_FILE ${path}: ${parsed.issues.map(describeIssue).join("; ")}`);
  }
  const { issuers: entries } = parsed.output;
  const reader = new KeyReader(dirname(path));
  const issuers: Issuer[] = [];
  for (const [index, entry] of entries.entries()) {
    const place = `issuers[${index}]`;
    if (entries.findIndex(({ issuer }) => issuer === entry.issuer) < index) {
      reader.problems.push(`${place}.issuer is there twice`);
    }
    issuers.push(await readIssuer(entry, place, reader));
  }
  if (reader.problems.length > 0) throw unusable(`ISSUERS_FILE ${path}: ${reader.problems.join("; ")}`);
  return issuers;
}

async function readJsonFile(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    throw unusable(`Cannot read ISSUERS_FILE ${path}: ${messageOf(error)}`, error);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unusable(`ISSUERS_FILE ${path} is no JSON${placeOfSyntaxError(error)}`);
  }
}

/** Only the place: the message of the parser quotes the text around it, and that may be a secret. */
function placeOfSyntaxError(error: unknown): string {
  const [, place] = /\((line [0-9]+ column [0-9]+)\)/.exec(messageOf(error)) ?? [];
  return place === undefined ? "" : `: ${place}`;
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  const path = (issue.path ?? []).map(({ key }) => typeof key === "number" ? `[${key}]` : `.${String(key)}`);
  return `${path.join("").replace(/^\./, "") || "its content"} ${issue.message}`;
}

async function readIssuer(entry: IssuerEntry, place: string, reader: KeyReader): Promise<Issuer> {
  const common = await reader.readAll(entry.keys, `${place}.keys`);
  const publisherKeys = [...common, ...await reader.readAll(entry.publisher, `${place}.publisher`)];
  const subscriberKeys = [...common, ...await reader.readAll(entry.subscriber, `${place}.subscriber`)];
  if (entry.keys === undefined && entry.publisher === undefined && entry.subscriber === undefined) {
    reader.problems.push(`${place} must have keys, publisher or subscriber`);
  }
  const { issuer, audience, legacy } = entry;
  return { issuer, ...(audience && { audience }), publisherKeys, subscriberKeys, legacy };
}

/** Reads keys, from other files as well, and gathers what is wrong. */
class KeyReader {
  readonly problems: string[] = [];
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async readAll(entry: KeyEntry | readonly KeyEntry[] | undefined, place: string): Promise<KeySource[]> {
    if (entry === undefined) return [];
    if (!Array.isArray(entry)) return await this.#read(entry as KeyEntry, place);
    const keys: KeySource[] = [];
    // One after the other, so that problems come in the order of the file.
    for (const [index, each] of entry.entries()) keys.push(...await this.#read(each, `${place}[${index}]`));
    return keys;
  }

  /** One key, or none when it is wrong. */
  async #read(entry: KeyEntry, place: string): Promise<KeySource[]> {
    const member = SOURCES.find((source) => entry[source] !== undefined);
    try {
      return [await this.#sourceOf(entry)];
    } catch (error) {
      if (error instanceof AlgorithmError) {
        this.problems.push(`${place}.alg is ${entry.alg}, but the key ${error.message}`);
      } else if (error instanceof FileError) this.problems.push(`${place}.${member} ${error.message}`);
      else if (error instanceof RangeError) this.problems.push(`${place}.${member} must be ${error.message}`);
      else throw error;
      return [];
    }
  }

  async #sourceOf(entry: KeyEntry): Promise<KeySource> {
    if (entry.secret !== undefined) {
      if (isPem(entry.secret)) throw new RangeError("a secret; a PEM key belongs into pem");
      return rawKey(entry.secret, entry.alg);
    }
    if (entry.jwks_url !== undefined) return { kind: "jwks-url", url: parseSecureUrl(entry.jwks_url) };
    if (entry.jwks !== undefined) return await jwksKey(entry.jwks);
    if (entry.jwks_file !== undefined) {
      return await jwksKey(parseJwkSet(await this.#readFile(entry.jwks_file)));
    }
    const pem = entry.pem ?? await this.#readFile(entry.pem_file ?? "");
    return await pemKey(pem, entry.alg);
  }

  async #readFile(path: string): Promise<string> {
    try {
      return await Deno.readTextFile(isAbsolute(path) ? path : join(this.#folder, path));
    } catch (error) {
      throw new FileError(`cannot be read: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** A file that cannot be read. */
class FileError extends Error {
  override readonly name = "FileError";
}

async function jwksKey(jwks: JwkSet): Promise<KeySource> {
  await importKeySet(jwks);
  return { kind: "jwks", jwks };
}

/** @throws {RangeError} */
function parseJwkSet(text: string): JwkSet {
  try {
    return v.parse(jwkSet, JSON.parse(text));
  } catch {
    throw new RangeError('a JSON file with a set of keys, {"keys": [{…}]}');
  }
}
