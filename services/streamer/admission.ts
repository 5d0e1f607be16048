/** Who may open one more stream: bounds on streams in all, per client, and on the subscriptions of one token. */

/** Each is a number of its own; 0 stands for no bound. */
export interface AdmissionLimits {
  readonly maxStreams: number;
  readonly maxStreamsPerClient: number;
  readonly maxSubscriptionsPerToken: number;
}

export interface Candidate {
  /** The address that the request came from. */
  readonly client: string;
  /** Names the token, when there is one. */
  readonly tokenId?: string | undefined;
  readonly subscriptions: number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  #streams = 0;
  readonly #streamsOf = new Map<string, number>();
  readonly #subscriptionsOf = new Map<string, number>();

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Counts a stream; returns what takes it out of the count again, or undefined when it would be one too many. */
  admit({ client, tokenId, subscriptions }: Candidate): (() => void) | undefined {
    const { maxStreams, maxStreamsPerClient, maxSubscriptionsPerToken } = this.#limits;
    const exceeds = (limit: number, count: number) => limit > 0 && count > limit;
    if (
      exceeds(maxStreams, this.#streams + 1) ||
      exceeds(maxStreamsPerClient, (this.#streamsOf.get(client) ?? 0) + 1) ||
      tokenId !== undefined &&
        exceeds(maxSubscriptionsPerToken, (this.#subscriptionsOf.get(tokenId) ?? 0) + subscriptions)
    ) return undefined;
    const count = (by: 1 | -1) => {
      this.#streams += by;
      add(this.#streamsOf, client, by);
      if (tokenId !== undefined) add(this.#subscriptionsOf, tokenId, by * subscriptions);
    };
    count(1);
    return () => count(-1);
  }
}

/** Adds to a count, and forgets one that comes to nothing. */
function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
