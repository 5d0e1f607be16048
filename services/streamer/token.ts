/** Makes tokens for publishers and subscribers, and says of a token why the hub takes it or not. */
import { parseArgs } from "node:util";
import { duration, type Environment, readSettings, SettingsError, type SettingsOf } from "../lib/env.ts";
import { isObject, type JsonObject } from "../lib/json.ts";
import { announce, messageOf } from "../lib/log.ts";
import { InvalidMatcherError, parseMatcher, parseTopicSelector } from "../lib/matcher.ts";
import { Authorization, type Explanation, type Role } from "../lib/mercure/authorization.ts";
import { DETAIL_TYPE } from "../lib/mercure/authorization_details.ts";
import { DEFAULT_HUB_PATH } from "../lib/mercure/hub_url.ts";
import { type Issuer, ISSUER_SETTINGS, type KeySource, readIssuers } from "../lib/mercure/issuers.ts";
import { importSecret } from "../lib/mercure/keys.ts";
import { HUB_SETTINGS } from "../lib/mercure/settings.ts";
import { type Claims, importPrivateKey, type SigningKey, signToken } from "../lib/mercure/signing.ts";
import { withoutControls } from "../lib/mercure/shown.ts";
import { EXIT_BAD_SETTINGS, EXIT_FAILURE, StartError } from "../lib/start.ts";

const HELP = `Makes a token with the key of a configured issuer, and prints nothing else on standard output:

  deno task token --publish <topic> --subscribe <matcher> [options]

  --publish <topic>       what may be published; * stands for every topic. May be repeated
  --subscribe <matcher>   whose private updates may be read. May be repeated
  --urlpattern            the values of --publish and --subscribe after this are URL patterns
  --exact                 those after this are plain topics again
  --payload <JSON>        object that the hub tells of the subscriptions
  --ttl <time>            how long it is valid, such as 90s, 1h or 30d; default 1h
  --audience <URL>        the hub that it is for; default HUB_URL, or ${DEFAULT_HUB_PATH} on 127.0.0.1:8001
  --issuer <name>         one of the configured issuers; default the only one. With --key-file, any name
  --subject <name>        whom it is for
  --key-file <path>       sign with this private key (PEM), for issuers whose public key the hub has
  --legacy                make a token of Mercure 0.x, for issuers that are set to legacy

Explains a token, check by check; without one, or with -, it is read from standard input. The exit code is 0 when
the hub takes it for publishing or for subscribing:

  deno task token inspect [--audience <URL>] [token | -]

Prints a new secret for JWT_KEY:

  deno task token key

The issuers come from the settings of the hub: JWT_ISSUER and JWT_KEY, or ISSUERS_FILE.`;

/** Where `deno task start` has the hub. */
const LOCAL_ORIGIN = "http://127.0.0.1:8001";

export const TOKEN_SETTINGS = {
  ...ISSUER_SETTINGS,
  hubUrl: HUB_SETTINGS.hubUrl,
  maxDetails: HUB_SETTINGS.maxDetails,
  maxMatcherLength: HUB_SETTINGS.maxMatcherLength,
};
type TokenConfig = SettingsOf<typeof TOKEN_SETTINGS>;

const MINT_OPTIONS = {
  publish: { type: "string", multiple: true },
  subscribe: { type: "string", multiple: true },
  urlpattern: { type: "boolean", multiple: true },
  exact: { type: "boolean", multiple: true },
  payload: { type: "string" },
  ttl: { type: "string" },
  audience: { type: "string" },
  issuer: { type: "string" },
  subject: { type: "string" },
  "key-file": { type: "string" },
  legacy: { type: "boolean" },
} as const;

/** A command line that makes no sense. The message says what was wanted. */
class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Runs a command and returns the exit code. */
async function main(args: readonly string[], env: Environment): Promise<number> {
  try {
    if (args.includes("--help") || args.includes("-h")) {
      announce(HELP);
      return 0;
    }
    const [command, ...rest] = args;
    if (command === "key") return printSecret(rest);
    if (command === "inspect") return await inspect(rest, readSettings(TOKEN_SETTINGS, env));
    return await mint(args, readSettings(TOKEN_SETTINGS, env));
  } catch (error) {
    const isExpected = error instanceof UsageError || error instanceof StartError ||
      error instanceof SettingsError;
    if (!isExpected) throw error;
    complain(error.message);
    if (error instanceof UsageError) complain("`deno task token --help` says what there is");
    return error instanceof StartError ? error.exitCode : EXIT_BAD_SETTINGS;
  }
}

function printSecret(args: readonly string[]): number {
  if (args.length > 0) throw new UsageError("key takes nothing after it");
  announce(crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: "base64url", omitPadding: true }));
  return 0;
}

/** Parses strictly; what Node says of the mistake is for people. */
function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

async function mint(args: readonly string[], config: TokenConfig): Promise<number> {
  const { values, tokens } = parsed(() =>
    parseArgs({ args: [...args], options: MINT_OPTIONS, tokens: true })
  );
  if (args.length === 0) throw new UsageError("Say what the token allows, with --publish or --subscribe");
  const issuers = await readIssuers(config);
  const audience = values.audience ?? hubUrlOf(config);
  const legacy = values.legacy ?? false;
  const payload = values.payload === undefined ? undefined : parsePayload(values.payload);
  const topics = topicsIn(tokens, {
    legacy,
    base: URL.canParse(audience) ? audience : hubUrlOf(config),
    config,
  });
  const roles = (["publish", "subscribe"] as const).filter((role) => topics[role].length > 0);
  if (roles.length === 0) throw new UsageError("Say what the token allows, with --publish or --subscribe");
  if (payload !== undefined && topics.subscribe.length === 0) {
    throw new UsageError("--payload needs --subscribe");
  }
  const seconds = parseTtl(values.ttl) / 1000;

  const keyFile = values["key-file"];
  const issuer = chooseIssuer(issuers, values.issuer, keyFile !== undefined);
  const name = issuer?.issuer ?? values.issuer;
  if (name === undefined && !legacy) {
    throw new UsageError("The issuer has no name: set JWT_ISSUER, or make a 0.x token with --legacy");
  }
  const key = keyFile === undefined ? await secretOf(issuer, roles) : await privateKeyIn(keyFile);
  const now = Math.floor(Date.now() / 1000);
  const claims: Claims = {
    ...(name !== undefined && { iss: name }),
    sub: values.subject ?? name ?? "deno-task-token",
    iat: now,
    exp: now + seconds,
    jti: crypto.randomUUID(),
    ...(legacy
      ? { mercure: { publish: topics.publish, subscribe: topics.subscribe, ...(payload && { payload }) } }
      : { aud: audience, client_id: "deno-task-token", authorization_details: detailsOf(topics, payload) }),
  };
  const token = await signToken(claims, key, { legacy });
  announce(token);
  if (issuer !== undefined) await warnOfRefusal(token, { issuers, config, roles, hubUrl: audience });
  return 0;
}

/** What a token grants: matchers as a token has them, or the selectors of 0.x. */
interface Topics {
  readonly publish: (string | JsonObject)[];
  readonly subscribe: (string | JsonObject)[];
}

/** The topics of the command line, in order, since a type counts for those after it. */
function topicsIn(
  tokens: readonly { readonly kind: string; readonly name?: string; readonly value?: string | undefined }[],
  { legacy, base, config }: { legacy: boolean; base: string; config: TokenConfig },
): Topics {
  const options = { base, maxLength: config.maxMatcherLength };
  const topics: Topics = { publish: [], subscribe: [] };
  let type = "exact";
  for (const { name, value = "" } of tokens) {
    if (name === "urlpattern" || name === "exact") type = name;
    if (name !== "publish" && name !== "subscribe") continue;
    if (legacy && type !== "exact") throw new UsageError("A token of Mercure 0.x knows no URL patterns");
    try {
      if (legacy) parseTopicSelector(value, options);
      else parseMatcher(type, value, options);
    } catch (error) {
      if (!(error instanceof InvalidMatcherError)) throw error;
      throw new UsageError(`--${name} is ${JSON.stringify(value)}, but: ${error.message}`, { cause: error });
    }
    topics[name].push(legacy ? value : { match: value, ...(type !== "exact" && { match_type: type }) });
  }
  return topics;
}

function detailsOf({ publish, subscribe }: Topics, payload: JsonObject | undefined): JsonObject[] {
  return [
    ...(publish.length > 0 ? [{ type: DETAIL_TYPE, actions: ["publish"], topics: publish }] : []),
    ...(subscribe.length > 0
      ? [{ type: DETAIL_TYPE, actions: ["subscribe"], topics: subscribe, ...(payload && { payload }) }]
      : []),
  ];
}

function parsePayload(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // Told below.
  }
  throw new UsageError(`--payload is ${JSON.stringify(text)}, but must be a JSON object`);
}

/** In milliseconds. */
function parseTtl(text: string | undefined): number {
  try {
    const ttl = duration("--ttl", "1h").parse(text);
    if (ttl >= 1000) return ttl;
    throw new RangeError("at least 1s");
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`--ttl is ${JSON.stringify(text)}, but must be ${error.message}`, { cause: error });
  }
}

/** The URL of the hub; where only its path is set, on this machine. */
function hubUrlOf({ hubUrl }: TokenConfig): string {
  return new URL(hubUrl, LOCAL_ORIGIN).href;
}

/** The issuer of that name, or the only one; undefined when the token is signed for one that is not configured. */
function chooseIssuer(
  issuers: readonly Issuer[],
  name: string | undefined,
  hasKeyFile: boolean,
): Issuer | undefined {
  const names = issuers.map(({ issuer }) => JSON.stringify(issuer)).join(", ");
  if (name !== undefined) {
    const issuer = issuers.find((candidate) => candidate.issuer === name);
    if (issuer !== undefined || hasKeyFile) return issuer;
    throw new UsageError(`--issuer is ${JSON.stringify(name)}, but configured is ${names || "none"}`);
  }
  const [only, ...others] = issuers;
  if (others.length > 0) throw new UsageError(`Say for which issuer, with --issuer: ${names}`);
  if (only !== undefined) return only;
  throw new UsageError(
    hasKeyFile
      ? "No issuer is configured: say the name with --issuer"
      : "No issuer is configured: set JWT_ISSUER, such as https://example.org, and JWT_KEY, a secret that " +
        "`deno task token key` makes; the hub needs the same",
  );
}

/** The first secret of an issuer that serves all the roles. */
async function secretOf(issuer: Issuer | undefined, roles: readonly Role[]): Promise<SigningKey> {
  const keysOf = (role: Role) =>
    issuer === undefined ? [] : role === "publish" ? issuer.publisherKeys : issuer.subscriberKeys;
  const secrets = roles.map((role) => keysOf(role).filter((key) => key.kind === "secret"));
  const chosen = secrets[0]?.find((key) => secrets.every((list) => list.some((other) => isSame(key, other))));
  if (chosen !== undefined) {
    return { key: await importSecret(chosen.secret, chosen.algorithm), algorithm: chosen.algorithm };
  }
  const name = JSON.stringify(issuer?.issuer);
  throw new UsageError(
    secrets.every((list) => list.length > 0)
      ? `Issuer ${name} has different secrets for publishers and subscribers: make two tokens`
      : `Issuer ${name} has no secret here for ${roles.join(" and ")}: sign with --key-file`,
  );
}

function isSame(a: KeySource & { kind: "secret" }, b: KeySource & { kind: "secret" }): boolean {
  return a.algorithm === b.algorithm && a.secret.toBase64() === b.secret.toBase64();
}

async function privateKeyIn(path: string): Promise<SigningKey> {
  let pem: string;
  try {
    pem = await Deno.readTextFile(path);
  } catch (error) {
    throw new UsageError(`Cannot read --key-file: ${messageOf(error)}`, { cause: error });
  }
  try {
    return await importPrivateKey(pem);
  } catch {
    // What the decoder says could hold parts of the key.
    throw new UsageError(
      `--key-file is ${path}, but must be a PEM private key without a password, for RSA, P-256, P-384, P-521 or Ed25519`,
    );
  }
}

interface Hub {
  readonly issuers: readonly Issuer[];
  readonly config: TokenConfig;
  readonly hubUrl: string;
}

function openHub({ issuers, config, hubUrl }: Hub): Promise<Authorization> {
  const { maxDetails, maxMatcherLength } = config;
  return Authorization.open(issuers, { maxDetails, maxMatcherLength, hubUrl });
}

/** Says when a hub with these settings would not take what was just made. */
async function warnOfRefusal(token: string, hub: Hub & { readonly roles: readonly Role[] }): Promise<void> {
  const authorization = await openHub(hub);
  for (const role of hub.roles) {
    const { checks } = await authorization.explain(token, { role, hubUrl: hub.hubUrl });
    for (const { ok, detail } of checks) {
      if (!ok) complain(`A hub with these settings refuses it to ${role}: ${detail}`);
    }
  }
}

async function inspect(args: readonly string[], config: TokenConfig): Promise<number> {
  const { values, positionals } = parsed(() =>
    parseArgs({ args: [...args], options: { audience: { type: "string" } }, allowPositionals: true })
  );
  if (positionals.length > 1) throw new UsageError("inspect takes one token");
  const [argument = "-"] = positionals;
  const token = (argument === "-" ? await readStdin() : argument).trim().replace(
    /^(Authorization: *)?Bearer +/i,
    "",
  );
  const hub = { issuers: await readIssuers(config), config, hubUrl: values.audience ?? hubUrlOf(config) };
  const authorization = await openHub(hub);
  for (const warning of authorization.warnings) complain(warning);
  describeContent(token);
  let accepted = false;
  for (const role of ["publish", "subscribe"] as const) {
    const explanation = await authorization.explain(token, { role, hubUrl: hub.hubUrl });
    accepted ||= explanation.accepted;
    describe(explanation, role, hub.hubUrl);
  }
  return accepted ? 0 : EXIT_FAILURE;
}

async function readStdin(): Promise<string> {
  if (Deno.stdin.isTerminal()) complain("Paste the token, then Enter and Ctrl-D");
  return await new Response(Deno.stdin.readable).text();
}

/** Prints header and claims, which anybody can read in a token; the signature stays out. */
function describeContent(token: string): void {
  const [header, claims] = token.split(".");
  for (const [name, part] of [["Header", header], ["Claims", claims]] as const) {
    const value = decodePart(part ?? "");
    announce(
      `${name}\n${value === undefined ? "  (cannot be read)" : indented(JSON.stringify(value, null, 2))}`,
    );
    for (const claim of ["iat", "nbf", "exp"]) {
      const time = isObject(value) ? value[claim] : undefined;
      if (typeof time === "number") announce(`  ${claim} is ${dateOf(time)}`);
    }
  }
}

function decodePart(part: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(part, { alphabet: "base64url" })));
  } catch {
    return undefined;
  }
}

function indented(text: string): string {
  return withoutControls(text, "\n").replace(/^/gm, "  ");
}

function dateOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? "no date" : date.toISOString();
}

function describe({ accepted, checks, grants }: Explanation, role: Role, hubUrl: string): void {
  announce(`\nTo ${role} at ${hubUrl}: ${accepted ? "accepted" : "refused, 401"}`);
  for (const { name, ok, detail } of checks) announce(`  ${ok ? "ok " : "NOT"} ${name}: ${detail}`);
  if (grants === undefined) return;
  const matchers = role === "publish" ? grants.publish : grants.subscribe.flatMap(({ matchers }) => matchers);
  const none = role === "publish"
    ? "nothing: each publish is refused, 403"
    : "no private updates, only public ones";
  const list = matchers.map(({ type, pattern }) => `${type} ${JSON.stringify(pattern)}`).join(", ");
  announce(`  It allows ${withoutControls(list) || none}`);
}

function complain(line: string): void {
  const bytes = new TextEncoder().encode(`${withoutControls(line, "\n")}\n`);
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(Deno.stderr.writeSync(rest));
}

if (import.meta.main) Deno.exit(await main(Deno.args, Deno.env));
