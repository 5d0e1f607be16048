/**
 * Whether a topic can be an expansion of a URI template, for the 0.x generation of the protocol.
 * Source: RFC 6570, all four levels.
 *
 * A template becomes one expression for all of its expansions: each variable may be undefined, a string, a list or
 * an associative array. A test costs at most (length of the topic) × (size), where the size is bounded by
 * {@link MAX_SIZE}.
 */
import { LinearRegExp, quote } from "./linear_regexp.ts";
import { InvalidPatternError } from "./url_pattern.ts";

/** Most variables in a template, each counted as often as it comes up in the expression. */
const MAX_SIZE = 40;
/** Longest expression of a template. */
const MAX_EXPRESSION_LENGTH = 4096;
/** Largest sum of the lengths in prefix modifiers, `{var:30}`: each character is ten instructions. */
const MAX_PREFIX = 100;

/** A text that is no template at all. */
export class NotATemplateError extends InvalidPatternError {}

export class UriTemplate {
  readonly #expression: LinearRegExp;

  /** @throws {InvalidPatternError} when the template is not valid or too large. */
  constructor(template: string) {
    const { source } = new TemplateReader(template);
    if (source.length > MAX_EXPRESSION_LENGTH) throw tooLarge();
    this.#expression = new LinearRegExp(source);
  }

  /** Characters of the compiled expression. */
  get size(): number {
    return this.#expression.size;
  }

  test(topic: string): boolean {
    return this.#expression.test(topic);
  }
}

/** Source: RFC 6570, appendix A, the table of operators. */
interface Operator {
  readonly first: string;
  readonly separator: string;
  /** Whether the names of the variables are written. */
  readonly named: boolean;
  /** What follows a name without a value. */
  readonly ifEmpty: "" | "=";
  /** Whether reserved characters are written as they are. */
  readonly reserved: boolean;
}

const SIMPLE: Operator = { first: "", separator: ",", named: false, ifEmpty: "", reserved: false };
const OPERATORS: ReadonlyMap<string, Operator> = new Map([
  ["+", { ...SIMPLE, reserved: true }],
  ["#", { ...SIMPLE, first: "#", reserved: true }],
  [".", { ...SIMPLE, first: ".", separator: "." }],
  ["/", { ...SIMPLE, first: "/", separator: "/" }],
  [";", { ...SIMPLE, first: ";", separator: ";", named: true }],
  ["?", { ...SIMPLE, first: "?", separator: "&", named: true, ifEmpty: "=" }],
  ["&", { ...SIMPLE, first: "&", separator: "&", named: true, ifEmpty: "=" }],
]);

const UNRESERVED = "A-Za-z0-9\\-._~";
const RESERVED = ":/?#\\[\\]@!$&'()*+,;=";
const OCTET = "%[0-9A-Fa-f]{2}";
/** One percent-encoded character: prefix modifiers count characters, not octets. */
const ENCODED_CHARACTER = [
  "%[0-7][0-9A-Fa-f]",
  "%[CDcd][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]",
  "%[Ee][0-9A-Fa-f](?:%[89ABab][0-9A-Fa-f]){2}",
  "%[Ff][0-7](?:%[89ABab][0-9A-Fa-f]){3}",
].join("|");

/** Source: RFC 6570, section 2.3. */
const VARIABLE = /^((?:\w|%[\da-f]{2})(?:\.?(?:\w|%[\da-f]{2}))*)(?:(\*)|:([1-9]\d{0,3}))?$/i;
/** Source: RFC 6570, section 2.1, and the apostrophe, which its errata allow. A pair is a percent-encoded octet. */
const LITERALS = /^(?:%[\da-f]{2}|[!#$&'()*+,\-./\w:;=?@[\]~]|[^\p{ASCII}\p{Cc}\p{Cs}])*$/iu;

class TemplateReader {
  readonly source: string;
  #size = 0;
  #prefixes = 0;

  constructor(template: string) {
    let source = "";
    let at = 0;
    while (at < template.length) {
      const open = template.indexOf("{", at);
      source += literal(template.slice(at, open === -1 ? undefined : open));
      if (open === -1) break;
      const close = template.indexOf("}", open);
      if (close === -1) throw notValid();
      source += this.#readExpression(template.slice(open + 1, close));
      at = close + 1;
    }
    this.source = source;
  }

  #readExpression(text: string): string {
    const operator = OPERATORS.get(text[0] ?? "");
    const variables = text.slice(operator === undefined ? 0 : 1).split(",");
    const { first, separator, ...rest } = operator ?? SIMPLE;
    // Bounded before the work: variables without a value make the expression as large as their number squared.
    this.#size += first === separator ? variables.length : (variables.length * (variables.length + 1)) / 2;
    if (this.#size > MAX_SIZE) throw tooLarge();
    const values = variables.map((variable) => this.#readVariable(variable, { first, separator, ...rest }));
    // Undefined variables leave nothing behind, not even the separator.
    const following = values.map((value) => `(?:${quote(separator)}${value})?`);
    if (first === separator) return following.join("");
    const alternatives = values.map((value, index) => value + following.slice(index + 1).join(""));
    return `(?:${quote(first)}(?:${alternatives.join("|")}))?`;
  }

  /** The expression of one variable that has a value. */
  #readVariable(text: string, { separator, named, ifEmpty, reserved }: Operator): string {
    const [, name, explode, prefix] = VARIABLE.exec(text) ?? [];
    if (name === undefined) throw notValid();
    const characters = reserved ? UNRESERVED + RESERVED : UNRESERVED;
    const character = `(?:[${characters}]|${OCTET})`;
    const pair = `${character}*=${character}*`;
    const key = quote(name);
    if (explode !== undefined) {
      // A list repeats the name, an associative array has names of its own.
      const item = named ? `${key}(?:=${character}+|${ifEmpty})` : `${character}*`;
      const member = named ? `(?:${character}+=${character}+|${character}+${ifEmpty})` : pair;
      const repeated = (one: string) => `${one}(?:${quote(separator)}${one})*`;
      return `(?:${repeated(item)}|${repeated(member)})`;
    }
    if (prefix !== undefined) {
      this.#prefixes += Number(prefix);
      if (this.#prefixes > MAX_PREFIX) throw tooLarge();
    }
    // A list is its items with commas between them.
    const single = prefix === undefined ? `(?:${character}|,)` : `(?:[${characters}]|${ENCODED_CHARACTER})`;
    const [some, any] = prefix === undefined ? ["+", "*"] : [`{1,${prefix}}`, `{0,${prefix}}`];
    return named ? `${key}(?:=${single}${some}|${ifEmpty})` : `(?:${single}${any})`;
  }
}

/** Characters that a URI cannot hold are percent-encoded by an expansion; a topic may have them as they are. */
function literal(text: string): string {
  if (!LITERALS.test(text)) throw notValid();
  return quote(text).replace(
    /[^\p{ASCII}]/gu,
    (character) =>
      `(?:${character}|${
        encodeURIComponent(character).replaceAll(/[A-F]/g, (digit) => `[${digit}${digit.toLowerCase()}]`)
      })`,
  );
}

function notValid(): NotATemplateError {
  return new NotATemplateError("Cannot take the URI template: it is not valid");
}

function tooLarge(): InvalidPatternError {
  return new InvalidPatternError(
    "Cannot take the URI template: it has too many variables, or is too long",
  );
}
