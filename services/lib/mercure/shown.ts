/** Words of strangers in a log or on a terminal: short, and without what either would act upon. */

/** In UTF-16 code units. */
const MAX_SHOWN = 200;

/** A value of a token, as JSON. */
export function shown(value: unknown): string {
  return clipped(JSON.stringify(value) ?? "missing");
}

export function clipped(text: string): string {
  const short = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
  return withoutControls(short);
}

/** Shows what a terminal or a log would act upon, or not show at all. */
export function withoutControls(text: string, keep = ""): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) => {
    return keep.includes(character) ? character : `\\u{${character.codePointAt(0)?.toString(16)}}`;
  });
}
