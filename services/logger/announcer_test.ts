import assert from "node:assert/strict";
import { mock } from "node:test";
import { Announcer } from "../../static/logger/announcer.js";

const update = { row: "update" } as const;

/** A region that keeps what was written into it, and a time that passes when the test says so. */
class Region implements Disposable {
  readonly said: string[] = [];

  constructor() {
    mock.timers.enable({ apis: ["setTimeout"] });
  }

  set textContent(text: string) {
    this.said.push(text);
  }

  announcer(): Announcer {
    return new Announcer(this as unknown as Element);
  }

  [Symbol.dispose](): void {
    mock.timers.reset();
  }
}

Deno.test("Announcer says one sentence in ten seconds, however much comes, and counts all of it", () => {
  using region = new Region();
  const announcer = region.announcer();
  for (let i = 0; i < 350; i++) {
    announcer.add({ ...update, level: i % 100 === 0 ? "error" : "info", notify: i === 7 });
    mock.timers.tick(100);
  }
  assert.deepEqual(region.said, [
    "100 updates received, 1 alert, 1 error.",
    "100 updates received, 1 error.",
    "100 updates received, 1 error.",
  ]);
  mock.timers.tick(10_000);
  assert.equal(region.said.at(-1), "50 updates received, 1 error.");
});

Deno.test("Announcer is silent while nothing happens", () => {
  using region = new Region();
  const announcer = region.announcer();
  mock.timers.tick(60_000);
  assert.deepEqual(region.said, []);
  announcer.add(update);
  mock.timers.tick(60_000);
  assert.deepEqual(region.said, ["1 update received."]);
});

Deno.test("Announcer tells of missing updates, and of those that someone wants to hear only the newest", () => {
  using region = new Region();
  const announcer = region.announcer();
  announcer.add({ row: "gap" });
  for (const message of ["one", "two", "three", "four"]) announcer.add({ ...update, message }, true);
  announcer.add({ ...update, message: "not asked for" }, false);
  mock.timers.tick(10_000);
  assert.deepEqual(region.said, ["5 updates received. Updates are missing. two three four"]);
  announcer.add({ row: "gap" });
  mock.timers.tick(10_000);
  assert.equal(region.said.at(-1), "Updates are missing.");
});
