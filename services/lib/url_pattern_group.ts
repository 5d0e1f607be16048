/**
 * Custom groups of URL patterns, `(…)`: from the regular expressions of JavaScript (with flag `v`, as the URL
 * Pattern standard wants them) to those of RE2, where both mean the same.
 *
 * The components of a URL hold printable ASCII only: whatever else is written in a URL ends up percent-encoded or
 * as punycode. So every character or class is a set of ASCII characters, and no difference of Unicode tables, of
 * `.` or of `\s` between the two dialects is left.
 */

/** A group that is no valid expression, or one that has no linear-time equivalent. The message says which. */
export class UnsupportedGroupError extends Error {
  override readonly name = "UnsupportedGroupError";
}

export interface GroupExpression {
  /** In RE2 syntax, one atom. */
  readonly source: string;
  /** Characters and assertions once every repetition is written out; the cost per character of a text. */
  readonly size: number;
}

/** Largest size of one expression: seven UUIDs. It bounds `((?:a{100}){100}){100}`, which is short to write. */
export const MAX_GROUP_SIZE = 256;
/** Deepest nesting of `(?:…)`. RE2JS takes 1,000. */
const MAX_DEPTH = 50;

/** Translates what stands between the brackets of a custom group. @throws {UnsupportedGroupError} */
export function translateGroup(body: string): GroupExpression {
  const reader = new GroupReader(body);
  const { source, size } = reader.readAlternatives(0);
  return { source: `(?:${source})`, size };
}

/** A set of ASCII characters: bit n stands for character n. */
type CharacterSet = bigint;

const ALL: CharacterSet = (1n << 128n) - 1n;
const CLASSES: ReadonlyMap<string, CharacterSet> = new Map([
  ["d", range(0x30, 0x39)],
  ["w", range(0x30, 0x39) | range(0x41, 0x5A) | range(0x61, 0x7A) | range(0x5F, 0x5F)],
  ["s", range(0x09, 0x0D) | range(0x20, 0x20)],
]);
const CONTROLS: ReadonlyMap<string, number> = new Map([["t", 9], ["n", 10], ["v", 11], ["f", 12], ["r", 13]]);

/** ECMA-262: SyntaxCharacter and `/`, which are the only ones that a backslash may make literal. */
const SYNTAX_CHARACTERS = "^$\\.*+?()[]{}|/";
/** ECMA-262, flag `v`: ClassSetSyntaxCharacter, which a class must escape. */
const CLASS_SYNTAX_CHARACTERS = "()[]{}/-\\|";
/** ECMA-262, flag `v`: ClassSetReservedPunctuator, which a class may escape. */
const CLASS_RESERVED_PUNCTUATORS = "&-!#%,:;<=>@`~";
/** ECMA-262, flag `v`: ClassSetReservedDoublePunctuator; `&&` is an intersection, the others are kept for later. */
const DOUBLE_PUNCTUATOR = /^([&!#$%*+,.:;<=>?@^`~])\1/;

class GroupReader {
  readonly #body: string;
  #at = 0;

  constructor(body: string) {
    this.#body = body;
  }

  /** Reads up to the closing bracket of this level, or to the end at level 0. */
  readAlternatives(depth: number): GroupExpression {
    if (depth > MAX_DEPTH) throw new UnsupportedGroupError("is nested too deeply");
    let source = "";
    let size = 0;
    while (this.#at < this.#body.length && this.#peek() !== ")") {
      const term = this.#take("|") ? { source: "|", size: 1 } : this.#readTerm(depth);
      source += term.source;
      size += term.size;
      if (size > MAX_GROUP_SIZE) throw tooLarge();
    }
    if (depth === 0 && this.#at < this.#body.length) throw invalid();
    return { source, size: Math.max(size, 1) };
  }

  #readTerm(depth: number): GroupExpression {
    const assertion = /^(?:[$^]|\\[bB])/.exec(this.#body.slice(this.#at, this.#at + 2))?.[0];
    if (assertion !== undefined) {
      this.#at += assertion.length;
      // Without flag `m`, `^` and `$` are the ends of the text in both dialects, and `\b` knows ASCII only.
      return { source: assertion, size: 1 };
    }
    return this.#readQuantifier(this.#readAtom(depth));
  }

  #readAtom(depth: number): GroupExpression {
    if (this.#take("(?:")) {
      const { source, size } = this.readAlternatives(depth + 1);
      if (!this.#take(")")) throw invalid();
      return { source: `(?:${source})`, size };
    }
    if (this.#take("(?")) {
      throw new UnsupportedGroupError("uses lookaround, a named group or flags, which are not supported");
    }
    if (this.#take("[")) return leaf(this.#readClass());
    if (this.#take(".")) return leaf(ALL);
    if (this.#take("\\")) return leaf(this.#readEscape(SYNTAX_CHARACTERS).set);
    const character = this.#next();
    if (SYNTAX_CHARACTERS.includes(character) && character !== "/") throw invalid();
    return leaf(only(character.charCodeAt(0)));
  }

  #readQuantifier(atom: GroupExpression): GroupExpression {
    const quantifier = /^(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??/.exec(this.#body.slice(this.#at));
    if (quantifier === null) return atom;
    this.#at += quantifier[0].length;
    const [text, least, comma, most] = quantifier;
    if (least === undefined) return { source: `${atom.source}${text}`, size: atom.size };
    const min = Number(least);
    const max = comma === undefined ? min : most === "" ? undefined : Number(most);
    if (max !== undefined && max < min) throw invalid();
    const size = atom.size * Math.max(max ?? min + 1, 1);
    // Checked before RE2JS sees it: there the whole expression is written out.
    if (!(size <= MAX_GROUP_SIZE)) throw tooLarge();
    return {
      source: `${atom.source}{${min}${max === undefined ? "," : max === min ? "" : `,${max}`}}`,
      size,
    };
  }

  #readClass(): CharacterSet {
    const negated = this.#take("^");
    let set = 0n;
    while (!this.#take("]")) {
      const first = this.#readClassMember();
      if (this.#peek() === "-" && this.#body[this.#at + 1] !== "-") {
        this.#at++;
        const last = this.#readClassMember();
        if (first.code === undefined || last.code === undefined || first.code > last.code) throw invalid();
        set |= range(first.code, last.code);
      } else {
        set |= first.set;
      }
    }
    return negated ? ALL & ~set : set;
  }

  #readClassMember(): Member {
    if (this.#take("\\")) {
      if (this.#take("b")) return member(0x08);
      return this.#readEscape(SYNTAX_CHARACTERS + CLASS_RESERVED_PUNCTUATORS);
    }
    const rest = this.#body.slice(this.#at, this.#at + 2);
    if (rest[0] === "[" || DOUBLE_PUNCTUATOR.test(rest) || rest === "--") {
      throw new UnsupportedGroupError(
        "uses a class inside a class, a set operation or a doubled mark, none supported",
      );
    }
    const character = this.#next();
    if (CLASS_SYNTAX_CHARACTERS.includes(character)) throw invalid();
    return member(character.charCodeAt(0));
  }

  /** Reads what follows a backslash, which makes the given characters literal. */
  #readEscape(literals: string): Member {
    const character = this.#next();
    if (literals.includes(character)) return member(character.charCodeAt(0));
    const set = CLASSES.get(character.toLowerCase());
    if (set !== undefined) return { code: undefined, set: CLASSES.has(character) ? set : ALL & ~set };
    const control = CONTROLS.get(character);
    if (control !== undefined) return member(control);
    const code = /^(?:x([\da-f]{2})|u([\da-f]{4})|u\{([\da-f]{1,8})\}|(0)(?!\d))/i
      .exec(this.#body.slice(this.#at - 1));
    const digits = code?.[1] ?? code?.[2] ?? code?.[3] ?? code?.[4];
    if (code === null || digits === undefined || /[XU]/.test(character)) {
      throw new UnsupportedGroupError("uses an escape that is not supported");
    }
    this.#at += code[0].length - 1;
    const value = Number.parseInt(digits, 16);
    // Two of them in a row would be one character, or two, depending on how they are written.
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
      throw new UnsupportedGroupError("names a character that does not exist or half of one");
    }
    return member(value);
  }

  #peek(): string | undefined {
    return this.#body[this.#at];
  }

  #next(): string {
    const character = this.#body[this.#at];
    if (character === undefined) throw invalid();
    this.#at++;
    return character;
  }

  #take(text: string): boolean {
    if (!this.#body.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }
}

/** A member of a class; without a code where it stands for several characters and cannot begin a range. */
interface Member {
  readonly code: number | undefined;
  readonly set: CharacterSet;
}

function member(code: number): Member {
  return { code, set: only(code) };
}

/** Empty beyond ASCII: no component of a URL has such a character. */
function only(code: number): CharacterSet {
  return range(code, code);
}

function range(first: number, last: number): CharacterSet {
  if (first > 127) return 0n;
  return ((1n << BigInt(Math.min(last, 127) + 1)) - 1n) & ~((1n << BigInt(first)) - 1n);
}

function leaf(set: CharacterSet): GroupExpression {
  if (set === ALL) return { source: "(?s:.)", size: 1 };
  let ranges = "";
  for (let code = 0; code < 128; code++) {
    if (!has(set, code)) continue;
    const first = code;
    while (code < 127 && has(set, code + 1)) code++;
    ranges += `${hex(first)}-${hex(code)}`;
  }
  return { source: ranges === "" ? "[^\\x00-\\x{10FFFF}]" : `[${ranges}]`, size: 1 };
}

function has(set: CharacterSet, code: number): boolean {
  return ((set >> BigInt(code)) & 1n) === 1n;
}

function hex(code: number): string {
  return `\\x${code.toString(16).padStart(2, "0")}`;
}

function invalid(): UnsupportedGroupError {
  return new UnsupportedGroupError("is no valid regular expression");
}

function tooLarge(): UnsupportedGroupError {
  return new UnsupportedGroupError(`is too large: written out it has more than ${MAX_GROUP_SIZE} characters`);
}
