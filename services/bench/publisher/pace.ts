/** When updates are published: at a rate that does not drift, whatever the timers do. */
import type { Published, PublisherOptions } from "./protocol.ts";
import { messageOf } from "../../lib/log.ts";
import type { Publish } from "./targets.ts";

/** Updates that may wait for their acknowledgement; a server that takes longer slows the publisher down. */
const IN_FLIGHT = 4000;
const MS = 1000;
const TEXT = "A trade like any other one. ";

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #publish: Publish;
  #sent = 0;
  #acknowledged = 0;
  #failed = 0;
  #firstId: string | null = null;
  #error: string | null = null;
  #isOver = false;
  #run: Promise<void> = Promise.resolve();

  constructor(options: PublisherOptions, publish: Publish) {
    this.#options = options;
    this.#publish = publish;
  }

  /** Resolves once all is acknowledged. */
  run(): Promise<void> {
    this.#run = this.#pace();
    return this.#run;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#run;
  }

  published(): Published {
    return {
      at: performance.timeOrigin + performance.now(),
      sent: this.#sent,
      acknowledged: this.#acknowledged,
      failed: this.#failed,
      error: this.#error,
      firstId: this.#firstId,
    };
  }

  async #pace(): Promise<void> {
    const { rate, burst, count } = this.#options;
    const start = performance.now();
    // What could not go out in time for lack of acknowledgements is not made up for later.
    let skipped = 0;
    const pending = new Set<Promise<void>>();
    while (!this.#isOver && (count === 0 || this.#sent < count)) {
      const bursts = Math.floor((performance.now() - start) / MS * rate / burst);
      const due = bursts * burst - skipped - this.#sent;
      for (let left = count === 0 ? due : Math.min(due, count - this.#sent); left > 0; left--) {
        if (pending.size >= IN_FLIGHT) {
          skipped += left;
          break;
        }
        const one: Promise<void> = this.#send().finally(() => pending.delete(one));
        pending.add(one);
      }
      const next = (bursts + 1) * burst / rate * MS + start;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())));
    }
    await Promise.all(pending);
  }

  async #send(): Promise<void> {
    this.#sent++;
    const { topic, topics } = this.#options;
    try {
      const id = await this.#publish(
        topic.replace("{n}", `${Math.floor(Math.random() * topics)}`),
        this.#data(),
      );
      this.#acknowledged++;
      this.#firstId ??= id ?? null;
    } catch (error) {
      this.#failed++;
      this.#error ??= messageOf(error);
    }
  }

  /** The moment first, as the load looks for it; one figure that changes, and text that does not, up to the length. */
  #data(): string {
    const at = (performance.timeOrigin + performance.now()).toFixed(3);
    const price = (100 + 900 * Math.random()).toFixed(2);
    const start = `{"t":${at},"price":${price},"text":"`;
    return `${start.padEnd(this.#options.dataLength - 2, TEXT)}"}`;
  }
}
