import assert from "node:assert/strict";
import { Router, XPublisher } from "zeromq";
import { ChannelUnavailableError, HistoryLostError } from "../channel.ts";
import { testChannel } from "../testing/channel_contract.ts";
import { eventually, within } from "../testing/deadline.ts";
import { numberedUpdate } from "../testing/fixtures.ts";
import { type ForwarderPorts, startForwarder } from "../testing/processes.ts";
import type { Position } from "./position.ts";
import { ZeromqChannel } from "./zeromq.ts";
import { drain, SOCKET_OPTIONS } from "./zeromq_receive.ts";
import {
  decodeRequest,
  encodeEnd,
  encodePage,
  encodeProbe,
  encodeReply,
  encodeUpdate,
  type Reply,
  type RouterRequest,
} from "./zeromq_wire.ts";

function connect(ports: ForwarderPorts): ZeromqChannel {
  return new ZeromqChannel({
    host: "127.0.0.1",
    xpubPort: Number(ports.XPUB_PORT),
    routerPort: Number(ports.ROUTER_PORT),
  });
}

const KEEP = 7000;

testChannel({
  name: "ZeromqChannel",
  open: async () => {
    const folder = await Deno.makeTempDir({ prefix: "contract-" });
    const env = { RETAIN_UPDATES: `${KEEP}` };
    let forwarder = await startForwarder({ folder, env });
    const { ports } = forwarder;
    const channels: ZeromqChannel[] = [];
    const open = () => {
      const channel = connect(ports);
      channels.push(channel);
      return channel;
    };
    return {
      channel: open(),
      keep: KEEP,
      open,
      async restart({ forget }) {
        await forwarder[Symbol.asyncDispose]();
        if (forget) {
          for await (const { name } of Deno.readDir(folder)) await Deno.remove(`${folder}/${name}`);
        }
        forwarder = await startForwarder({ ports, folder, env });
      },
      async [Symbol.asyncDispose]() {
        await Promise.all(channels.map((channel) => channel[Symbol.asyncDispose]()));
        await forwarder[Symbol.asyncDispose]();
        await Deno.remove(folder, { recursive: true });
      },
    };
  },
});

Deno.test("ZeromqChannel: what was given up while the forwarder was away is not stored when it is back", async () => {
  const first = await startForwarder();
  await using channel = connect(first.ports);
  await channel.publish(numberedUpdate(1));
  await first[Symbol.asyncDispose]();
  await assert.rejects(channel.publish(numberedUpdate(2)), ChannelUnavailableError);

  await using _second = await startForwarder({ ports: first.ports });
  await eventually("it is reachable", () => channel.status().reachable);
  await channel.publish(numberedUpdate(3));
  const ids = (await channel.history("earliest", { limit: 10 })).map(({ update }) => update.id);
  assert.deepEqual(ids, ["urn:test:3"]);
});

Deno.test("ZeromqChannel refuses at once what is more than may wait, and goes on when it is reached", async () => {
  const first = await startForwarder();
  await first[Symbol.asyncDispose]();
  await using channel = connect(first.ports);
  const waiting = Array.from({ length: 10_000 }, (_, number) => channel.publish(numberedUpdate(number)));
  await assert.rejects(channel.publish(numberedUpdate(1)), /wait for an answer already/);
  for (const outcome of await Promise.allSettled(waiting)) {
    assert.ok(outcome.status === "rejected" && outcome.reason instanceof ChannelUnavailableError);
  }
  await using _second = await startForwarder({ ports: first.ports });
  await eventually("it is reachable", () => channel.status().reachable);
  await channel.publish(numberedUpdate(2));
});

Deno.test("ZeromqChannel.status() says when the forwarder is away, and when it is back", async () => {
  const first = await startForwarder();
  await using channel = connect(first.ports);
  await eventually("it is reachable", () => channel.status().reachable);
  await first[Symbol.asyncDispose]();
  const status = await eventually("it is away", () => {
    const now = channel.status();
    return now.reachable ? undefined : now;
  });
  assert.match(status.reason, /forwarder does not answer/);
  await using _second = await startForwarder({ ports: first.ports });
  await eventually("it is back", () => channel.status().reachable);
});

Deno.test("ZeromqChannel takes an answer that is none for no answer, and lives on", async () => {
  const router = new Router({ ...SOCKET_OPTIONS, linger: 0 });
  await router.bind("tcp://127.0.0.1:*");
  const port = Number(router.lastEndpoint?.split(":").at(-1));
  const ended = new AbortController();
  const answers = [
    [],
    ["ok"],
    ["ok", "no cursor"],
    ["error", "invalid", "no"],
    ["error", "history-lost", "no"],
    ["error", "new code", "no"],
    [new Uint8Array([0xff, 0xfe])],
  ];
  let next = 0;
  const answering = (async () => {
    while (!ended.signal.aborted) {
      for (const [peer, correlation] of await drain(router, 100)) {
        const answer = answers[next++ % answers.length]!;
        await router.send([peer!, correlation!, ...answer]);
        await router.send([peer!, new Uint8Array([0xc3, 0x28]), "ok", "x"]);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  {
    await using channel = new ZeromqChannel({ host: "127.0.0.1", xpubPort: port, routerPort: port });
    for (let round = 0; round < 14; round++) await assert.rejects(channel.latest());
  }
  ended.abort();
  await answering;
  router.close();
});

/**
 * A forwarder that follows a script on real sockets: it has a history, answers what it is asked, and shows on
 * XPUB only what the test wants.
 */
class ScriptedForwarder implements AsyncDisposable {
  readonly #router = new Router({ ...SOCKET_OPTIONS, linger: 0 });
  readonly #xpub = new XPublisher({ ...SOCKET_OPTIONS, linger: 0 });
  readonly #ended = new AbortController();
  #loop = Promise.resolve();
  /** Whether probes come back on XPUB. */
  echoes = true;
  epoch = "00000000000000aa";
  /** How many updates the history holds, numbered from 1. */
  size = 0;
  /** How many updates fit into one page of the history. */
  fits = Infinity;
  /** Every history request so far. */
  readonly reads: RouterRequest[] = [];

  async start(): Promise<ForwarderPorts> {
    await this.#router.bind("tcp://127.0.0.1:*");
    await this.#xpub.bind("tcp://127.0.0.1:*");
    this.#loop = this.#run();
    const portOf = (endpoint: string | null) => endpoint?.split(":").at(-1) ?? "";
    return {
      XSUB_PORT: "0",
      XPUB_PORT: portOf(this.#xpub.lastEndpoint),
      ROUTER_PORT: portOf(this.#router.lastEndpoint),
    };
  }

  /** Shows an update on XPUB. */
  async show(number: number, epoch = this.epoch): Promise<void> {
    const json = JSON.stringify(numberedUpdate(number));
    await this.#xpub.send(encodeUpdate("/test", { position: { epoch, number }, json }));
  }

  async showGarbage(): Promise<void> {
    await this.#xpub.send(["no", "update"]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#loop;
    this.#router.close();
    this.#xpub.close();
  }

  async #run(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      await drain(this.#xpub, 100);
      for (const [peer, ...frames] of await drain(this.#router, 100)) {
        const { envelope, request } = decodeRequest(frames);
        assert.ok(request);
        await this.#router.send([peer!, ...envelope, ...encodeReply(this.#answer(request))]);
        if (request.verb === "probe" && this.echoes) {
          await this.#xpub.send(encodeProbe(this.#end, request.nonce));
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  #answer(request: RouterRequest): Reply {
    if (request.verb !== "history") return encodeEnd(this.#end);
    this.reads.push(request);
    const { after, limit } = request;
    if (after !== "earliest" && after.epoch !== this.epoch) {
      return { ok: false, code: "history-lost", reason: "another log" };
    }
    const start = after === "earliest" ? 0 : after.number;
    const length = Math.min(this.size - start, limit, this.fits);
    const numbers = Array.from({ length }, (_, index) => start + index + 1);
    const updates = numbers.map((number) => ({
      position: { epoch: this.epoch, number },
      json: JSON.stringify(numberedUpdate(number)),
    }));
    return encodePage(this.#end, updates);
  }

  get #end(): Position {
    return { epoch: this.epoch, number: this.size };
  }
}

/** Subscribes to a scripted forwarder from earliest; `take` waits until so many updates came and returns all. */
async function subscribeTo(forwarder: ScriptedForwarder): Promise<
  AsyncDisposable & { channel: ZeromqChannel; take(count: number): Promise<string[]> }
> {
  const channel = connect(await forwarder.start());
  const ids: string[] = [];
  const following = (async () => {
    for await (const batch of channel.subscribe("earliest", { signal: new AbortController().signal })) {
      ids.push(...batch.map(({ update }) => update.id));
    }
  })();
  return {
    channel,
    async take(count) {
      await eventually(`${count} updates`, () => ids.length >= count);
      return ids;
    },
    async [Symbol.asyncDispose]() {
      await channel[Symbol.asyncDispose]();
      await within("the end of the subscription", following);
    },
  };
}

const IDS = ["urn:test:1", "urn:test:2", "urn:test:3", "urn:test:4"];

Deno.test("ZeromqChannel.historyBefore() does not read all of what is wanted to find the little that fits", async () => {
  await using forwarder = new ScriptedForwarder();
  await using channel = connect(await forwarder.start());
  forwarder.size = 1000;
  for (const [fits, reads] of [[1, 2], [2, 2], [199, 2], [200, 1]] as const) {
    forwarder.fits = fits;
    const before = forwarder.reads.length;
    const page = await channel.historyBefore("latest", { limit: 200 });
    assert.equal(page.at(-1)?.update.id, "urn:test:1000");
    assert.ok(page.length >= fits / 2, `${page.length} of ${fits}`);
    assert.equal(forwarder.reads.length - before, reads, `${fits} fit`);
  }
});

Deno.test("ZeromqChannel.historyBefore() refuses a cursor that is newer than all", async () => {
  await using forwarder = new ScriptedForwarder();
  await using channel = connect(await forwarder.start());
  forwarder.size = 5;
  const { cursor } = (await channel.historyBefore("latest", { limit: 1 }))[0]!;
  // As after the loss of power, when the last updates are lost and their numbers are given again.
  forwarder.size = 3;
  await assert.rejects(channel.historyBefore(cursor, { limit: 2 }), HistoryLostError);
  await assert.rejects(channel.historyBefore(cursor, { limit: 1, inclusive: true }), HistoryLostError);
});

Deno.test("ZeromqChannel.subscribe() reads back what XPUB dropped, doubled or broke", async () => {
  await using forwarder = new ScriptedForwarder();
  forwarder.size = 1;
  await using subscription = await subscribeTo(forwarder);
  await subscription.take(1);
  await eventually("XPUB is heard", () => subscription.channel.status().reachable);

  forwarder.size = 3;
  await forwarder.showGarbage();
  await forwarder.show(1);
  await forwarder.show(3);
  assert.deepEqual(await subscription.take(3), IDS.slice(0, 3));

  // In order from here on, so that history need not be asked.
  const reads = forwarder.reads.length;
  forwarder.size = 4;
  await forwarder.show(4);
  assert.deepEqual(await subscription.take(4), IDS);
  assert.equal(forwarder.reads.length, reads);
});

Deno.test("ZeromqChannel.subscribe() notices by its probe that the newest update was dropped", async () => {
  await using forwarder = new ScriptedForwarder();
  await using subscription = await subscribeTo(forwarder);
  await eventually("XPUB is heard", () => subscription.channel.status().reachable);
  forwarder.size = 2;
  assert.deepEqual(await subscription.take(2), IDS.slice(0, 2));
});

Deno.test("ZeromqChannel.subscribe() is not misled by a late message of another epoch", async () => {
  await using forwarder = new ScriptedForwarder();
  forwarder.size = 1;
  await using subscription = await subscribeTo(forwarder);
  await eventually("XPUB is heard", () => subscription.channel.status().reachable);
  await forwarder.show(2, "00000000000000bb");
  forwarder.size = 2;
  await forwarder.show(2);
  assert.deepEqual(await subscription.take(2), IDS.slice(0, 2));
});

Deno.test("ZeromqChannel.status() is unreachable while probes do not come back on XPUB", async () => {
  await using forwarder = new ScriptedForwarder();
  await using subscription = await subscribeTo(forwarder);
  await eventually("XPUB is heard", () => subscription.channel.status().reachable);
  forwarder.echoes = false;
  const status = await eventually("it is deaf", () => {
    const now = subscription.channel.status();
    return now.reachable ? undefined : now;
  });
  assert.match(status.reason, /No probe comes back/);
  // Its socket is made anew by then; once probes come back, all is well.
  forwarder.echoes = true;
  await eventually("it hears again", () => subscription.channel.status().reachable);
});
