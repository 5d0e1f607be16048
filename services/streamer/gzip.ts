/**
 * Chunks that are deflated once for all gzip streams that receive them.
 *
 * A gzip stream is a header, blocks and a trailer (RFC 1952, section 2.3). A block that is compressed on its own
 * refers to nothing before it and ends at a byte (RFC 1951, sections 2 and 3.2), so any stream can take any chunk
 * next, whatever it took before. Only the trailer is the stream's own: a checksum of all that it has carried. Those
 * of the chunks are combined into it, so a stream never looks at their bytes.
 */
import { constants, crc32, deflateRawSync } from "node:zlib";

/** The polynomial of the checksum. Bit 31 stands for x⁰ and bit 0 for x³¹; x³² is left out. RFC 1952, section 8. */
const POLYNOMIAL = 0xEDB88320;
const ONE = 0x80000000;

/** Most bytes of one stored block. RFC 1951, section 3.2.4. */
const MAX_STORED = 0xFFFF;
/** Bytes before what is stored: the type, padded, then the length twice. */
const STORED_HEADER = 5;

/** A piece of a stream, deflated once for all gzip streams that receive it. */
export interface Deflated {
  /** Whole blocks that end at a byte; empty for an empty piece. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many bytes they inflate to. */
  readonly size: number;
  /** The CRC-32 of those, as a signed integer of 32 bits. */
  readonly crc: number;
  /** x to the power of 8 · size, modulo the polynomial: moves the checksum of what came before past this piece. */
  readonly shift: number;
}

/** Deflates a piece on its own: 10 µs and 3 µs per KiB. What does not shrink is stored: 5 bytes more per 64 KiB. */
export function deflate(plain: Uint8Array): Deflated {
  return {
    bytes: blocksOf(plain),
    size: plain.length,
    crc: crc32(plain) | 0,
    shift: shiftBy(plain.length),
  };
}

function blocksOf(plain: Uint8Array): Uint8Array<ArrayBuffer> {
  if (plain.length === 0) return new Uint8Array();
  const storedSize = plain.length + STORED_HEADER * Math.ceil(plain.length / MAX_STORED);
  // The flush ends the block at a byte and without the mark of the last one. A context that is kept would save half
  // of the time of a small piece, but the interface has no synchronous way to use one twice. Level and window are
  // the defaults: a smaller window saves nothing, and level 1 a third of the time for a third more bytes.
  const deflated = deflateRawSync(plain, { finishFlush: constants.Z_SYNC_FLUSH });
  // A copy of the right size: zlib's own array has 16 KiB behind it, for as long as a slow reader makes it wait.
  return deflated.length < storedSize ? new Uint8Array(deflated) : store(plain, storedSize);
}

function store(plain: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (let start = 0; start < plain.length; start += MAX_STORED) {
    const part = plain.subarray(start, start + MAX_STORED);
    view.setUint16(offset + 1, part.length, true);
    view.setUint16(offset + 3, ~part.length, true);
    bytes.set(part, offset + STORED_HEADER);
    offset += STORED_HEADER + part.length;
  }
  return bytes;
}

/** The product of two polynomials over GF(2), modulo that of the checksum. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let power = 0; power < 32; power++) {
    // Without branches, which would be mispredicted half of the time: adds b if a has this power of x …
    product ^= b & (a >> 31);
    a <<= 1;
    // … and multiplies b by x, replacing x³² by what it is congruent to.
    b = (b >>> 1) ^ (POLYNOMIAL & -(b & 1));
  }
  return product;
}

/** x to the powers of 8, 16, 32 …, one for each bit of a size. */
const BYTE_SHIFTS: readonly number[] = powersOfByte();

function powersOfByte(): number[] {
  const powers = [ONE >>> 8];
  while (powers.length < 32) powers.push(multiply(powers.at(-1)!, powers.at(-1)!));
  return powers;
}

/** x to the power of 8 · size. */
function shiftBy(size: number): number {
  return BYTE_SHIFTS.reduce(
    (shift, power, bit) => (size >>> bit) & 1 ? multiply(shift, power) : shift,
    ONE | 0,
  );
}

/**
 * One gzip stream, which remembers nothing but the checksum and the size of what it carried. What its methods return
 * is to be written in the order of the calls, after the header.
 */
export class GzipStream {
  /** No name and no time, of an unknown system. RFC 1952, section 2.3. */
  static readonly HEADER: Uint8Array<ArrayBuffer> = Uint8Array.of(0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255);

  // Both as signed integers of 32 bits: V8 keeps those in the object, and a larger number outside of it.
  #crc = 0;
  #size = 0;

  /** Takes the piece next, and returns its bytes: the same array for every stream. */
  add({ bytes, size, crc, shift }: Deflated): Uint8Array<ArrayBuffer> {
    this.#crc = multiply(this.#crc, shift) ^ crc;
    this.#size = (this.#size + size) | 0;
    return bytes;
  }

  /**
   * The end of the stream: an empty last block and the trailer, without which some clients report an error and not
   * an end. RFC 1951, section 3.2.6; RFC 1952, section 2.3.1.
   */
  end(): Uint8Array<ArrayBuffer> {
    const bytes = Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const view = new DataView(bytes.buffer);
    view.setInt32(2, this.#crc, true);
    view.setInt32(6, this.#size, true);
    return bytes;
  }
}

/** An item of `Accept-Encoding` that is about gzip, or about whatever is not named, with its weight. */
const GZIP_ITEM = /^(?:(gzip|x-gzip)|\*)(?:[ \t]*;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/i;

/**
 * Whether a client with this `Accept-Encoding` can be sent gzip. One that says nothing may not know it, and what is
 * no valid item is none. Source: RFC 9110, sections 8.4.1.3 and 12.5.3.
 */
export function acceptsGzip(header: string | undefined): boolean {
  const items = (header ?? "").split(",").flatMap((item) => {
    const match = GZIP_ITEM.exec(item.trim());
    return match === null ? [] : [{ named: match[1] !== undefined, weight: Number(match[2] ?? 1) }];
  });
  const named = items.filter((item) => item.named);
  const relevant = named.length > 0 ? named : items;
  return relevant.length > 0 && relevant.every(({ weight }) => weight > 0);
}
