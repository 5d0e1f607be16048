/** The body of an answer as it comes in, however the reads cut it. Source: RFC 9112, section 7.1. */

type State = "identity" | "size" | "extension" | "data" | "end of data";

const LF = 10;
const SEMICOLON = 59;

/** Takes the framing off one body. Counts its bytes; passes them on only where somebody looks at them. */
export class Body {
  /** Bytes so far, without framing. */
  bytes = 0;
  readonly #take: ((chunk: Uint8Array<ArrayBuffer>) => void) | undefined;
  #state: State;
  /** Bytes of this chunk that are still to come, or its size as far as it was read. */
  #left = 0;

  constructor(chunked: boolean, take?: (chunk: Uint8Array<ArrayBuffer>) => void) {
    this.#state = chunked ? "size" : "identity";
    this.#take = take;
  }

  feed(buffer: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    if (this.#state === "identity") {
      this.bytes += end - start;
      this.#take?.(buffer.subarray(start, end));
      return;
    }
    let at = start;
    while (at < end) {
      if (this.#state === "data") {
        const next = Math.min(end, at + this.#left);
        this.bytes += next - at;
        this.#left -= next - at;
        this.#take?.(buffer.subarray(at, next));
        at = next;
        if (this.#left === 0) this.#state = "end of data";
      } else {
        this.#feedFraming(buffer[at++]!);
      }
    }
  }

  #feedFraming(byte: number): void {
    if (byte === LF) {
      this.#state = this.#state === "end of data" || this.#left === 0 ? "size" : "data";
    } else if (byte === SEMICOLON && this.#state === "size") {
      this.#state = "extension";
    } else if (this.#state === "size") {
      const digit = hexDigit(byte);
      if (digit >= 0) this.#left = this.#left * 16 + digit;
    }
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 0x20;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
