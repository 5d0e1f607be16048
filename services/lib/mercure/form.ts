/**
 * Reads `application/x-www-form-urlencoded`, bodies and query components alike, without hiding what is wrong in
 * them: `URLSearchParams` turns bytes that are no UTF-8 into U+FFFD, and a topic must not change on its way in.
 * Source: WHATWG URL, section 5.1 "application/x-www-form-urlencoded parsing".
 */
import { ProblemError } from "../http.ts";

export const FORM_TYPE = "application/x-www-form-urlencoded";

export interface FormField {
  /** Decoded. What is not UTF-8 in it is U+FFFD: no name that anybody looks for has that. */
  readonly name: string;
  /** Decoded, or undefined when it is not UTF-8. */
  readonly value: string | undefined;
}

const encoder = new TextEncoder();
// A byte order mark is a character like any other here, and is judged with them.
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const PLUS = 0x2b;
const PERCENT = 0x25;
const SPACE = 0x20;

/** The fields in their order. Nothing is malformed: what has no `=` is a name with an empty value. */
export function parseForm(bytes: Uint8Array): FormField[] {
  const fields: FormField[] = [];
  for (let start = 0; start <= bytes.length;) {
    const found = bytes.indexOf(AMPERSAND, start);
    const end = found === -1 ? bytes.length : found;
    if (end > start) fields.push(parseField(bytes.subarray(start, end)));
    start = end + 1;
  }
  return fields;
}

/** The fields of a URL's query component. */
export function parseQuery(url: string): FormField[] {
  const [withoutFragment = ""] = url.split("#", 1);
  const mark = withoutFragment.indexOf("?");
  return mark === -1 ? [] : parseForm(encoder.encode(withoutFragment.slice(mark + 1)));
}

function parseField(bytes: Uint8Array): FormField {
  const equals = bytes.indexOf(EQUALS);
  const name = lenient.decode(percentDecode(equals === -1 ? bytes : bytes.subarray(0, equals)));
  if (equals === -1) return { name, value: "" };
  return { name, value: decodeStrictly(percentDecode(bytes.subarray(equals + 1))) };
}

function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Bytes with `+` as a space and `%XX` as a byte; a `%` that no two digits follow stands for itself. */
function percentDecode(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(PERCENT) && !bytes.includes(PLUS)) return bytes;
  const decoded = new Uint8Array(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    const high = byte === PERCENT ? hexDigit(bytes[i + 1]) : -1;
    const low = high === -1 ? -1 : hexDigit(bytes[i + 2]);
    if (low === -1) {
      decoded[length++] = byte === PLUS ? SPACE : byte;
    } else {
      decoded[length++] = high * 16 + low;
      i += 2;
    }
  }
  return decoded.subarray(0, length);
}

/** The value of an ASCII hex digit, or -1. */
function hexDigit(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

/** A media type. Source: RFC 9110, section 8.3.1. */
const MEDIA_TYPE = /^[\w!#$%&'*+\-.^`|~]+\/[\w!#$%&'*+\-.^`|~]+$/;

/**
 * @param contentType of the request.
 * @throws {ProblemError} when it is not that of a form.
 */
export function requireForm(contentType: string | undefined): void {
  const type = contentType?.split(";", 1)[0]?.trim() ?? "";
  if (type.toLowerCase() === FORM_TYPE) return;
  throw new ProblemError(MEDIA_TYPE.test(type) ? 415 : 400, `The Content-Type must be ${FORM_TYPE}`);
}
