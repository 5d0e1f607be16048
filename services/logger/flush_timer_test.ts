import assert from "node:assert/strict";
import { mock } from "node:test";
import { FlushTimer } from "../../static/logger/flush_timer.js";

/** What a browser has and Deno has not, with a time that passes when the test says so. */
class FakeWindow implements Disposable {
  readonly #frames = new Map<number, FrameRequestCallback>();
  readonly #now;
  #nextFrame = 1;
  /** A hidden tab gets no frames. */
  isHidden = false;

  constructor() {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 0 });
    this.#now = mock.method(performance, "now", () => Date.now());
    Object.assign(globalThis, {
      requestAnimationFrame: (callback: FrameRequestCallback) => {
        this.#frames.set(this.#nextFrame, callback);
        return this.#nextFrame++;
      },
      cancelAnimationFrame: (frame: number) => this.#frames.delete(frame),
    });
  }

  /** Lets time pass; a visible tab gets a frame every millisecond. */
  pass(ms: number): void {
    for (let i = 0; i < ms; i++) {
      mock.timers.tick(1);
      if (this.isHidden) continue;
      const callbacks = [...this.#frames.values()];
      this.#frames.clear();
      for (const callback of callbacks) callback(Date.now());
    }
  }

  [Symbol.dispose](): void {
    for (const name of ["requestAnimationFrame", "cancelAnimationFrame"]) {
      Reflect.deleteProperty(globalThis, name);
    }
    this.#now.mock.restore();
    mock.timers.reset();
  }
}

Deno.test("FlushTimer draws once for any number of requests", () => {
  using browser = new FakeWindow();
  const flush = mock.fn();
  const timer = new FlushTimer(flush);
  for (let i = 0; i < 1_000; i++) timer.request();
  assert.equal(flush.mock.callCount(), 0);
  browser.pass(1_000);
  assert.equal(flush.mock.callCount(), 1);
});

Deno.test("FlushTimer draws the first request at once, and nothing without one", () => {
  using browser = new FakeWindow();
  const flush = mock.fn();
  const timer = new FlushTimer(flush);
  browser.pass(1_000);
  assert.equal(flush.mock.callCount(), 0);
  timer.request();
  browser.pass(2);
  assert.equal(flush.mock.callCount(), 1);
});

Deno.test("FlushTimer draws at most ten times a second, however many requests come", () => {
  using browser = new FakeWindow();
  const drawnAt: number[] = [];
  const timer = new FlushTimer(() => drawnAt.push(Date.now()));
  for (let i = 0; i < 1_000; i++) {
    timer.request();
    browser.pass(1);
  }
  assert.equal(drawnAt.length, 10);
  for (const [i, time] of drawnAt.slice(1).entries()) assert.ok(time - drawnAt[i]! >= 100);
});

Deno.test("FlushTimer draws in a hidden tab too, which gets no frames, and only once when frames come back", () => {
  using browser = new FakeWindow();
  browser.isHidden = true;
  const flush = mock.fn();
  const timer = new FlushTimer(flush);
  timer.request();
  browser.pass(300);
  assert.equal(flush.mock.callCount(), 1);
  browser.isHidden = false;
  browser.pass(1_000);
  assert.equal(flush.mock.callCount(), 1);
});

Deno.test("FlushTimer draws again for a request that comes while it draws", () => {
  using browser = new FakeWindow();
  let drawings = 0;
  const timer: FlushTimer = new FlushTimer(() => {
    drawings++;
    if (drawings < 3) timer.request();
  });
  timer.request();
  browser.pass(1_000);
  assert.equal(drawings, 3);
});

Deno.test("FlushTimer goes on after a drawing that fails", () => {
  using browser = new FakeWindow();
  let drawings = 0;
  const timer = new FlushTimer(() => {
    drawings++;
    if (drawings === 1) throw new Error("no");
  });
  timer.request();
  assert.throws(() => browser.pass(1_000), /no/);
  timer.request();
  browser.pass(1_000);
  assert.equal(drawings, 2);
});
