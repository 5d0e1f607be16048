/** The launcher and its streamers as real processes, with a real forwarder. */
import assert from "node:assert/strict";
import { EXIT_BAD_SETTINGS, StartError } from "../lib/start.ts";
import { eventually, within } from "../lib/testing/deadline.ts";
import { freePorts } from "../lib/testing/ports.ts";
import {
  type ForwarderPorts,
  type HttpProcess,
  ready,
  type ServiceProcess,
  startForwarder,
  startHttpService,
  startProcess,
  startService,
} from "../lib/testing/processes.ts";
import { openSse, type SseReader } from "../lib/testing/sse_reader.ts";
import { howMany, V8_FLAGS } from "./streamers.ts";

/** A test of processes that share a port. */
function testOnLinux(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.os !== "linux", fn });
}

/** So many streams that hardly ever all are at the same one of two streamers: once in 2²³ runs. */
const STREAMS = 24;

const LAUNCHER = ["run", "-q", "-P=streamers", "services/streamer/streamers.ts"];

interface Launcher extends AsyncDisposable {
  readonly process: ServiceProcess;
  readonly url: string;
  /** Of the streamers that were started so far. */
  readonly pids: readonly number[];
  /** Resolves when so many have listened so far. */
  listening(count: number): Promise<void>;
  /** Resolves with how it ended, once nothing is left: each streamer holds the launcher's standard error. */
  ended(): Promise<Deno.CommandStatus>;
}

/** Disposing it ends all of it. */
function launch(
  env: Readonly<Record<string, string>>,
  { args = LAUNCHER, wrapper = [] }: { args?: readonly string[]; wrapper?: readonly string[] } = {},
): Launcher {
  const [port] = freePorts(1);
  const process = startProcess(args, { PORT: `${port}`, ...env }, wrapper);
  const messages = (message: string) => process.entries.filter((entry) => entry.message === message);
  const ended = () => within("the end of the launcher and its streamers", process.exit);
  return {
    process,
    url: `http://127.0.0.1:${port}/`,
    get pids() {
      return messages("Started a streamer").map(({ pid }) => Number(pid));
    },
    listening: async (count) => {
      await eventually(`${count} that listen`, () => messages("Listening").length >= count);
    },
    ended,
    async [Symbol.asyncDispose]() {
      process.kill("SIGTERM");
      await ended();
    },
  };
}

interface Fleet extends AsyncDisposable {
  readonly ports: ForwarderPorts;
  readonly broadcaster: HttpProcess;
  readonly launcher: Launcher;
}

/** A forwarder, a broadcaster and two streamers. */
async function startFleet(): Promise<Fleet> {
  await using starting = new AsyncDisposableStack();
  const forwarder = starting.use(await startForwarder());
  const { ports } = forwarder;
  const launcher = starting.use(launch({ STREAMERS: "2", ...ports }));
  const broadcaster = starting.use(await startHttpService("broadcaster", ports));
  await launcher.listening(2);
  await Promise.all([ready(broadcaster.url), ready(launcher.url)]);
  const started = starting.move();
  return { ports, launcher, broadcaster, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

async function publish({ broadcaster }: Fleet): Promise<void> {
  const response = await fetch(`${broadcaster.url}event/pill:red`, { method: "POST" });
  await response.body?.cancel();
  assert.equal(response.status, 201);
}

/** Opens streams; disposed with the stack. */
async function openStreams(
  stack: AsyncDisposableStack,
  { launcher }: Fleet,
  lastEventId?: string,
): Promise<SseReader[]> {
  const headers: HeadersInit = lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId };
  return await Promise.all(Array.from({ length: STREAMS }, async () => {
    const reader = stack.use(await openSse(`${launcher.url}events`, { headers }));
    await reader.until("the first bytes", () => reader.retry !== undefined);
    return reader;
  }));
}

/** The ids of the updates that came. */
const idsOf = (reader: SseReader) =>
  reader.events.filter(({ event }) => event === "user:btn").map(({ id }) => id);

async function untilCount(readers: readonly SseReader[], count: number): Promise<void> {
  await Promise.all(
    readers.map((reader) => reader.until(`${count} updates`, () => idsOf(reader).length >= count)),
  );
}

/** The ids of everything that was published, from whatever streamer answers. */
async function everything({ launcher }: Fleet, count: number): Promise<(string | undefined)[]> {
  await using reader = await openSse(`${launcher.url}events?last_event_id=earliest`);
  await untilCount([reader], count);
  return idsOf(reader);
}

testOnLinux(
  "two streamers share a port: each has streams, all get each update, and one may resume at either",
  async () => {
    await using fleet = await startFleet();
    await using stack = new AsyncDisposableStack();
    const first = await openStreams(stack, fleet);
    for (let count = 0; count < 3; count++) await publish(fleet);
    await untilCount(first, 3);
    const [id1, id2, id3] = await everything(fleet, 3);
    for (const reader of first) assert.deepEqual(idsOf(reader), [id1, id2, id3]);

    const resumed = await openStreams(stack, fleet, id1);
    await untilCount(resumed, 2);
    await publish(fleet);
    await untilCount(resumed, 3);
    await untilCount(first, 4);
    const all = await everything(fleet, 4);
    for (const reader of first) assert.deepEqual(idsOf(reader), all);
    for (const reader of resumed) assert.deepEqual(idsOf(reader), all.slice(1));

    // Whose streams end with a streamer was connected to it.
    Deno.kill(fleet.launcher.pids[0]!, "SIGKILL");
    for (const readers of [first, resumed]) {
      await eventually("the ends of the streams of one", () => readers.some(({ ended }) => ended));
    }
    await publish(fleet);
    for (const readers of [first, resumed]) {
      const open = await eventually("the next update at the other", () => {
        const open = readers.filter(({ ended }) => !ended);
        return open.every((reader) => idsOf(reader).length === 5 - Number(readers === resumed)) && open;
      });
      assert.ok(open.length > 0 && open.length < STREAMS, `${open.length} of ${STREAMS} are at the other`);
    }
  },
);

testOnLinux(
  "who comes with an id that this streamer may not have heard of yet gets what follows it, once",
  async () => {
    await using fleet = await startFleet();
    await using witness = await openSse(`${fleet.launcher.url}events`);
    await witness.until("the first bytes", () => witness.retry !== undefined);
    for (let round = 1; round <= 5; round++) {
      await using stack = new AsyncDisposableStack();
      await publish(fleet);
      await untilCount([witness], 2 * round - 1);
      const resumed = await openStreams(stack, fleet, idsOf(witness).at(-1)!);
      await publish(fleet);
      await untilCount([witness, ...resumed], 1);
      await untilCount([witness], 2 * round);
      for (const reader of resumed) assert.deepEqual(idsOf(reader), idsOf(witness).slice(-1));
    }
  },
);

testOnLinux("when a streamer is killed, its clients come back, and lose and repeat nothing", async () => {
  await using fleet = await startFleet();
  const { launcher } = fleet;
  const sources = Array.from({ length: STREAMS }, () => {
    const source = new EventSource(`${launcher.url}events`);
    const ids: string[] = [];
    source.addEventListener("user:btn", ({ lastEventId }) => ids.push(lastEventId));
    return { source, ids };
  });
  try {
    await Promise.all(
      sources.map(({ source }) => eventually("an open stream", () => source.readyState === EventSource.OPEN)),
    );
    let published = 0;
    const publishUntil = (what: string, condition: () => boolean) =>
      eventually(what, async () => {
        await publish(fleet);
        published++;
        return condition();
      });
    await publishUntil("updates at each", () => sources.every(({ ids }) => ids.length >= 3));

    for (const victim of [0, 1]) {
      const pid = launcher.pids[victim]!;
      Deno.kill(pid, "SIGKILL");
      await publishUntil(
        "clients that notice",
        () => sources.some(({ source }) => source.readyState === EventSource.CONNECTING),
      );
      await publishUntil(
        "their return",
        () => sources.every(({ source }) => source.readyState === EventSource.OPEN),
      );
      await launcher.listening(3 + victim);
      const [entry] = launcher.process.entries.filter((entry) => entry.pid === pid && entry.level === "warn");
      assert.equal(entry?.service, "streamers");
      assert.equal(entry?.message, "A streamer ended with SIGKILL; another one takes its place");
    }

    const all = await everything(fleet, published);
    assert.equal(all.length, published);
    await eventually("the last one at each", () => sources.every(({ ids }) => ids.at(-1) === all.at(-1)));
    for (const { ids } of sources) assert.deepEqual(ids, all);
  } finally {
    for (const { source } of sources) source.close();
  }
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  testOnLinux(
    `the launcher ends all streamers on ${signal}, with streams open, and leaves with 0`,
    async () => {
      await using fleet = await startFleet();
      await using stack = new AsyncDisposableStack();
      const readers = await openStreams(stack, fleet);
      fleet.launcher.process.kill(signal);
      assert.equal((await fleet.launcher.ended()).code, 0);
      await eventually("the end of each stream", () => readers.every(({ ended }) => ended));
      await assert.rejects(fetch(fleet.launcher.url));
    },
  );

  // As a terminal sends it; the launcher and its task then pass on what all have got already.
  testOnLinux(
    `${signal} to the whole process group ends all of it, and each streamer has its time`,
    async () => {
      const [XPUB_PORT = "", ROUTER_PORT = ""] = freePorts(2).map(String);
      await using launcher = launch(
        { STREAMERS: "2", XPUB_PORT, ROUTER_PORT },
        { args: ["task", "-q", "streamers"], wrapper: ["setsid"] },
      );
      await launcher.listening(2);
      Deno.kill(-await groupOf(launcher.pids[0]!), signal);
      assert.equal((await launcher.ended()).code, 0);
      const { entries } = launcher.process;
      const ending = entries.filter(({ message }) => message === "Ending").map(({ service }) => service);
      assert.deepEqual(ending.toSorted(), ["streamer", "streamer", "streamers"]);
      assert.deepEqual(entries.filter(({ level }) => level === "error"), []);
    },
  );
}

/** The process group of a process. */
async function groupOf(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "pgid=", "-p", `${pid}`] }).output();
  return Number(new TextDecoder().decode(stdout));
}

testOnLinux("the launcher ends streamers that have not started yet, and leaves with 0", async () => {
  await using launcher = launch({ STREAMERS: "2" });
  await launcher.process.logged("Started a streamer");
  launcher.process.kill("SIGTERM");
  assert.equal((await launcher.ended()).code, 0);
  assert.deepEqual(launcher.process.entries.filter(({ level }) => level === "error"), []);
});

testOnLinux(
  "a streamer that does not end is killed, and the launcher says so and leaves with 1",
  async () => {
    await using launcher = launch({ STREAMERS: "2" });
    await launcher.listening(2);
    Deno.kill(launcher.pids[0]!, "SIGSTOP");
    launcher.process.kill("SIGTERM");
    assert.equal((await launcher.ended()).code, 1);
    assert.equal(
      launcher.process.entries.at(-1)?.message,
      "A streamer did not end as it was told, but with SIGKILL",
    );
  },
);

testOnLinux("the launcher that is told to end again kills what is left", async () => {
  await using launcher = launch({ STREAMERS: "2" });
  await launcher.listening(2);
  Deno.kill(launcher.pids[0]!, "SIGSTOP");
  let hasEnded = false;
  launcher.process.exit.then(() => hasEnded = true);
  await eventually("its end", () => {
    launcher.process.kill("SIGTERM");
    return hasEnded;
  });
  assert.equal((await launcher.ended()).code, 1);
  // It had no time to wait for that one.
  assert.deepEqual(launcher.process.entries.filter(({ level }) => level === "error"), []);
});

testOnLinux("a streamer that ends because it was told to is started again, too", async () => {
  await using launcher = launch({ STREAMERS: "1" });
  await launcher.listening(1);
  Deno.kill(launcher.pids[0]!, "SIGTERM");
  await launcher.listening(2);
  const [entry] = launcher.process.entries.filter(({ pid, level }) =>
    pid === launcher.pids[0] && level === "warn"
  );
  assert.equal(entry?.message, "A streamer ended with exit code 0; another one takes its place");
});

testOnLinux("a streamer that cannot start again at once is started until it can", async () => {
  await using launcher = launch({ STREAMERS: "1" });
  await launcher.listening(1);
  const port = Number(new URL(launcher.url).port);
  // The launcher may be faster.
  const taken = await eventually("the port", () => {
    kill(launcher.pids.at(-1)!);
    return listen(port);
  });
  const failures = () =>
    launcher.process.entries.filter(({ message }) =>
      message.startsWith("A streamer ended with exit code 1;")
    );
  await eventually("two attempts", () => failures().length >= 2);
  taken.close();
  const [first, second] = failures();
  assert.equal(second?.backOffMs, 2 * Number(first?.backOffMs));
  const listened = launcher.process.entries.filter(({ message }) => message === "Listening").length;
  await launcher.listening(listened + 1);
});

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function listen(port: number): Deno.Listener | undefined {
  try {
    return Deno.listen({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  }
}

testOnLinux("the launcher leaves with 2 when settings are bad, and each is named once", async (t) => {
  const cases: Readonly<Record<string, { env: Record<string, string>; messages: RegExp[] }>> = {
    "its own": {
      env: { STREAMERS: "many" },
      messages: [/^STREAMERS is "many", but must be a whole number, from 0 to 256$/],
    },
    "no port to share": {
      env: { STREAMERS: "2", PORT: "0" },
      messages: [/^PORT is "0", but must be the port that the 2 streamers of STREAMERS share$/],
    },
    "the streamer's": {
      env: { STREAMERS: "2", MAX_BODY: "x" },
      messages: [/^MAX_BODY is "x", but must be /, /^A streamer cannot run: it ended with exit code 2$/],
    },
  };
  for (const [name, { env, messages }] of Object.entries(cases)) {
    await t.step(name, async () => {
      await using launcher = launch(env);
      assert.equal((await launcher.ended()).code, 2);
      const errors = launcher.process.entries.filter(({ level }) => level === "error");
      assert.equal(errors.length, messages.length);
      for (const [index, message] of messages.entries()) assert.match(errors[index]!.message, message);
      assert.deepEqual(launcher.process.output, []);
    });
  }
});

testOnLinux("the launcher leaves with 1 when something else has the port, and says so once", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using launcher = launch({ STREAMERS: "2", PORT: `${taken.addr.port}` });
  assert.equal((await launcher.ended()).code, 1);
  const errors = launcher.process.entries.filter(({ level }) => level === "error");
  assert.deepEqual(errors.map(({ service }) => service), ["streamer", "streamers"]);
  assert.match(errors[0]!.message, new RegExp(`^Cannot listen .*${taken.addr.port}`));
  assert.equal(errors[1]!.message, "A streamer cannot run: it ended with exit code 1");
  assert.equal(launcher.pids.length, 1);
});

testOnLinux("a single streamer gets no share of the port of several, unless STREAMERS says so", async () => {
  await using launcher = launch({ STREAMERS: "2" });
  await launcher.listening(2);
  const PORT = new URL(launcher.url).port;
  await using refused = startService("streamer", { PORT });
  assert.equal((await within("its end", refused.exit)).code, 1);
  assert.match(refused.entries.at(-1)!.message, new RegExp(`^Cannot listen .*${PORT}`));
  for (const STREAMERS of ["0", "2"]) {
    await using sharing = startService("streamer", { PORT, STREAMERS });
    await sharing.logged("Listening");
  }
});

testOnLinux("the launcher starts them all, also when their log does not say that they listen", async () => {
  await using launcher = launch({ STREAMERS: "3", LOG_LEVEL: "error" });
  await eventually("three pages", () => launcher.process.output.length === 3);
  assert.deepEqual(launcher.process.output, Array(3).fill(`Hub page: ${launcher.url}hub/`));
});

Deno.test("the tasks run a streamer with the flags that the launcher gives it", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  for (const task of ["streamer", "dev:streamer"]) {
    assert.ok(tasks[task].command.split(" ").includes(V8_FLAGS), task);
  }
});

Deno.test("howMany() takes the number of processors for 0 where processes can share a port, and 1 elsewhere", () => {
  const [linux, darwin] = (["linux", "darwin"] as const).map((os) => ({ os, processors: 6 }));
  assert.equal(howMany({ streamers: 0, port: 80 }, linux), 6);
  assert.equal(howMany({ streamers: 3, port: 80 }, linux), 3);
  assert.equal(howMany({ streamers: 1, port: 0 }, linux), 1);
  assert.equal(howMany({ streamers: 0, port: 0 }, darwin), 1);
  assert.throws(
    () => howMany({ streamers: 2, port: 80 }, darwin),
    new StartError('STREAMERS is "2", but must be 1 or 0: processes can share a port on Linux only', {
      exitCode: EXIT_BAD_SETTINGS,
    }),
  );
});
