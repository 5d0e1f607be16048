import assert from "node:assert/strict";
import { mock } from "node:test";
import { logLevel, port } from "./env.ts";
import { aborted } from "./shutdown.ts";
import {
  EXIT_BAD_SETTINGS,
  EXIT_FAILURE,
  MINIMUM_DENO,
  type Process,
  type Service,
  start,
  StartError,
} from "./start.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const SETTINGS = { port: port("PORT", 8000), logLevel: logLevel("LOG_LEVEL", "info") };
type Run = Service<typeof SETTINGS>["run"];

/** What the scripted process throws where the real one ends. */
class Exit extends Error {
  constructor(readonly code: number) {
    super(`Exit with ${code}`);
  }
}

interface Script {
  readonly run?: Run;
  readonly graceMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly deno?: string;
}

/** A service in a process that we play, with what it writes to standard error kept from ours. */
function play({ run = () => Promise.resolve(), graceMs, env = {}, deno = MINIMUM_DENO }: Script) {
  const handlers = new Map<string, () => void>();
  const process: Process = {
    env: new Map(Object.entries(env)),
    version: { deno },
    addSignalListener: (signal, handler) => handlers.set(signal, handler),
    exit: (code) => {
      throw new Exit(code);
    },
  };
  const entries: Record<string, unknown>[] = [];
  const writer = mock.method(Deno.stderr, "writeSync", (bytes: Uint8Array) => {
    entries.push(JSON.parse(new TextDecoder().decode(bytes)));
    return bytes.length;
  });
  // A signal starts the timer of the grace period, which would outlive the test.
  mock.timers.enable({ apis: ["setTimeout"] });
  const ending = start(
    { name: "tested", settings: SETTINGS, run, ...graceMs !== undefined && { graceMs } },
    process,
  );
  return {
    entries,
    signals: [...handlers.keys()],
    send: (signal: string) => handlers.get(signal)!(),
    async exitCode(): Promise<number> {
      const error = await ending.catch((error) => error);
      assert.ok(error instanceof Exit, `${error}`);
      return error.code;
    },
    [Symbol.dispose]() {
      ending.catch(() => {});
      mock.timers.reset();
      writer.mock.restore();
    },
  };
}

/** A service that ends when it is told to. */
const obedient: Run = (_config, { signal }) => aborted(signal);

for (const deno of ["2.8.3", "2.8.99", "1.99.99", "2.0.10", "0.9.0"]) {
  Deno.test(`start() leaves with 1 on Deno ${deno} without running the service`, async () => {
    const run = mock.fn(obedient);
    // A bad setting too: on an unsuitable runtime nothing else is worth saying.
    using played = play({ run, deno, env: { PORT: "none" } });
    assert.equal(await played.exitCode(), EXIT_FAILURE);
    assert.equal(run.mock.callCount(), 0);
    assert.equal(played.entries.length, 1);
    assert.match(`${played.entries[0]?.message}`, new RegExp(`${MINIMUM_DENO} or newer .* this is ${deno}$`));
  });
}

for (const deno of ["2.9.0", "2.9.6", "2.10.0", "3.0.0", "2.9.1+abcdef", "10.0.0"]) {
  Deno.test(`start() runs the service on Deno ${deno}`, async () => {
    using played = play({ deno });
    assert.equal(await played.exitCode(), 0);
  });
}

Deno.test("start() leaves with 2 when settings are bad, says each problem and does not run the service", async () => {
  const run = mock.fn(obedient);
  using played = play({ run, env: { PORT: "none", LOG_LEVEL: "loud" } });
  assert.equal(await played.exitCode(), EXIT_BAD_SETTINGS);
  assert.equal(run.mock.callCount(), 0);
  assert.deepEqual(played.entries.map(({ level, service, message }) => [level, service, message]), [
    ["error", "tested", 'PORT is "none", but must be a port, 0 to 65535'],
    ["error", "tested", 'LOG_LEVEL is "loud", but must be debug or info or warn or error'],
  ]);
});

Deno.test("start() runs the service with its settings and a log of its level, and leaves with 0", async () => {
  const run = mock.fn<Run>((_config, { log }) => {
    log.info("hidden");
    log.warn("shown");
    return Promise.resolve();
  });
  using played = play({ run, env: { PORT: "80", LOG_LEVEL: "warn" } });
  assert.equal(await played.exitCode(), 0);
  assert.deepEqual(run.mock.calls.map((call) => call.arguments[0]), [{ port: 80, logLevel: "warn" }]);
  assert.deepEqual(played.entries.map(({ service, message }) => [service, message]), [["tested", "shown"]]);
});

const FAILURES: Readonly<Record<string, { readonly run: Run; readonly traced: boolean }>> = {
  "rejects with a StartError": { run: () => Promise.reject(new StartError("broken")), traced: false },
  "rejects with another error": { run: () => Promise.reject(new TypeError("broken")), traced: true },
  "rejects with something else": { run: () => Promise.reject("broken"), traced: false },
  "throws": {
    run: () => {
      throw new Error("broken");
    },
    traced: true,
  },
};

for (const [how, { run, traced }] of Object.entries(FAILURES)) {
  Deno.test(`start() leaves with 1 and the message when the service ${how}`, async () => {
    using played = play({ run });
    assert.equal(await played.exitCode(), EXIT_FAILURE);
    assert.deepEqual(played.entries.map(({ level, message }) => [level, message]), [["error", "broken"]]);
  });

  Deno.test(`start() logs ${traced ? "where it comes from" : "nothing but the message"} when it ${how}`, async () => {
    using played = play({ run });
    await played.exitCode();
    assert.deepEqual(played.entries.map(({ stack }) => stack !== undefined), [traced]);
  });
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  Deno.test(`start() tells the service to end on ${signal}, and leaves with 0 when it has ended`, async () => {
    using played = play({ run: obedient });
    played.send(signal);
    assert.equal(await played.exitCode(), 0);
    assert.deepEqual(played.entries.map((entry) => [entry.message, entry.signal]), [["Ending", signal]]);
  });
}

Deno.test("start() listens to the signals that end a service, and no others", () => {
  using played = play({ run: obedient });
  assert.deepEqual(played.signals.toSorted(), ["SIGHUP", "SIGINT", "SIGTERM"]);
  played.send("SIGTERM");
});

Deno.test("start() takes signals that come within a second as one, and leaves with 0", async () => {
  const ending = Promise.withResolvers<void>();
  using played = play({ run: () => ending.promise });
  for (const signal of ["SIGINT", "SIGINT", "SIGTERM"]) played.send(signal);
  mock.timers.tick(999);
  played.send("SIGINT");
  assert.deepEqual(played.entries.map((entry) => [entry.message, entry.signal]), [["Ending", "SIGINT"]]);
  ending.resolve();
  assert.equal(await played.exitCode(), 0);
});

Deno.test("start() leaves with 1 at once on a signal that comes a second after the first", () => {
  using played = play({ run: () => new Promise(() => {}) });
  mock.timers.tick(60_000);
  played.send("SIGTERM");
  mock.timers.tick(1000);
  assert.throws(() => played.send("SIGINT"), new Exit(EXIT_FAILURE));
});

Deno.test("start() leaves with 1 when the service has not ended 4.5 s after the signal", () => {
  using played = play({ run: () => new Promise(() => {}) });
  mock.timers.tick(60_000);
  played.send("SIGTERM");
  mock.timers.tick(4499);
  assert.throws(() => mock.timers.tick(1), new Exit(EXIT_FAILURE));
  assert.equal(played.entries.at(-1)?.message, "Not ended within 4500 ms");
});

Deno.test("start() gives a service the time to end that it asks for", () => {
  using played = play({ run: () => new Promise(() => {}), graceMs: 4900 });
  played.send("SIGTERM");
  mock.timers.tick(4899);
  assert.throws(() => mock.timers.tick(1), new Exit(EXIT_FAILURE));
  assert.equal(played.entries.at(-1)?.message, "Not ended within 4900 ms");
});

Deno.test("start() leaves with 1 when the service fails to end", async () => {
  using played = play({
    run: async (_config, { signal }) => {
      await aborted(signal);
      throw new Error("stuck");
    },
  });
  played.send("SIGTERM");
  assert.equal(await played.exitCode(), EXIT_FAILURE);
  assert.equal(played.entries.at(-1)?.message, "stuck");
});
