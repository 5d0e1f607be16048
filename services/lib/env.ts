/**
 * Settings from the environment. A service lists its settings in its `config.ts` with the readers below; all of
 * them are judged before anything opens, and all that is wrong is said at once.
 */
import { BlockList, isIP } from "node:net";
import { LOG_LEVELS, type LogLevel } from "./log.ts";

/** Where settings come from: the environment of the process, outside tests. */
export interface Environment {
  get(name: string): string | undefined;
}

/** One setting: its name, and how its text becomes a value. */
export interface Setting<T> {
  readonly name: string;
  /** Whether its value must not be shown, not even a wrong one. */
  readonly secret?: true;
  /** The text that stands for a missing or empty variable; for one without a default, what that means. */
  readonly default: string;
  /** Returns the value, or throws a RangeError that says what was wanted. */
  parse(text: string | undefined): T;
}

/** What `readSettings` makes of a list of settings. */
export type SettingsOf<S extends Readonly<Record<string, Setting<unknown>>>> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never;
};

/** Every problem that the settings have, one per line, each with name, value and what was wanted. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** @throws {SettingsError} with all problems. */
export function readSettings<S extends Readonly<Record<string, Setting<unknown>>>>(
  settings: S,
  env: Environment,
): SettingsOf<S> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(settings)) {
    const text = env.get(setting.name) || undefined;
    try {
      values[key] = setting.parse(text);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const value = setting.secret ? "set" : JSON.stringify(text);
      problems.push(`${setting.name} is ${value}, but must be ${error.message}`);
    }
  }
  if (problems.length > 0) throw new SettingsError(problems);
  return values as SettingsOf<S>;
}

/** An address to listen on. `[::]`, `::` and `0:0:0:0:0:0:0:0` are the same; the value has no brackets. */
export function address(name: string, fallback: string): Setting<string> {
  return setting(name, fallback, (text) => {
    const bare = unbracket(text);
    if (!isIpAddress(bare)) {
      throw new RangeError("an IPv4 or IPv6 address, such as 127.0.0.1, 0.0.0.0 or [::]");
    }
    return bare.includes(":") ? unbracket(new URL(`http://${bracketed(bare)}/`).hostname) : bare;
  });
}

/** A host to connect to: a name, or an address with or without brackets. The value has no brackets. */
export function host(name: string, fallback: string): Setting<string> {
  return setting(name, fallback, (text) => {
    const bare = unbracket(text);
    if (!isIpAddress(bare) && !isHostName(bare)) {
      throw new RangeError("a host name, an IPv4 address or an IPv6 address, without a port");
    }
    return bare;
  });
}

/** A TCP port to connect to. */
export function remotePort(name: string, fallback: number): Setting<number> {
  return setting(name, `${fallback}`, (text) => {
    const value = parsePort(text);
    if (value === 0) throw new RangeError("a port, 1 to 65535");
    return value;
  });
}

/** A TCP port to listen on; 0 stands for any free one. */
export function port(name: string, fallback: number): Setting<number> {
  return setting(name, `${fallback}`, parsePort);
}

/** A TCP port that is not opened when the setting is missing. */
export function optionalPort(name: string): Setting<number | undefined> {
  return optional(name, parsePort);
}

function parsePort(text: string): number {
  const value = /^[0-9]{1,5}$/.test(text) ? Number(text) : Infinity;
  if (value > 65_535) throw new RangeError("a port, 0 to 65535");
  return value;
}

/** An origin that nobody has. */
const SAME_ORIGIN = "http://same-origin.invalid";

/** The address of a page or an endpoint: an absolute http(s) URL or a path on the same origin. */
export function pageUrl(name: string, fallback: string): Setting<string> {
  return setting(name, fallback, (text) => {
    // Read as a browser will read it: `//host`, `/\\host` and the like are other origins and no paths.
    const url = URL.parse(text, SAME_ORIGIN);
    const isPath = text.startsWith("/") && url?.origin === SAME_ORIGIN;
    const isAbsolute = /^https?:\/\/[^/]/i.test(text) && url !== null;
    if (!isPath && !isAbsolute) throw new RangeError("an http or https URL, or a path that begins with /");
    return text;
  });
}

/** `*`, or web origins separated by commas: what Hono's CORS middleware takes. */
export function origins(name: string, fallback: string): Setting<"*" | string[]> {
  return setting(name, fallback, (text) => {
    if (text === "*") return "*";
    const list = splitList(text);
    if (list.length === 0 || !list.every(isOrigin)) {
      throw new RangeError(
        "* or a list of origins, such as https://example.org,https://www.example.org:8443",
      );
    }
    return list;
  });
}

/** Web origins separated by commas; none when missing. */
export function originList(name: string): Setting<readonly string[]> {
  return {
    name,
    default: "none",
    parse: (text) => {
      const list = splitList(text);
      if (!list.every(isOrigin)) throw new RangeError("a list of origins, such as https://example.org");
      return list;
    },
  };
}

/** An origin as browsers send it: anything else, a path or a default port, would never match. */
function isOrigin(text: string): boolean {
  return /^https?:[^*]+$/.test(text) && URL.parse(text)?.origin === text;
}

/** What stands between commas. */
function splitList(text = ""): string[] {
  return text.split(",").map((item) => item.trim()).filter((item) => item !== "");
}

/** Nothing that a router reads in another way, and no slash at the end. */
const HUB_PATH = /^(?:\/[A-Za-z0-9\-._~]+)+$/;

/** Paths that the services need for themselves. */
const OWN_PATHS = /^\/(?:$|(?:events?|history|hub|logger|metrics|healthz|readyz|openapi\.json)(?:\/|$))/;

/** The URL of the hub, or its path where scheme and host come from each request; without a slash at the end. */
export function hubUrl(name: string, fallback: string): Setting<string> {
  return setting(name, fallback, (text) => {
    const url = URL.parse(text, SAME_ORIGIN);
    const isPath = text === url?.pathname;
    const isUrl = /^https?:/.test(text) && text === `${url?.origin}${url?.pathname}`;
    if (url === null || !(isPath || isUrl) || !HUB_PATH.test(url.pathname) || OWN_PATHS.test(url.pathname)) {
      throw new RangeError(
        "a URL without query, or a path, such as https://example.org/.well-known/mercure or /.well-known/mercure, and none of the service's own",
      );
    }
    return text;
  });
}

/** The name of a cookie. Source: RFC 6265, section 4.1.1. */
export function cookieName(name: string, fallback: string): Setting<string> {
  return setting(name, fallback, (text) => {
    if (!/^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/.test(text)) throw new RangeError("the name of a cookie");
    return text;
  });
}

/** A path on our own origin, at which nothing else is. */
export function urlPath(name: string, fallback: string): Setting<string> {
  return setting(name, fallback, (text) => {
    // As it will come in requests, and as Hono reads no pattern in it.
    const isPath = HUB_PATH.test(text) && URL.parse(text, SAME_ORIGIN)?.pathname === text;
    if (!isPath || OWN_PATHS.test(text)) {
      throw new RangeError(
        "a path of letters, digits, dots and dashes, such as /js/t.js, and none of the service's own",
      );
    }
    return text;
  });
}

/** `*`, or names separated by commas; `none` stands for none. */
export function siteList(name: string, fallback: "*" | "none"): Setting<"*" | readonly string[]> {
  return setting(name, fallback, (text) => {
    if (text === "*") return "*";
    if (text === "none") return [];
    const list = splitList(text);
    // What can be no site of a batch would never count.
    if (list.length === 0 || list.some((site) => /^(?:\*|\.\.?)$|[\p{Cc}\p{Cf}]/u.test(site))) {
      throw new RangeError("*, none, or names of sites separated by commas");
    }
    return list;
  });
}

/** A part of a whole, from 0 to 1. */
export function part(name: string, fallback: string): Setting<number> {
  return setting(name, fallback, (text) => {
    if (!/^(?:0(?:\.[0-9]{1,9})?|1(?:\.0+)?)$/.test(text)) {
      throw new RangeError("a number from 0 to 1, such as 0.1");
    }
    return Number(text);
  });
}

/** Addresses and networks separated by commas, such as `127.0.0.1,10.0.0.0/8`; none when missing. */
export function networks(name: string): Setting<BlockList> {
  return {
    name,
    default: "none",
    parse: (text) => {
      const list = new BlockList();
      for (const item of splitList(text)) addNetwork(list, item);
      return list;
    },
  };
}

function addNetwork(list: BlockList, text: string): void {
  const [address = "", prefix] = text.split("/");
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  const bits = family === "ipv6" ? 128 : 32;
  const length = prefix === undefined ? bits : /^[0-9]{1,3}$/.test(prefix) ? Number(prefix) : Infinity;
  if (!isIpAddress(address) || length > bits || text.split("/").length > 2) {
    throw new RangeError("a list of addresses and networks, such as 127.0.0.1,10.0.0.0/8,::1");
  }
  list.addSubnet(address, length, family);
}

/** Whether something is done: `on` or `off`. */
export function onOff(name: string, fallback: "on" | "off"): Setting<boolean> {
  const word = choice(name, ["on", "off"], fallback);
  return { ...word, parse: (text) => word.parse(text) === "on" };
}

export function logLevel(name: string, fallback: LogLevel): Setting<LogLevel> {
  return choice(name, LOG_LEVELS, fallback);
}

/** A file; relative to the folder that the process runs in. */
export function path(name: string, fallback: string): Setting<string> {
  return setting(name, fallback, (text) => {
    if (text.includes("\0")) throw new RangeError("the path of a file");
    return text;
  });
}

/** A whole number from 0 on. */
export function count(name: string, fallback: string, { most = Infinity } = {}): Setting<number> {
  const wanted = most === Infinity ? "such as 1000000, or 0" : `from 0 to ${most}`;
  return setting(name, fallback, (text) => {
    if (!/^[0-9]{1,15}$/.test(text) || Number(text) > most) throw new RangeError(`a whole number, ${wanted}`);
    return Number(text);
  });
}

/** Reads a number with a unit, such as `7d`, in the smallest unit; 0 needs none. */
function measure(units: ReadonlyMap<string, number>, wanted: string): (text: string) => number {
  return (text) => {
    if (text === "0") return 0;
    const [, digits, unit = ""] = /^([0-9]{1,9})([A-Za-z]+)$/.exec(text) ?? [];
    const factor = units.get(unit);
    if (factor === undefined) throw new RangeError(wanted);
    return Number(digits) * factor;
  };
}

const DURATION_UNITS = new Map(Object.entries({ ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }));
const SIZE_UNITS = new Map(
  Object.entries({ B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 }),
);

/** A length of time with its unit, such as `2s` or `7d`, or 0. The value is in milliseconds. */
export function duration(name: string, fallback: string): Setting<number> {
  return setting(name, fallback, measure(DURATION_UNITS, "a number with ms, s, m, h or d, such as 7d, or 0"));
}

/** A size with its unit, such as `64MiB`, or 0. The value is in bytes. */
export function size(name: string, fallback: string): Setting<number> {
  return setting(
    name,
    fallback,
    measure(SIZE_UNITS, "a number with B, KiB, MiB, GiB or TiB, such as 1GiB, or 0"),
  );
}

/** A public CURVE key; undefined when missing. Source: ØMQ RFC 26 (CurveZMQ) and RFC 32 (Z85). */
export function publicKey(name: string): Setting<string | undefined> {
  return optional(name, parseKey);
}

/** A secret CURVE key; undefined when missing. */
export function secretKey(name: string): Setting<string | undefined> {
  return { ...publicKey(name), secret: true };
}

/** Public CURVE keys, separated by commas. */
export function publicKeys(name: string): Setting<readonly string[]> {
  return {
    name,
    default: "none",
    parse: (text) => text === undefined ? [] : text.split(",").map((key) => parseKey(key.trim())),
  };
}

function parseKey(text: string): string {
  if (!/^[0-9a-zA-Z.\-:+=^!/*?&<>()[\]{}@%$#]{40}$/.test(text)) {
    throw new RangeError("a CURVE key, 40 characters as `deno task keys` prints them");
  }
  return text;
}

/** Text on one line, such as a name; undefined when missing. */
export function optionalText(name: string): Setting<string | undefined> {
  return optional(name, (text) => {
    if (/\p{Cc}/u.test(text)) throw new RangeError("text without line breaks and other controls");
    return text;
  });
}

/** Any text that must not be shown, such as a key; undefined when missing. */
export function secretText(name: string): Setting<string | undefined> {
  return { ...optional(name, (text) => text), secret: true };
}

/** One of a few words; undefined when missing. */
export function optionalChoice<T extends string>(
  name: string,
  choices: readonly T[],
): Setting<T | undefined> {
  return optional(name, (text) => oneOf(choices, text));
}

/** A file that may be missing, and is then undefined. */
export function optionalPath(name: string): Setting<string | undefined> {
  return optional(name, path(name, "").parse);
}

/** A URL that nobody on the way can forge the answer of; undefined when missing. */
export function optionalSecureUrl(name: string): Setting<string | undefined> {
  return optional(name, parseSecureUrl);
}

/** @throws {RangeError} for a URL that is neither https nor http on this machine. */
export function parseSecureUrl(text: string): string {
  const url = URL.parse(text);
  const isLoopback = /^(localhost|127(\.[0-9]+){3}|\[::1\])$/.test(url?.hostname ?? "");
  const isSecure = url?.protocol === "https:" || url?.protocol === "http:" && isLoopback;
  if (url === null || !isSecure || url.username || url.password || /\p{Cc}/u.test(text)) {
    throw new RangeError("an https URL without user and password, or http for this machine");
  }
  return text;
}

/** Whether something is meant: `1`, or nothing. */
export function flag(name: string): Setting<boolean> {
  return {
    name,
    default: "none",
    parse: (text) => {
      if (text !== undefined && text !== "1") throw new RangeError("1, or not set");
      return text === "1";
    },
  };
}

/** One of a few words. */
export function choice<T extends string>(name: string, choices: readonly T[], fallback: T): Setting<T> {
  return setting(name, fallback, (text) => oneOf(choices, text));
}

function oneOf<T extends string>(choices: readonly T[], text: string): T {
  const chosen = choices.find((candidate) => candidate === text);
  if (chosen === undefined) throw new RangeError(choices.join(" or "));
  return chosen;
}

/** What every service has to be told. */
export const COMMON_SETTINGS = {
  ip: address("IP", "127.0.0.1"),
  logLevel: logLevel("LOG_LEVEL", "info"),
};

function optional<T>(name: string, parse: (text: string) => T): Setting<T | undefined> {
  return { name, default: "none", parse: (text) => text === undefined ? undefined : parse(text) };
}

function setting<T>(name: string, fallback: string, parse: (text: string) => T): Setting<T> {
  return { name, default: fallback, parse: (text) => parse(text ?? fallback) };
}

/** Whether only this machine can reach an address, which has no brackets. */
export function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

/** A host as it stands before a port: IPv6 addresses have brackets there. */
export function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function unbracket(text: string): string {
  return /^\[.*\]$/.test(text) ? text.slice(1, -1) : text;
}

/** A zone, as in `fe80::1%eth0`, is left out: URLs cannot hold one. */
function isIpAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes("%");
}

/** Letters, digits, hyphens and dots; what ends in a number is meant as an IPv4 address. Source: RFC 1123, 2.1. */
function isHostName(text: string): boolean {
  const labels = text.replace(/\.$/, "").split(".");
  return labels.every((label) => /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/i.test(label)) &&
    !/^[0-9]+$/.test(labels.at(-1) ?? "");
}
