/**
 * Chaos, and the proof that nobody noticed: publishers and readers go on while services are killed, frozen and
 * restarted and connections cut. In the end every acknowledged update is stored once, and every reader has seen
 * the whole history, each update once and in its order.
 */
import { ZeromqChannel } from "../lib/channels/zeromq.ts";
import { pause } from "../lib/shutdown.ts";
import { differences, repeated } from "./compare.ts";
import { bringFaults } from "./faults.ts";
import { type Fleet, startFleet } from "./fleet.ts";
import { Ids } from "./ids.ts";
import { Publishers } from "./publishers.ts";
import { Random } from "./random.ts";
import { Reader } from "./reader.ts";

export interface ChaosOptions {
  readonly seed: number;
  /** How long things go wrong. */
  readonly seconds: number;
  /** Reports per second. */
  readonly rate: number;
  readonly subscribers: number;
  /** Ends everything before its time. */
  readonly signal: AbortSignal;
}

export interface ChaosResult {
  /** What is wrong; nothing, if all is well. */
  readonly problems: readonly string[];
  /** What happened, in numbers. */
  readonly summary: string;
  /** The faults with the time of each. */
  readonly timeline: readonly string[];
}

/** Milliseconds after which what does not go on is taken for stuck. Far more than a busy machine needs. */
const STUCK_MS = 30_000;
/** Milliseconds in which publishers may come to an end once all is up again. */
const GIVE_UP_MS = 60_000;
const LOOK_MS = 50;
const PAGE = 1000;

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const folder = await Deno.makeTempDir({ prefix: "chaos-" });
  try {
    return await new Chaos(options).run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

class Chaos {
  readonly #options: ChaosOptions;
  readonly #random: Random;
  readonly #ids = new Ids();
  readonly #problems: string[] = [];
  readonly #timeline: string[] = [];
  readonly #started = performance.now();

  constructor(options: ChaosOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  async run(folder: string): Promise<ChaosResult> {
    const { signal } = this.#options;
    const left = new AbortController();
    const complain = (what: string) => {
      // What is cut short, from a terminal for one, takes the services with it.
      if (!signal.aborted) this.#problems.push(`${this.#clock()} ${what}`);
    };
    let readers: Reader[] = [];
    try {
      await using fleet = await startFleet(folder, complain);
      await fleet.ready();
      readers = this.#open(fleet, left.signal);
      const publishers = await this.#trouble(fleet, readers, complain);
      const history = await this.#settle(fleet, readers, publishers);
      signal.throwIfAborted();
      this.#compare(history, readers, publishers);
      return {
        problems: this.#problems,
        summary: this.#summarize(history, readers, publishers),
        timeline: this.#timeline,
      };
    } finally {
      left.abort();
      await Promise.all(readers.map(({ done }) => done));
    }
  }

  /** All from the empty beginning, so that each of them owes the whole history. */
  #open({ streamers }: Fleet, signal: AbortSignal): Reader[] {
    const urls = streamers.map((url) => `${url}events`);
    return Array.from(
      { length: this.#options.subscribers },
      (_, number) =>
        new Reader({ urls, ids: this.#ids, random: this.#random.fork(`reader ${number}`), signal }),
    );
  }

  /** Publishes while things go wrong; when it is over, all is up again and every report is settled. */
  async #trouble(
    fleet: Fleet,
    readers: readonly Reader[],
    complain: (what: string) => void,
  ): Promise<Publishers> {
    const { seed, seconds, rate, signal } = this.#options;
    const ended = new AbortController();
    const givenUp = new AbortController();
    const publishers = new Publishers({
      url: fleet.broadcaster,
      rate,
      keys: `chaos-${seed}`,
      random: this.#random.fork("publishers"),
      ended: ended.signal,
      givenUp: givenUp.signal,
      complain,
    });
    const endFaults = new AbortController();
    const faults = bringFaults({
      services: fleet.services,
      relays: fleet.relays,
      readers,
      random: this.#random.fork("faults"),
      signal: endFaults.signal,
      note: (fault) => this.#timeline.push(`${this.#clock()} ${fault}`),
    });
    try {
      await Promise.race([pause(seconds * 1000, signal), faults]);
      endFaults.abort();
      await faults;
      await fleet.ready();
    } finally {
      endFaults.abort();
      ended.abort();
      if (signal.aborted) givenUp.abort();
      const timer = setTimeout(() => givenUp.abort(), GIVE_UP_MS);
      await publishers.done;
      clearTimeout(timer);
    }
    return publishers;
  }

  /** Waits until every reader is at the end of the history, or stuck; resolves with the history. */
  async #settle(fleet: Fleet, readers: readonly Reader[], publishers: Publishers): Promise<number[]> {
    const { routerPort, xpubPort } = fleet;
    await using channel = new ZeromqChannel({ host: "127.0.0.1", routerPort, xpubPort });
    await this.#caughtUp(channel, readers);
    // One more, when all have seen all: what would come late or twice comes before it.
    const response = await fetch(`${fleet.broadcaster}event/pill:red`, { method: "POST" });
    await response.body?.cancel();
    if (response.status === 201) publishers.acknowledged++;
    else this.#problems.push(`A report in peace was answered with ${response.status}`);
    return await this.#caughtUp(channel, readers);
  }

  async #caughtUp(channel: ZeromqChannel, readers: readonly Reader[]): Promise<number[]> {
    const history = await this.#history(channel);
    const last = history.at(-1);
    const progress = () => readers.reduce((sum, { seen }) => sum + seen.length, 0);
    let before = progress();
    let since = performance.now();
    while (readers.some(({ seen }) => seen.at(-1) !== last)) {
      await pause(LOOK_MS, this.#options.signal);
      const now = progress();
      if (now !== before) since = performance.now();
      before = now;
      if (this.#options.signal.aborted || performance.now() - since > STUCK_MS) break;
    }
    return history;
  }

  async #history(channel: ZeromqChannel): Promise<number[]> {
    const ids: number[] = [];
    let page = await channel.history("earliest", { limit: PAGE });
    while (page.length > 0) {
      ids.push(...page.map(({ update }) => this.#ids.numberOf(update.id)));
      page = await channel.history(page.at(-1)!.cursor, { limit: PAGE });
    }
    return ids;
  }

  #compare(history: readonly number[], readers: readonly Reader[], publishers: Publishers): void {
    const { acknowledged, unknown } = publishers;
    const nameOf = (id: number) => this.#ids.nameOf(id);
    const twice = repeated(history);
    if (twice.length > 0) this.#problems.push(`Stored twice: ${twice.slice(0, 5).map(nameOf).join(", ")}`);
    const stored = history.length - twice.length;
    if (stored < acknowledged) {
      this.#problems.push(
        `${acknowledged - stored} acknowledged reports are not stored (${stored} of ${acknowledged})`,
      );
    } else if (stored > acknowledged + unknown) {
      this.#problems.push(
        `${stored} updates are stored for ${acknowledged} acknowledged and ${unknown} unknown reports`,
      );
    }
    for (const [number, reader] of readers.entries()) {
      const cameBy = (index: number) => reader.cameBy(index);
      for (const line of differences({ history, seen: reader.seen, nameOf, cameBy })) {
        this.#problems.push(`Reader ${number}: ${line}`);
      }
    }
  }

  #summarize(history: readonly number[], readers: readonly Reader[], publishers: Publishers): string {
    const { acknowledged, unknown, attempts } = publishers;
    const connections = readers.reduce((sum, reader) => sum + reader.connections, 0);
    return `${acknowledged} reports acknowledged, ${unknown} unknown, in ${attempts} attempts; ` +
      `${history.length} updates stored; ${readers.length} readers with ${connections} connections; ` +
      `${this.#timeline.filter((line) => !line.endsWith(": up")).length} faults`;
  }

  #clock(): string {
    return `+${((performance.now() - this.#started) / 1000).toFixed(3)} s`;
  }
}
