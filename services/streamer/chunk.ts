/** What is written to streams: one object for all that receive it. */
import { deflate, type Deflated } from "./gzip.ts";

/** A chunk of a stream in both forms. The deflated one is made when it is first asked for. */
export class Chunk {
  readonly plain: Uint8Array;
  #deflated: Deflated | undefined;

  constructor(plain: Uint8Array) {
    this.plain = plain;
  }

  get deflated(): Deflated {
    return this.#deflated ??= deflate(this.plain);
  }
}
