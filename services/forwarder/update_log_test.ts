import assert from "node:assert/strict";
import { HistoryLostError } from "../lib/channel.ts";
import { numberedUpdate } from "../lib/testing/fixtures.ts";
import { type Bounds, NO_BOUNDS } from "./retention.ts";
import { type AppendRequest, UpdateLog } from "./update_log.ts";

function memoryLog(bounds: Partial<Bounds> = {}): UpdateLog {
  return new UpdateLog({ path: ":memory:", bounds: { ...NO_BOUNDS, ...bounds } });
}

function requests(...numbers: number[]): AppendRequest[] {
  return numbers.map((number) => ({ update: numberedUpdate(number) }));
}

function numbersIn(page: readonly { json: string }[]): number[] {
  return page.map(({ json }) => Number(JSON.parse(json).id.split(":")[2]));
}

Deno.test("UpdateLog.append() numbers updates from 1 on, without holes", () => {
  using log = memoryLog();
  assert.equal(log.end.number, 0);
  const stored = [...log.append(requests(7, 8)), ...log.append(requests(9))];
  assert.deepEqual(
    stored.map(({ position }) => position),
    [1, 2, 3].map((number) => ({ epoch: log.epoch, number })),
  );
  assert.deepEqual(stored.map(({ topic }) => topic), ["/test/7", "/test/8", "/test/9"]);
  assert.equal(log.end.number, 3);
});

Deno.test("UpdateLog.append() stores one update per request key, within a batch and between batches", () => {
  using log = memoryLog();
  const twice = { update: numberedUpdate(1), requestKey: "k" };
  const [first, second] = log.append([twice, { update: numberedUpdate(2), requestKey: "k" }]);
  const [third] = log.append([{ update: numberedUpdate(3), requestKey: "k" }]);
  assert.deepEqual([first?.known, second?.known, third?.known], [false, true, true]);
  for (const repeated of [second, third]) {
    assert.deepEqual(repeated?.position, first?.position);
    assert.equal(repeated?.json, first?.json);
  }
  assert.deepEqual(numbersIn(log.read("earliest", 10)), [1]);
});

Deno.test("UpdateLog.append() stores nothing of a batch that fails, and its numbers are not used up", () => {
  using log = memoryLog();
  log.append(requests(1));
  const broken = { ...numberedUpdate(3), id: null as unknown as string };
  assert.throws(() => log.append([...requests(2), { update: broken }]));
  assert.equal(log.end.number, 1);
  log.append(requests(4));
  assert.deepEqual(numbersIn(log.read("earliest", 10)), [1, 4]);
  assert.equal(log.end.number, 2);
});

Deno.test("UpdateLog.read() pages by count and by size", () => {
  using log = memoryLog();
  log.append(requests(1, 2, 3));
  const [first] = log.read("earliest", 1);
  assert.deepEqual(numbersIn(log.read(first!.position, 1)), [2]);
  log.append(
    [10, 11, 12].map((number) => ({ update: numberedUpdate(number, { data: "x".repeat(150_000) }) })),
  );
  assert.deepEqual(numbersIn(log.read("earliest", 100)), [1, 2, 3, 10, 11]);
});

Deno.test("UpdateLog.read() says when history is lost: too old, another log, from the future", () => {
  using log = memoryLog({ updates: 2 });
  log.append(requests(1, 2, 3, 4));
  const { epoch } = log;
  assert.throws(() => log.read({ epoch, number: 1 }, 10), HistoryLostError);
  assert.throws(() => log.read({ epoch, number: 5 }, 10), HistoryLostError);
  assert.throws(() => log.read({ epoch: "0000000000000000", number: 3 }, 10), HistoryLostError);
  assert.deepEqual(numbersIn(log.read({ epoch, number: 2 }, 10)), [3, 4]);
  assert.deepEqual(log.read({ epoch, number: 4 }, 10), []);
});

Deno.test("UpdateLog.locate() finds the first kept update of an id", () => {
  using log = memoryLog({ updates: 2 });
  log.append(requests(1, 2, 1));
  assert.equal(log.locate("urn:test:1")?.number, 3);
  assert.equal(log.locate("urn:test:2")?.number, 2);
  assert.equal(log.locate("urn:test:3"), undefined);
});
