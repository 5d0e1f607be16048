/// <reference lib="dom" />
/** A page in a real browser, and what its main thread has to do. */
import type { Browser, CDPSession, Page } from "playwright-core";

/** What the page noted itself: milliseconds each. */
interface Notes {
  /** From one frame to the next. */
  frames: number[];
  longTasks: number[];
  /** From the making of an update to its row on the screen. */
  pixels: number[];
  /** From the begin of the navigation to the first row. */
  firstRow: number | undefined;
}

type Probed = typeof globalThis & { notes: Notes; watchPixels: () => void };

export interface Stretch {
  readonly frameP99: number;
  readonly frameMax: number;
  /** Frames that took more than 50 ms. */
  readonly slowFrames: number;
  readonly longTasks: number;
  /** Part of the time that the main thread had something to do. */
  readonly busy: number;
}

/** Milliseconds of a frame that a person notices. */
const SLOW_FRAME_MS = 50;
/** Milliseconds without a new event after which none is under way. */
const SETTLED_MS = 3000;

export class WatchedPage implements AsyncDisposable {
  readonly page: Page;
  readonly #debugger: CDPSession;

  private constructor(page: Page, session: CDPSession) {
    this.page = page;
    this.#debugger = session;
  }

  /** Opens it in a context of its own and waits for its first row. */
  static async open(browser: Browser, url: string): Promise<WatchedPage> {
    const context = await browser.newContext({ viewport: { width: 1200, height: 800 } });
    const page = await context.newPage();
    await page.addInitScript(probe);
    const session = await context.newCDPSession(page);
    await session.send("Performance.enable");
    await page.goto(url);
    await page.waitForFunction(() => (globalThis as Probed).notes.firstRow !== undefined);
    return new WatchedPage(page, session);
  }

  firstRow(): Promise<number> {
    return this.page.evaluate(() => (globalThis as Probed).notes.firstRow ?? NaN);
  }

  /** What the main thread does while something else goes on. */
  async during(work: () => Promise<unknown>): Promise<Stretch> {
    await this.page.evaluate(() =>
      Object.assign((globalThis as Probed).notes, { frames: [], longTasks: [] })
    );
    const before = await this.#metrics();
    await work();
    const after = await this.#metrics();
    const { frames, longTasks } = await this.page.evaluate(() => (globalThis as Probed).notes);
    const seconds = (name: string) => after.get(name)! - before.get(name)!;
    return {
      frameP99: quantile(frames, 0.99),
      frameMax: Math.max(...frames),
      slowFrames: frames.filter((frame) => frame > SLOW_FRAME_MS).length,
      longTasks: longTasks.length,
      busy: seconds("TaskDuration") / seconds("Timestamp"),
    };
  }

  /** For each update that gets a row meanwhile: milliseconds from its making, by its id, until the row is painted. */
  async pixels(work: () => Promise<unknown>): Promise<number[]> {
    await this.page.evaluate(() => (globalThis as Probed).watchPixels());
    await work();
    return await this.page.evaluate(() => (globalThis as Probed).notes.pixels);
  }

  /** How many events the page says that it got. */
  async total(): Promise<number> {
    return Number((await this.page.textContent("[data-counter=total]"))?.replaceAll(/\D/g, ""));
  }

  /** How many events the page says that it got, once nothing more comes. */
  async settledTotal(): Promise<number> {
    for (let before = NaN;;) {
      const total = await this.total();
      if (total === before) return total;
      before = total;
      await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
    }
  }

  /** Bytes that the page's objects take, after a collection. */
  async heap(): Promise<number> {
    await this.#debugger.send("HeapProfiler.collectGarbage");
    return (await this.#metrics()).get("JSHeapUsedSize")!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
  }

  async #metrics(): Promise<Map<string, number>> {
    const { metrics } = await this.#debugger.send("Performance.getMetrics");
    return new Map(metrics.map(({ name, value }) => [name, value]));
  }
}

export function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? NaN;
}

/** Runs in the page, before its own scripts. */
function probe(): void {
  const notes: Notes = { frames: [], longTasks: [], pixels: [], firstRow: undefined };
  let last: number | undefined;
  const onFrame = (now: number) => {
    if (last !== undefined) notes.frames.push(now - last);
    last = now;
    if (notes.firstRow === undefined && document.querySelector("[data-event-id]") !== null) {
      notes.firstRow = performance.now();
    }
    requestAnimationFrame(onFrame);
  };
  requestAnimationFrame(onFrame);
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) notes.longTasks.push(duration);
  }).observe({ type: "longtask" });

  const seen = new Set<string>();
  /** The first 48 bits of a UUIDv7 are the time of its making. */
  const madeAt = (id: string) => parseInt(id.replace("urn:uuid:", "").replace("-", "").slice(0, 12), 16);
  const noteRows = () => {
    const ids = [...document.querySelectorAll("[data-event-id]")].map((row) =>
      row.getAttribute("data-event-id")!
    ).filter((id) => !seen.has(id));
    for (const id of ids) seen.add(id);
    return ids;
  };
  const watchPixels = () => {
    noteRows();
    new MutationObserver(() => {
      const ids = noteRows();
      // The rows are changed within a frame; what is queued behind it runs when it has been painted.
      const channel = new MessageChannel();
      channel.port1.onmessage = () => {
        for (const id of ids) notes.pixels.push(Date.now() - madeAt(id));
      };
      channel.port2.postMessage(undefined);
    }).observe(document.body, { subtree: true, childList: true, attributeFilter: ["data-event-id"] });
  };
  Object.assign(globalThis, { notes, watchPixels });
}
