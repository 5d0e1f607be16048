/**
 * URL patterns in linear time. Source: WHATWG URL Pattern, review draft of September 2025.
 *
 * The built-in `URLPattern` backtracks: a path of six wildcards takes seconds for one topic. So it only says
 * whether a pattern is valid and what its canonical components are, and never tests a topic.
 *
 * Cost of a test: a component that is plain text, or whose variable parts each end at a known place, takes one
 * pass; any other at most (length) × (size), where the size is bounded by {@link MAX_VARIABLE_PARTS} and
 * {@link MAX_GROUP_SIZE}: below a millisecond for 60 characters and the worst pattern. Cost of a construction: a
 * few milliseconds for the worst pattern of 4,096 bytes.
 */
import { LinearRegExp, quote } from "./linear_regexp.ts";
import { MAX_GROUP_SIZE, translateGroup, UnsupportedGroupError } from "./url_pattern_group.ts";

/** A pattern or template that cannot be used. The message is fit for a client. */
export class InvalidPatternError extends Error {
  override readonly name = "InvalidPatternError";
}

/** The components of a URL as URL Pattern compares them, without the marks `:`, `?` and `#`. */
export interface UrlComponents {
  readonly protocol: string;
  readonly username: string;
  readonly password: string;
  readonly hostname: string;
  readonly port: string;
  readonly pathname: string;
  readonly search: string;
  readonly hash: string;
}

/** Returns the components of a topic, or undefined when it does not parse as a URL against the base. */
export function componentsOf(topic: string, base: string): UrlComponents | undefined {
  const url = URL.parse(topic, base);
  if (url === null) return undefined;
  return {
    protocol: url.protocol.slice(0, -1),
    username: url.username,
    password: url.password,
    hostname: url.hostname,
    // Deno 2.9 says "." where the path begins with two slashes and there is no host, as in `a:/.//b`.
    port: url.hostname === "" ? "" : url.port,
    pathname: url.pathname,
    search: url.search.slice(1),
    hash: url.hash.slice(1),
  };
}

/** Most marks of variable parts, `*`, `:`, `{` and `(`, in one pattern: each one costs time for each character. */
export const MAX_VARIABLE_PARTS = 50;
/** Most custom groups in one pattern: the built-in parser takes time by the square of their number. */
export const MAX_GROUPS = 20;
/** Longest expression of one component: each character is an instruction that is kept as long as the pattern. */
const MAX_EXPRESSION_LENGTH = 2048;

/**
 * Longest component of a topic that an expression is tried on: its cost grows with the length, and no pattern may
 * hold up an update. The standard of the protocol has what exceeds such a limit not match.
 */
const MAX_TEXT_LENGTH = 1024;

/** The order in which the components are written in a pattern. */
const COMPONENTS = [
  "protocol",
  "username",
  "password",
  "hostname",
  "port",
  "pathname",
  "search",
  "hash",
] as const;
type ComponentName = (typeof COMPONENTS)[number];

/** The order in which they are tested: what tells most topics apart comes first. */
const BY_SELECTIVITY: readonly ComponentName[] = [
  "pathname",
  "hostname",
  "search",
  "protocol",
  "hash",
  "port",
  "username",
  "password",
];

/** Source: WHATWG URL, "special scheme". */
const SPECIAL_SCHEMES = ["https", "http", "wss", "ws", "file", "ftp"] as const;

/** What tests one component of a URL. */
interface ComponentMatcher {
  /** Characters of compiled expressions. */
  readonly size: number;
  test(text: string): boolean;
}

/** A URL pattern, resolved against a base URL. */
export class UrlPattern {
  readonly #matchers: readonly { readonly name: ComponentName; readonly matcher: ComponentMatcher }[];

  /** @throws {InvalidPatternError} when the pattern is not valid, or needs more than linear time. */
  constructor(pattern: string, base: string) {
    const components = parsePattern(pattern, base);
    this.#matchers = BY_SELECTIVITY
      .map((name) => ({ name, matcher: components[name] }))
      .filter((component): component is { name: ComponentName; matcher: ComponentMatcher } =>
        component.matcher !== undefined
      );
  }

  /** Characters of its compiled expressions; 0 for a pattern that needs none. */
  get size(): number {
    return this.#matchers.reduce((size, { matcher }) => size + matcher.size, 0);
  }

  test(url: UrlComponents): boolean {
    for (const { name, matcher } of this.#matchers) {
      if (!matcher.test(url[name])) return false;
    }
    return true;
  }
}

/** One matcher for each component, undefined where it matches whatever is there. */
function parsePattern(pattern: string, base: string): Record<ComponentName, ComponentMatcher | undefined> {
  const { shielded, bodies } = shieldGroups(pattern);
  const groups = new GroupQueue(bodies);
  let canonical = canonicalise(shielded(bodies.map(() => SHIELD)), base);
  const protocol = compileComponent("protocol", canonical.protocol, DEFAULT_OPTIONS, groups);
  const special = protocol === undefined || SPECIAL_SCHEMES.some((scheme) => protocol.test(scheme));
  if (special && groups.taken > 0) {
    // The built-in parser reads the rest in another way when the protocol can be special, and its shielded groups
    // hid that it can.
    canonical = canonicalise(
      shielded(bodies.map((_, index) => index < groups.taken ? SHIELD_OF_SPECIAL_PROTOCOL : SHIELD)),
      base,
    );
  }
  // The standard looks at the protocol only, Deno also at the path. It wrote the canonical path with that in mind,
  // so it has to be read likewise; `:id` ends at a slash in `foo://host/:id` too.
  const hierarchical = special || canonical.pathname.startsWith("/");
  const compile = (name: ComponentName, options = DEFAULT_OPTIONS) =>
    compileComponent(name, canonical[name], options, groups);
  // In the order of the pattern, for that is the order of the groups.
  const components = {
    protocol,
    username: compile("username"),
    password: compile("password"),
    hostname: compile("hostname", HOSTNAME_OPTIONS),
    port: compile("port"),
    pathname: compile("pathname", hierarchical ? PATHNAME_OPTIONS : DEFAULT_OPTIONS),
    search: compile("search"),
    hash: compile("hash"),
  };
  if (groups.taken !== bodies.length) throw notValid();
  return components;
}

/** @throws {InvalidPatternError} */
function canonicalise(pattern: string, base: string): Readonly<Record<ComponentName, string>> {
  try {
    return new URLPattern(pattern, base);
  } catch (error) {
    // What it says is about what the built-in parser was given, which is not what the client wrote.
    if (error instanceof TypeError) throw notValid();
    throw error;
  }
}

/** Stands for the expression of a custom group. No special scheme has this letter, so it cannot make one. */
const SHIELD = "x";
/** The same for groups in a protocol of which is known that it can be special: it lets any scheme through. */
const SHIELD_OF_SPECIAL_PROTOCOL = "[a-z]*";

/**
 * Takes the expressions of the custom groups out of a pattern, so that the built-in parser does not compile them:
 * that can take seconds. What it does with a pattern does not depend on them, but for the protocol.
 */
function shieldGroups(pattern: string): {
  /** The pattern with other expressions in the groups. */
  readonly shielded: (expressions: readonly string[]) => string;
  readonly bodies: readonly string[];
} {
  const texts: string[] = [];
  const bodies: string[] = [];
  let variableParts = 0;
  let textStart = 0;
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    if (character === "\\") {
      at++;
      continue;
    }
    if ("*:{(".includes(character)) variableParts++;
    if (character !== "(") continue;
    const end = endOfGroup(pattern, at);
    const body = pattern.slice(at + 1, end);
    // This one has a meaning of its own, that of `*`.
    if (body !== FULL_WILDCARD) {
      texts.push(pattern.slice(textStart, at + 1));
      bodies.push(body);
      textStart = end;
    }
    at = end;
  }
  if (variableParts > MAX_VARIABLE_PARTS || bodies.length > MAX_GROUPS) {
    throw new InvalidPatternError(
      `Cannot take the URL pattern: it has more than ${MAX_VARIABLE_PARTS} variable parts or ${MAX_GROUPS} custom groups`,
    );
  }
  const tail = pattern.slice(textStart);
  return {
    shielded: (expressions) => texts.map((text, index) => text + expressions[index]).join("") + tail,
    bodies,
  };
}

/**
 * The index of the bracket that closes the custom group opened at an index. Source: "tokenize a pattern string",
 * where the code point is `(`.
 */
function endOfGroup(pattern: string, start: number): number {
  let depth = 1;
  if (pattern[start + 1] === "?" || pattern[start + 1] === ")") throw notValid();
  for (let at = start + 1; at < pattern.length; at++) {
    const character = pattern[at]!;
    if (character > "\x7F") break;
    if (character === "\\") {
      at++;
      if (pattern[at] === undefined || pattern[at]! > "\x7F") break;
    } else if (character === "(") {
      if (pattern[at + 1] !== "?") break;
      depth++;
    } else if (character === ")") {
      depth--;
      if (depth === 0) return at;
    }
  }
  throw notValid();
}

/** Hands out the expressions of the custom groups in the order of the pattern. */
class GroupQueue {
  taken = 0;
  #size = 0;
  readonly #bodies: readonly string[];

  constructor(bodies: readonly string[]) {
    this.#bodies = bodies;
  }

  /** The next one, as an RE2 expression. */
  next(component: ComponentName): string {
    const body = this.#bodies[this.taken++];
    if (body === undefined) throw notValid();
    try {
      const { source, size } = translateGroup(body);
      this.#size += size;
      if (this.#size > MAX_GROUP_SIZE) {
        throw new UnsupportedGroupError(`makes all of them larger than ${MAX_GROUP_SIZE} characters`);
      }
      return source;
    } catch (error) {
      if (!(error instanceof UnsupportedGroupError)) throw error;
      throw new InvalidPatternError(
        `Cannot take the URL pattern: a custom group in its ${component} ${error.message}`,
      );
    }
  }
}

/** Source: "options struct". */
interface Options {
  readonly delimiter: "" | "." | "/";
  readonly prefix: "" | "/";
}

const DEFAULT_OPTIONS: Options = { delimiter: "", prefix: "" };
const HOSTNAME_OPTIONS: Options = { delimiter: ".", prefix: "" };
const PATHNAME_OPTIONS: Options = { delimiter: "/", prefix: "/" };

const FULL_WILDCARD = ".*";

type Modifier = "" | "?" | "*" | "+";

/** Source: "part". */
interface Part {
  /** `text` has its text in `prefix`, and no more. */
  readonly type: "text" | "segment" | "full" | "group";
  readonly prefix: string;
  /** The RE2 expression of the variable part. */
  readonly source: string;
  readonly suffix: string;
  readonly modifier: Modifier;
}

function compileComponent(
  name: ComponentName,
  pattern: string,
  options: Options,
  groups: GroupQueue,
): ComponentMatcher | undefined {
  // Nearly all patterns leave some components free.
  if (pattern === "*") return undefined;
  const parts = parseParts(pattern, options, () => groups.next(name));
  const globs = expandOptional(parts)?.map((alternative) => Glob.from(alternative, options.delimiter));
  const [first, second] = globs ?? [];
  if (first !== undefined) {
    if (globs?.length === 1) return first;
    if (second !== undefined) return { size: 0, test: (text) => first.test(text) || second.test(text) };
  }
  return new Expression(name, parts);
}

/** What is no {@link Glob}. */
class Expression implements ComponentMatcher {
  /** The text that begins every match: most topics fail here, which costs next to nothing. */
  readonly #start: string;
  readonly #expression: LinearRegExp;

  constructor(name: ComponentName, parts: readonly Part[]) {
    const source = parts.map(sourceOf).join("");
    if (source.length > MAX_EXPRESSION_LENGTH) {
      throw new InvalidPatternError(
        `Cannot take the URL pattern: its ${name} is too long for the wildcards and groups in it`,
      );
    }
    const [first] = parts;
    this.#start = first?.type === "text" && first.modifier === "" ? first.prefix : "";
    this.#expression = new LinearRegExp(source);
  }

  get size(): number {
    return this.#expression.size;
  }

  test(text: string): boolean {
    return text.length <= MAX_TEXT_LENGTH && text.startsWith(this.#start) && this.#expression.test(text);
  }
}

interface Token {
  readonly type: "open" | "close" | "group" | "name" | "char" | "escaped" | "modifier" | "asterisk" | "end";
  readonly value: string;
}

const NAME = /[\p{ID_Start}$_][\p{ID_Continue}$\u200C\u200D]*/uy;

/** Source: "tokenize a pattern string". The built-in parser has made the pattern, so it is known to be valid. */
function tokenise(pattern: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const push = (type: Token["type"], length: number, value = pattern.slice(at, at + length)) => {
    tokens.push({ type, value });
    at += length;
  };
  while (at < pattern.length) {
    const character = pattern[at]!;
    if (character === "*") push("asterisk", 1);
    else if (character === "+" || character === "?") push("modifier", 1);
    else if (character === "\\") push("escaped", 2, pattern[at + 1] ?? "");
    else if (character === "{") push("open", 1);
    else if (character === "}") push("close", 1);
    else if (character === "(") push("group", endOfGroup(pattern, at) - at + 1);
    else if (character === ":") {
      NAME.lastIndex = at + 1;
      const name = NAME.exec(pattern)?.[0];
      if (name === undefined) throw notValid();
      push("name", name.length + 1, name);
    } else push("char", 1);
  }
  tokens.push({ type: "end", value: "" });
  return tokens;
}

/** Source: "parse a pattern string". */
function parseParts(pattern: string, options: Options, nextGroup: () => string): Part[] {
  const tokens = tokenise(pattern);
  const parts: Part[] = [];
  let at = 0;
  /** Text that no part has yet. */
  let pending = "";

  const take = (type: Token["type"]): Token | undefined => {
    const token = tokens[at]!;
    if (token.type !== type) return undefined;
    at++;
    return token;
  };
  const takeText = (): string => {
    let text = "";
    for (let token; (token = take("char") ?? take("escaped")) !== undefined;) text += token.value;
    return text;
  };
  const takeModifier = (): Modifier => (take("modifier") ?? take("asterisk"))?.value as Modifier ?? "";
  const flush = () => {
    if (pending === "") return;
    parts.push({ type: "text", prefix: pending, source: "", suffix: "", modifier: "" });
    pending = "";
  };
  const takeVariable = (): Pick<Part, "type" | "source"> | undefined => {
    const name = take("name");
    const group = take("group");
    if (group !== undefined) {
      if (group.value === `(${FULL_WILDCARD})`) return { type: "full", source: "(?s:.)*" };
      return { type: "group", source: nextGroup() };
    }
    if (name !== undefined) {
      return { type: "segment", source: options.delimiter === "" ? "(?s:.)+" : `[^${options.delimiter}]+` };
    }
    return take("asterisk") && { type: "full", source: "(?s:.)*" };
  };

  while (take("end") === undefined) {
    const character = take("char");
    const variable = takeVariable();
    if (variable !== undefined) {
      const isPrefix = character !== undefined && character.value === options.prefix;
      if (!isPrefix) pending += character?.value ?? "";
      flush();
      parts.push({
        ...variable,
        prefix: isPrefix ? options.prefix : "",
        suffix: "",
        modifier: takeModifier(),
      });
      continue;
    }
    const text = character ?? take("escaped");
    if (text !== undefined) {
      pending += text.value;
      continue;
    }
    if (take("open") === undefined) throw notValid();
    const prefix = takeText();
    const inner = takeVariable();
    const suffix = takeText();
    if (take("close") === undefined) throw notValid();
    const modifier = takeModifier();
    if (inner === undefined && modifier === "") {
      pending += prefix;
      continue;
    }
    flush();
    if (inner !== undefined) parts.push({ ...inner, prefix, suffix, modifier });
    else if (prefix !== "") parts.push({ type: "text", prefix, source: "", suffix: "", modifier });
  }
  flush();
  return parts;
}

/** Source: "generate a regular expression and name list". Only whether it matches counts, so nothing is lazy. */
function sourceOf({ type, prefix, source, suffix, modifier }: Part): string {
  const [before, after] = [quote(prefix), quote(suffix)];
  if (type === "text") return `(?:${before})${modifier}`;
  if (modifier === "" || modifier === "?") return `(?:${before}${source}${after})${modifier}`;
  if (prefix === "" && suffix === "") return `(?:${source})${modifier}`;
  return `(?:${before}(?:${source})(?:${after}${before}(?:${source}))*${after})${
    modifier === "*" ? "?" : ""
  }`;
}

/**
 * The same parts without modifiers, as one or two alternatives; undefined where that cannot be. One optional part
 * is common, as in `http{s}?` and `/books{/:id}?`.
 */
function expandOptional(parts: readonly Part[]): (readonly Part[])[] | undefined {
  const modified = parts.filter(({ modifier }) => modifier !== "");
  if (modified.length === 0) return [parts];
  if (modified.length > 1 || modified[0]?.modifier !== "?") return undefined;
  return [
    parts.map((part): Part => ({ ...part, modifier: "" })),
    parts.filter(({ modifier }) => modifier === ""),
  ];
}

/**
 * Text and wildcards of which each one ends at a place that one search finds: a segment before its delimiter,
 * and the last wildcard where the text after it begins. No allocation, and no state that grows.
 */
class Glob implements ComponentMatcher {
  readonly size = 0;
  /** The texts before each segment. */
  readonly #texts: readonly string[];
  readonly #last: "none" | "segment" | "full";
  readonly #tail: string;
  readonly #delimiter: string;

  private constructor(
    texts: readonly string[],
    last: "none" | "segment" | "full",
    tail: string,
    delimiter: string,
  ) {
    this.#texts = texts;
    this.#last = last;
    this.#tail = tail;
    this.#delimiter = delimiter;
  }

  /** Returns undefined where some wildcard has more than one place to end. */
  static from(parts: readonly Part[], delimiter: string): Glob | undefined {
    const texts: string[] = [];
    let last: "none" | "segment" | "full" = "none";
    let text = "";
    for (const part of parts) {
      text += part.prefix;
      if (part.type === "text") continue;
      if (part.type === "group") return undefined;
      if (last === "full" || (last === "segment" && (delimiter === "" || !text.startsWith(delimiter)))) {
        return undefined;
      }
      last = part.type;
      texts.push(text);
      text = part.suffix;
    }
    return new Glob(texts, last, text, delimiter);
  }

  test(text: string): boolean {
    if (this.#last === "none") return text === this.#tail;
    const texts = this.#texts;
    const lastIndex = texts.length - 1;
    let at = 0;
    for (let index = 0; index < lastIndex; index++) {
      if (!text.startsWith(texts[index]!, at)) return false;
      at += texts[index]!.length;
      const end = text.indexOf(this.#delimiter, at);
      if (end <= at) return false;
      at = end;
    }
    if (!text.startsWith(texts[lastIndex]!, at)) return false;
    at += texts[lastIndex]!.length;
    const end = text.length - this.#tail.length;
    if (end < at || !text.endsWith(this.#tail)) return false;
    if (this.#last === "full") return true;
    if (end === at) return false;
    if (this.#delimiter === "") return true;
    const delimiter = text.indexOf(this.#delimiter, at);
    return delimiter === -1 || delimiter >= end;
  }
}

function notValid(): InvalidPatternError {
  return new InvalidPatternError("Cannot take the URL pattern: it is not valid");
}
