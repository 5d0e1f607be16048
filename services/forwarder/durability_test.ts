/** What the forwarder owes after a kill, a torn write, a full disk: real processes and real files. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { ChannelUnavailableError, type Entry } from "../lib/channel.ts";
import { ZeromqChannel } from "../lib/channels/zeromq.ts";
import { eventually, within } from "../lib/testing/deadline.ts";
import { numberedUpdate } from "../lib/testing/fixtures.ts";
import {
  type ForwarderPorts,
  type ForwarderProcess,
  startForwarder,
  startService,
  startUnreadyForwarder,
} from "../lib/testing/processes.ts";
import { NO_BOUNDS } from "./retention.ts";
import { UpdateLog } from "./update_log.ts";

/** A folder for one test. */
async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "updates-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function connect({ ROUTER_PORT, XPUB_PORT }: ForwarderPorts): ZeromqChannel {
  return new ZeromqChannel({
    host: "127.0.0.1",
    routerPort: Number(ROUTER_PORT),
    xpubPort: Number(XPUB_PORT),
    // A restart may fall into any publish here, and each is to outlast it.
    publishTimeoutMs: 20_000,
  });
}

async function historyOf(channel: ZeromqChannel): Promise<Entry[]> {
  const entries: Entry[] = [];
  while (true) {
    const page = await channel.history(entries.at(-1)?.cursor ?? "earliest", { limit: 1000 });
    if (page.length === 0) return entries;
    entries.push(...page);
  }
}

Deno.test("kill -9 under load loses nothing that was acknowledged, doubles nothing, and keeps the order", () =>
  withFolder(async (folder) => {
    let forwarder: ForwarderProcess = await startForwarder({ folder });
    const { ports } = forwarder;
    await using channel = connect(ports);
    const seen: string[] = [];
    const ended = new AbortController();
    const following = (async () => {
      for await (const batch of channel.subscribe("earliest", { signal: ended.signal })) {
        seen.push(...batch.map(({ update }) => update.id));
      }
    })();

    const acknowledged: string[] = [];
    let left = 3000;
    const publisher = async () => {
      while (left > 0) acknowledged.push((await channel.publish(numberedUpdate(left--))).update.id);
    };
    const publishing = Promise.all(Array.from({ length: 16 }, publisher));
    for (const mark of [500, 1000, 1500, 2000, 2500]) {
      await eventually(`${mark} acknowledged`, () => acknowledged.length >= mark);
      await forwarder[Symbol.asyncDispose]();
      forwarder = await startForwarder({ ports, folder });
    }
    await within("all publishes", publishing);
    await eventually("all updates", () => seen.length >= 3000);

    const stored = (await historyOf(channel)).map(({ update }) => update.id);
    assert.equal(new Set(acknowledged).size, 3000);
    assert.deepEqual(stored.toSorted(), acknowledged.toSorted());
    assert.deepEqual(seen, stored);
    ended.abort();
    await following;
    await forwarder[Symbol.asyncDispose]();
  }));

Deno.test("a publish that is repeated after a restart returns the first entry", () =>
  withFolder(async (folder) => {
    const first = await startForwarder({ folder });
    await using channel = connect(first.ports);
    const entry = await channel.publish(numberedUpdate(1), { requestKey: "k" });
    await first[Symbol.asyncDispose]();
    await using _second = await startForwarder({ ports: first.ports, folder });
    assert.deepEqual(await channel.publish(numberedUpdate(2), { requestKey: "k" }), entry);
    assert.equal((await historyOf(channel)).length, 1);
  }));

Deno.test("a forwarder refuses with exit code 2, and one line, what it cannot use as its log", async (t) => {
  const cases: Record<string, { wanted: RegExp; prepare(path: string): void }> = {
    "text": {
      wanted: /it is not a database/,
      prepare: (path) =>
        Deno.writeTextFileSync(path, "no database, but more than a hundred bytes of text ".repeat(9)),
    },
    "a database of something else": {
      wanted: /a database of something else/,
      prepare: (path) => {
        using database = new DatabaseSync(path);
        database.exec("CREATE TABLE notes (text TEXT)");
      },
    },
    "a log of another version": {
      wanted: /its version is 99, and this forwarder reads version 1/,
      prepare: (path) => {
        new UpdateLog({ path })[Symbol.dispose]();
        using database = new DatabaseSync(path);
        database.exec("PRAGMA user_version = 99");
      },
    },
    "a truncated log": {
      wanted: /it is damaged|it is not a database/,
      prepare: (path) => {
        {
          using log = new UpdateLog({ path });
          log.append(Array.from({ length: 500 }, (_, number) => ({ update: numberedUpdate(number) })));
        }
        Deno.truncateSync(path, 5000);
      },
    },
    "a folder": { wanted: /unable to open database file/, prepare: (path) => Deno.mkdirSync(path) },
  };
  for (const [name, { wanted, prepare }] of Object.entries(cases)) {
    await t.step(name, () =>
      withFolder(async (folder) => {
        prepare(`${folder}/updates.db`);
        await using forwarder = startUnreadyForwarder({ folder });
        const { code } = await within("its end", forwarder.exit);
        assert.equal(code, 2);
        assert.deepEqual(forwarder.output, []);
        assert.equal(forwarder.entries.length, 1);
        assert.match(forwarder.entries[0]!.message, wanted);
        assert.ok(forwarder.entries[0]!.message.startsWith(`Cannot use UPDATE_LOG ${folder}/updates.db: `));
      }));
  }
});

Deno.test("a forwarder refuses a folder that cannot be made", () =>
  withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "");
    await using forwarder = startUnreadyForwarder({
      folder,
      env: { UPDATE_LOG: `${folder}/file/updates.db` },
    });
    const { code } = await within("its end", forwarder.exit);
    assert.equal(code, 2);
    assert.match(forwarder.entries[0]!.message, /^Cannot use UPDATE_LOG/);
  }));

Deno.test("a forwarder refuses a log that it may not write", () =>
  withFolder(async (folder) => {
    // Its permission set is for ./data, and nobody gave it this folder.
    await using forwarder = startService("forwarder", { UPDATE_LOG: `${folder}/updates.db` });
    const { code } = await within("its end", forwarder.exit);
    assert.equal(code, 2);
    assert.equal(forwarder.entries.length, 1);
    assert.match(forwarder.entries[0]!.message, /^Cannot use UPDATE_LOG .* write access/);
  }));

Deno.test({
  name: "a forwarder refuses a log in a read-only folder",
  // To the superuser no folder is read-only.
  ignore: Deno.uid() === 0,
  fn: () =>
    withFolder(async (folder) => {
      new UpdateLog({ path: `${folder}/updates.db` })[Symbol.dispose]();
      Deno.chmodSync(`${folder}/updates.db`, 0o444);
      Deno.chmodSync(folder, 0o555);
      await using forwarder = startUnreadyForwarder({ folder });
      const { code } = await within("its end", forwarder.exit);
      Deno.chmodSync(folder, 0o755);
      assert.equal(code, 2);
      assert.match(forwarder.entries[0]!.message, /^Cannot use UPDATE_LOG/);
    }),
});

Deno.test("two forwarders do not share a log: the second refuses, and the first goes on", () =>
  withFolder(async (folder) => {
    await using first = await startForwarder({ folder });
    await using second = startUnreadyForwarder({ folder });
    const { code } = await within("its end", second.exit);
    assert.equal(code, 2);
    assert.match(second.entries[0]!.message, /another process has it open/);
    await using channel = connect(first.ports);
    await channel.publish(numberedUpdate(1));
  }));

Deno.test("a torn last write is recovered: what was committed before it is there", () =>
  withFolder(async (folder) => {
    const path = `${folder}/updates.db`;
    const torn = `${folder}/torn.db`;
    let sizeBefore: number;
    {
      using log = new UpdateLog({ path });
      log.append([{ update: numberedUpdate(1) }]);
      sizeBefore = Deno.statSync(`${path}-wal`).size;
      log.append([{ update: numberedUpdate(2) }]);
      // As the disk stands when the power goes: the second transaction is there in part only.
      Deno.copyFileSync(path, torn);
      Deno.copyFileSync(`${path}-wal`, `${torn}-wal`);
    }
    Deno.truncateSync(`${torn}-wal`, sizeBefore + 100);
    using log = new UpdateLog({ path: torn });
    assert.equal(log.end.number, 1);
    assert.equal(log.append([{ update: numberedUpdate(3) }])[0]?.position.number, 2);
    return await Promise.resolve();
  }));

/** A forwarder whose files may not grow beyond 512 KiB: the system says so to whoever writes, as on a full disk. */
async function startLimitedForwarder(folder: string, retainUpdates: string): Promise<ForwarderProcess> {
  const limits = `${folder}/limited.sh`;
  // Without SIGXFSZ, which would end the process.
  Deno.writeTextFileSync(limits, `trap '' XFSZ; ulimit -f 512; exec "$@"`);
  const service = startUnreadyForwarder({
    folder,
    env: { RETAIN_UPDATES: retainUpdates },
    wrapper: ["bash", limits],
  });
  const { xsub, xpub, router } = await service.logged("Relaying");
  return Object.assign(service, {
    ports: { XSUB_PORT: `${xsub}`, XPUB_PORT: `${xpub}`, ROUTER_PORT: `${router}` },
  });
}

/** Publishes large updates until one is refused; returns how many were not. */
async function fill(channel: ZeromqChannel): Promise<number> {
  for (let number = 1;; number++) {
    try {
      await channel.publish(numberedUpdate(number, { data: "x".repeat(100_000) }));
    } catch (error) {
      assert.ok(error instanceof ChannelUnavailableError);
      assert.match(error.message, /The log cannot be written/);
      return number - 1;
    }
  }
}

Deno.test("on a full disk publishers are refused, readers go on, and with room all is as before", () =>
  withFolder(async (folder) => {
    const limited = await startLimitedForwarder(folder, "0");
    let stored: number;
    {
      await using channel = connect(limited.ports);
      stored = await fill(channel);
      for (let round = 0; round < 10; round++) stored += await fill(channel);
      await limited.logged("Updates could not be stored, and were refused");
      assert.equal(channel.status().reachable, true);
      assert.equal((await historyOf(channel)).length, stored);
    }
    await limited[Symbol.asyncDispose]();
    await using forwarder = await startForwarder({ folder });
    await using channel = connect(forwarder.ports);
    await channel.publish(numberedUpdate(1));
    assert.equal((await historyOf(channel)).length, stored + 1);
  }));

Deno.test("on a full disk, what is forgotten makes room without a restart", () =>
  withFolder(async (folder) => {
    await using forwarder = await startLimitedForwarder(folder, "3");
    await using channel = connect(forwarder.ports);
    await fill(channel);
    await eventually("room", () => channel.publish(numberedUpdate(2)).then(() => true, () => false));
  }));

Deno.test("a log over its size forgets the oldest only, and never the newest", () =>
  withFolder(async (folder) => {
    using log = new UpdateLog({ path: `${folder}/updates.db`, bounds: { ...NO_BOUNDS, bytes: 10_000_000 } });
    const data = "x".repeat(1_000_000);
    for (let number = 1; number <= 12; number++) log.append([{ update: numberedUpdate(number, { data }) }]);
    while (log.forget(2000));
    const kept = log.read("earliest", 1)[0]?.position.number ?? Infinity;
    assert.ok(kept > 1 && kept <= 6, `from ${kept}`);

    using small = new UpdateLog({ path: `${folder}/small.db`, bounds: { ...NO_BOUNDS, bytes: 1 } });
    small.append([1, 2, 3].map((number) => ({ update: numberedUpdate(number), requestKey: `${number}` })));
    while (small.forget(2000));
    assert.equal(small.read("earliest", 10).length, 1);
    assert.equal(small.append([{ update: numberedUpdate(3), requestKey: "3" }])[0]?.known, true);
    return await Promise.resolve();
  }));

Deno.test("the log forgets by count, age and size, gives its space back, and never while somebody publishes", () =>
  withFolder(async (folder) => {
    const path = `${folder}/updates.db`;
    const log = new UpdateLog({ path, bounds: { ...NO_BOUNDS, updates: 100, ageMs: 60_000 } });
    const data = "x".repeat(10_000);
    for (let batch = 0; batch < 20; batch++) {
      log.append(
        Array.from(
          { length: 100 },
          (_, index) => ({ update: numberedUpdate(batch * 100 + index, { data }) }),
        ),
      );
    }
    const before = Deno.statSync(path).size + Deno.statSync(`${path}-wal`).size;
    assert.equal(log.read("earliest", 1)[0]?.position.number, 1901);
    let steps = 0;
    while (log.forget(500)) steps++;
    assert.ok(steps >= 4);
    assert.equal(log.locate("urn:test:0"), undefined);
    while (log.forget(500, Date.now() + 100_000)) steps++;
    assert.deepEqual(log.read("earliest", 10), []);
    assert.equal(log.end.number, 2000);
    log[Symbol.dispose]();
    const after = Deno.statSync(path).size;
    assert.ok(after < before / 4, `${after} of ${before} bytes`);

    using again = new UpdateLog({ path, bounds: { ...NO_BOUNDS, bytes: 1_000_000 } });
    assert.equal(again.end.number, 2000);
    for (let batch = 0; batch < 5; batch++) {
      again.append(Array.from({ length: 100 }, (_, index) => ({ update: numberedUpdate(index, { data }) })));
    }
    while (again.forget(100));
    const kept = again.read("earliest", 1)[0];
    assert.ok(kept && kept.position.number > 2001 && kept.position.number < 2500);
    return await Promise.resolve();
  }));
