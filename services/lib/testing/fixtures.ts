/** Updates for tests and benchmarks: numbered ones, and arbitrary ones that reach into every corner; and text that no door lets in. */
import * as fc from "fast-check";
import { InvalidUpdateError, parseUpdate, type Update } from "../update.ts";

/** A public update whose id, topic and data tell its number. */
export function numberedUpdate(number: number, overrides: Partial<Update> = {}): Update {
  return {
    id: `urn:test:${number}`,
    topics: [`/test/${number}`],
    type: "test",
    data: JSON.stringify({ number }),
    private: false,
    ...overrides,
  };
}

/** Text that likes to break things: line ends, colons, spaces at the ends, NUL, emoji, right-to-left. */
export const trickyText: fc.Arbitrary<string> = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      "\n",
      "\r",
      "\r\n",
      ":",
      " ",
      "\0",
      "\uFEFF",
      "é",
      "日",
      "🐇",
      "א",
      "data",
      "id",
      "event",
    ),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  ),
});

/** Characters that no name may hold: C0, DEL, C1, and `Cf` from bidirectional marks to tags. */
export const FORBIDDEN_CHARACTERS = [
  "\0",
  "\n",
  "\r",
  "\t",
  "\x1F",
  "\x7F",
  "\x85",
  "\xAD",
  "\u200B",
  "\u202E",
  "\uFEFF",
  "\u{E0001}",
];

/** Percent-encoded bytes that are no UTF-8: never valid, cut off, too long, a surrogate, beyond U+10FFFF. */
export const BAD_UTF8 = ["%FF", "%C3", "%E2%82", "%C0%AF", "%ED%A0%80", "%F4%90%80%80", "a%80b"];

/** Any update that the door lets in. */
export const anyUpdate: fc.Arbitrary<Update> = fc.record({
  id: trickyText,
  topics: fc.array(trickyText, { minLength: 1, maxLength: 3 }),
  data: trickyText,
  type: trickyText,
  private: fc.boolean(),
  retry: fc.nat(),
}, { requiredKeys: ["id", "topics", "data"] })
  // What the door forbids is taken out of the names, so that most candidates pass it.
  .map((candidate) => ({
    ...candidate,
    id: asName(candidate.id),
    topics: candidate.topics.map(asName),
    ...("type" in candidate && { type: asName(candidate.type ?? "") }),
  }))
  .filter(isUpdate)
  .map(parseUpdate);

function asName(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, "") || "x";
}

function isUpdate(value: unknown): boolean {
  try {
    parseUpdate(value);
    return true;
  } catch (error) {
    if (error instanceof InvalidUpdateError) return false;
    throw error;
  }
}
