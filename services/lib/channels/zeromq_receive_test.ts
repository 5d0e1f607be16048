import assert from "node:assert/strict";
import { Pull, Push } from "zeromq";
import { eventually, within } from "../testing/deadline.ts";
import { startProcess } from "../testing/processes.ts";
import { libc } from "../libc.ts";
import { drain, Pacer, SOCKET_OPTIONS, waitFor } from "./zeromq_receive.ts";

interface Pipe extends Disposable {
  readonly push: Push;
  readonly pull: Pull;
}

/** Two connected sockets. */
async function openPipe(address: string): Promise<Pipe> {
  const pull = new Pull({ ...SOCKET_OPTIONS, linger: 0 });
  await pull.bind(address);
  // Writable means connected, so that no send has to wait.
  const push = new Push({ ipv6: true, linger: 0, sendTimeout: 0, immediate: true });
  push.connect(pull.lastEndpoint!);
  await eventually("the connection", () => push.writable);
  return {
    push,
    pull,
    [Symbol.dispose]() {
      push.close();
      pull.close();
    },
  };
}

async function send(push: Push, first: number, last: number): Promise<void> {
  for (let number = first; number <= last; number++) await push.send([`${number}`, "", `part of ${number}`]);
}

/** The numbers of messages, whose every part must be in its place. */
function numbersOf(messages: readonly Uint8Array[][]): number[] {
  return messages.map((message) => {
    const [number, ...rest] = message.map((part) => new TextDecoder().decode(part));
    assert.deepEqual(rest, ["", `part of ${number}`]);
    return Number(number);
  });
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

Deno.test("drain() returns all messages over TCP, whole and in order", async () => {
  using pipe = await openPipe("tcp://127.0.0.1:*");
  await send(pipe.push, 1, 500);
  const received: number[] = [];
  await eventually("500 messages", async () => {
    received.push(...numbersOf(await drain(pipe.pull, 1000)));
    return received.length >= 500;
  });
  assert.deepEqual(received, range(1, 500));
});

Deno.test("drain() takes at most its limit and leaves the rest", async () => {
  // Within a process a message has arrived when it was sent, so the numbers are exact.
  using pipe = await openPipe("inproc://limit");
  await send(pipe.push, 1, 25);
  const turns = [10, 10, 10, 10];
  const received: number[][] = [];
  for (const limit of turns) received.push(numbersOf(await drain(pipe.pull, limit)));
  assert.deepEqual(received, [range(1, 10), range(11, 20), range(21, 25), []]);
});

Deno.test("drain() does not wait where nothing has arrived, and hears what arrives later", async () => {
  using pipe = await openPipe("tcp://127.0.0.1:*");
  assert.deepEqual(await within("the answer", drain(pipe.pull, 1000)), []);
  await send(pipe.push, 1, 1);
  await eventually("the message", () => pipe.pull.readable);
  assert.deepEqual(numbersOf(await drain(pipe.pull, 1000)), [1]);
});

Deno.test("drain() hears a peer that comes after a silence, and one that comes after that", async () => {
  const pull = new Pull({ ...SOCKET_OPTIONS, linger: 0 });
  const peers: Push[] = [];
  try {
    await pull.bind("tcp://127.0.0.1:*");
    for (const number of range(1, 3)) {
      assert.deepEqual(await drain(pull, 1000), []);
      const push = new Push({ linger: 0, sendTimeout: 0, immediate: true });
      peers.push(push);
      push.connect(pull.lastEndpoint!);
      await eventually("the connection", () => push.writable);
      await send(push, number, number);
      await eventually(`peer ${number}`, () => pull.readable);
      assert.deepEqual(numbersOf(await drain(pull, 1000)), [number]);
    }
  } finally {
    for (const socket of [pull, ...peers]) socket.close();
  }
});

/** No test waits so long: whatever is not heard at once is not heard. */
const FOR_EVER_MS = 2 ** 31 - 1;

Deno.test("waitFor() hears each message of each socket, whatever attaches meanwhile", {
  ignore: libc === undefined,
}, async () => {
  const pulls = [0, 1].map(() => new Pull({ ...SOCKET_OPTIONS, linger: 0 }));
  const peers: Push[] = [];
  try {
    for (const pull of pulls) await pull.bind("tcp://127.0.0.1:*");
    const wait = waitFor(pulls, FOR_EVER_MS);
    assert.ok(wait);
    const drainAll = async () =>
      numbersOf((await Promise.all(pulls.map((pull) => drain(pull, 1000)))).flat());
    const next = async () => {
      let received = await drainAll();
      for (; received.length === 0; received = await drainAll()) await wait();
      return received;
    };
    for (const number of range(1, 50)) {
      const heard = next();
      const push = new Push({ linger: 0, sendTimeout: 0, immediate: true });
      peers.push(push);
      push.connect(pulls[number % 2]!.lastEndpoint!);
      await eventually("the connection", () => push.writable);
      await send(push, number, number);
      assert.deepEqual(await within(`message ${number}`, heard), [number]);
      const again = next();
      await send(push, number, number);
      assert.deepEqual(await within(`message ${number} again`, again), [number]);
    }
  } finally {
    for (const socket of [...pulls, ...peers]) socket.close();
  }
});

Deno.test("waitFor() ends by itself, so that whoever waits can look for something else", {
  ignore: libc === undefined,
}, async () => {
  using pipe = await openPipe("tcp://127.0.0.1:*");
  await within("the end of the wait", waitFor([pipe.pull], 1)!());
});

Deno.test("Pacer lets other timers have their turn, however busy it is", async () => {
  const pacer = new Pacer();
  for (const taken of [0, 1, 99, 100, 1_000_000]) {
    let isOver = false;
    setTimeout(() => isOver = true, 0);
    const rounds = (async () => {
      while (!isOver) await pacer.pause(taken);
    })();
    await within(`the timer beside rounds of ${taken}`, rounds);
  }
});

/**
 * Waits inside the addon, in a process of its own, as it would in a program that does not poll. Peers attach one
 * after the other and send a message each. Before and after it, messages go round through a second socket, which
 * is polled: they prove the way, and give the waiting one the time for every wake-up that it can want.
 *
 * Many peers, for on a busy machine a message may meet the wake-up of its peer's arrival and be heard; nothing is
 * heard any more after the first wake-up that finds no message. The waiting socket may not be looked at while it
 * waits, for the look would swallow the wake-up: only at the end is it asked whether a message lies in it.
 */
const WAIT_INSIDE_THE_ADDON = `
  import { Pull, Push } from "zeromq";
  const PEERS = 20;
  const until = async (done) => {
    while (!done()) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  const waiting = new Pull({ linger: 0 });
  const polled = new Pull({ linger: 0, receiveTimeout: 0 });
  for (const socket of [waiting, polled]) await socket.bind("tcp://127.0.0.1:*");
  let heard = 0;
  (async () => {
    for await (const _ of waiting) heard++;
  })();
  const attached = async (socket) => {
    const push = new Push({ linger: 0, sendTimeout: 0, immediate: true });
    push.connect(socket.lastEndpoint);
    await until(() => push.writable);
    return push;
  };
  const toPolled = await attached(polled);
  const roundTrips = async (count) => {
    for (let trip = 0; trip < count; trip++) {
      await toPolled.send("x");
      await until(() => polled.readable);
      await polled.receive();
    }
  };
  const peers = [];
  for (let peer = 0; peer < PEERS; peer++) {
    peers.push(await attached(waiting));
    await roundTrips(5);
    await peers[peer].send("x");
    await roundTrips(5);
  }
  await roundTrips(50);
  await until(() => heard === PEERS || waiting.readable);
  console.log(JSON.stringify({ level: "info", message: "Counted", heard, sent: PEERS }));
  Deno.exit(0);
`;

Deno.test("waiting inside the addon still misses messages, so the sockets have to be polled", async () => {
  await using child = startProcess(["eval", WAIT_INSIDE_THE_ADDON]);
  const { heard, sent } = await child.logged("Counted");
  assert.notEqual(
    heard,
    sent,
    `Good news: a pending receive() hears every message on Deno ${Deno.version.deno} (denoland/deno#36317). Raise ` +
      "MINIMUM_DENO in start.ts, see whether a receiveTimeout above 0 still crashes, and replace the polling in " +
      "zeromq_receive.ts by `for await (… of socket)`.",
  );
});
