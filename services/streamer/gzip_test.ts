/// <reference lib="dom" />
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer, get, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { crc32, createGunzip, gunzipSync } from "node:zlib";
import * as fc from "fast-check";
import { concatFrames, encodeFrames, encodePreamble, HEARTBEAT } from "../lib/sse.ts";
import { launchBrowser, openPage } from "../lib/testing/browser.ts";
import { eventually, within } from "../lib/testing/deadline.ts";
import { numberedUpdate } from "../lib/testing/fixtures.ts";
import { Chunk } from "./chunk.ts";
import { acceptsGzip, deflate, type Deflated, GzipStream } from "./gzip.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const eventsOf = (count: number) =>
  concatFrames(encodeFrames(Array.from({ length: count }, (_, number) => numberedUpdate(number))));

/** Bytes in which nothing repeats: they do not shrink. */
const noiseOf = (size: number, seed: number) => {
  const bytes = new Uint8Array(size);
  let state = seed;
  for (let index = 0; index < size; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
};

const aPlain: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.constantFrom(new Uint8Array(), HEARTBEAT, encode("x")),
  fc.uint8Array({ maxLength: 300 }),
  fc.nat({ max: 40 }).map(eventsOf),
  // Around the size of one stored block and of several, and around that of zlib's own output.
  fc.tuple(
    fc.constantFrom(16_384, 65_535, 65_536, 131_070, 300_000),
    fc.integer({ min: -12, max: 12 }),
    fc.nat(),
  )
    .map(([size, more, seed]) => noiseOf(size + more, seed)),
  fc.integer({ min: 0, max: 300_000 }).map((size) => new Uint8Array(size)),
);
const somePlains = fc.array(aPlain, { maxLength: 8 });

/** A whole stream of these pieces. */
function streamOf(pieces: readonly Deflated[]): Uint8Array {
  const stream = new GzipStream();
  return concatFrames([GzipStream.HEADER, ...pieces.map((piece) => stream.add(piece)), stream.end()]);
}

/** Without the difference: to find that of two long arrays takes minutes. */
function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length);
  assert.equal(Buffer.compare(actual, expected), 0, "The bytes differ");
}

Deno.test("GzipStream carries any sequence of pieces, with the checksum and the size of them all at its end", () => {
  fc.assert(
    fc.property(somePlains, (plains) => {
      const whole = concatFrames(plains);
      const stream = streamOf(plains.map(deflate));
      assertSame(gunzipSync(stream), whole);
      const trailer = new DataView(stream.slice(-8).buffer);
      assert.deepEqual([trailer.getUint32(0, true), trailer.getUint32(4, true)], [
        crc32(whole),
        whole.length,
      ]);
    }),
  );
});

Deno.test("gunzipSync() takes neither another checksum nor another size nor none", () => {
  const stream = streamOf([deflate(encode("one"))]);
  for (const index of [-8, -5, -4]) {
    const other = stream.slice();
    other[stream.length + index]! ^= 1;
    assert.throws(() => gunzipSync(other));
  }
  assert.throws(() => gunzipSync(stream.subarray(0, -10)));
  assert.throws(() => gunzipSync(stream.subarray(0, -1)));
});

Deno.test("Deflated pieces can be shared by streams that take them in different orders, from any one on", () => {
  const orders = fc.array(fc.array(fc.nat({ max: 7 }), { maxLength: 10 }), { minLength: 2, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(aPlain, { minLength: 1, maxLength: 8 }), orders, (plains, orders) => {
      const pieces = plains.map(deflate);
      for (const order of orders) {
        const indexes = order.map((index) => index % plains.length);
        assertSame(
          gunzipSync(streamOf(indexes.map((index) => pieces[index]!))),
          concatFrames(indexes.map((index) => plains[index]!)),
        );
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("GzipStream counts on past 4 GiB, modulo 2³²", () => {
  const plain = noiseOf(2 ** 24, 1);
  const piece = deflate(plain);
  const stream = new GzipStream();
  let crc = 0;
  for (let count = 0; count < 257; count++) {
    stream.add(piece);
    crc = crc32(plain, crc);
  }
  const trailer = new DataView(stream.end().buffer, 2);
  assert.deepEqual([trailer.getUint32(0, true), trailer.getUint32(4, true)], [crc, plain.length]);
});

// What hangs is waited for, so these two do not look for the smallest sequence that does.
Deno.test("Gunzip gives out each piece whole before it is fed the next one", async () => {
  await fc.assert(
    fc.asyncProperty(somePlains, async (plains) => {
      const received: Uint8Array[] = [];
      const gunzip = createGunzip().on("data", (bytes: Uint8Array) => received.push(bytes));
      const ended = once(gunzip, "end");
      // The callback comes when all that was fed has been worked off.
      const feed = (bytes: Uint8Array) =>
        within(
          "a piece to be worked off",
          Promise.race([ended, new Promise<unknown>((resolve) => gunzip.write(bytes, resolve))]),
        );
      const stream = new GzipStream();
      await feed(GzipStream.HEADER);
      for (const plain of plains) {
        received.length = 0;
        await feed(stream.add(deflate(plain)));
        assertSame(concatFrames(received), plain);
      }
      gunzip.end(stream.end());
      await within("the end", ended);
    }),
    { numRuns: 50, endOnFailure: true },
  );
});

Deno.test("DecompressionStream gives out each piece whole before it is fed the next one", async () => {
  await fc.assert(
    fc.asyncProperty(somePlains, async (plains) => {
      let source!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
      const compressed = new ReadableStream<Uint8Array<ArrayBuffer>>({
        start: (controller) => {
          source = controller;
        },
      });
      const reader = compressed.pipeThrough(new DecompressionStream("gzip")).getReader();
      const stream = new GzipStream();
      source.enqueue(GzipStream.HEADER);
      for (const plain of plains) {
        source.enqueue(stream.add(deflate(plain)));
        const received: Uint8Array[] = [];
        for (let size = 0; size < plain.length;) {
          const { value } = await within("the bytes of a piece", reader.read());
          received.push(value!);
          size += value!.length;
        }
        assertSame(concatFrames(received), plain);
      }
      source.enqueue(stream.end());
      source.close();
      assert.equal((await within("the end", reader.read())).done, true);
    }),
    { numRuns: 50, endOnFailure: true },
  );
});

Deno.test("deflate() makes ten updates more than five times smaller", () => {
  const updates = Array.from({ length: 10 }, (_, number) =>
    numberedUpdate(number, {
      data: JSON.stringify({ message: "someone picked a red pill", level: "info", number, notify: true }),
    }));
  const plain = concatFrames(encodeFrames(updates));
  assert.ok(deflate(plain).bytes.length * 5 < plain.length);
});

Deno.test("deflate() stores what does not shrink, and keeps no more memory than the bytes take", () => {
  assert.equal(deflate(HEARTBEAT).bytes.length, HEARTBEAT.length + 5);
  assert.equal(deflate(noiseOf(65_535, 1)).bytes.length, 65_535 + 5);
  assert.equal(deflate(noiseOf(65_536, 1)).bytes.length, 65_536 + 2 * 5);
  for (const plain of [new Uint8Array(), HEARTBEAT, eventsOf(10), noiseOf(70_000, 1)]) {
    const { bytes } = deflate(plain);
    assert.ok(bytes.length <= plain.length + 5 * Math.ceil(plain.length / 65_535));
    assert.equal(bytes.buffer.byteLength, bytes.length);
  }
});

Deno.test("Chunk deflates once, and each GzipStream hands out the same bytes", () => {
  const chunk = new Chunk(eventsOf(10));
  assert.equal(chunk.deflated, chunk.deflated);
  assertSame(gunzipSync(streamOf([chunk.deflated])), chunk.plain);
  const bytes = [1, 2].map(() => new GzipStream().add(chunk.deflated));
  assert.equal(bytes[0], bytes[1]);
});

for (
  const [header, accepts] of [
    [undefined, false],
    ["", false],
    ["gzip", true],
    ["GZip", true],
    ["x-gzip", true],
    ["X-GZIP;Q=0.5", true],
    ["gzip, deflate, br, zstd", true],
    ["br\t,\tgzip", true],
    ["br,,gzip,", true],
    ["*", true],
    ["br, *;q=0.1", true],
    ["identity", false],
    ["deflate, br", false],
    ["gzipped, xgzip, gzip2", false],
    ["gzip;q=0", false],
    ["gzip;q=0.000", false],
    ["gzip; q=0.001", true],
    ["gzip ;\tq=1.000", true],
    ["*;q=0", false],
    ["gzip;q=0, *", false],
    ["*, gzip;q=0", false],
    ["*;q=0, gzip", true],
    ["gzip, x-gzip;q=0", false],
    ["gzip;q=1.001", false],
    ["gzip;q=-1", false],
    ["gzip;q=.5", false],
    ["gzip;q=1e0", false],
    ["gzip;q=", false],
    ["gzip;level=9", false],
    ["identity;q=1, gzip;q=0.5", true],
  ] as const
) {
  Deno.test(`acceptsGzip(${JSON.stringify(header)}) is ${accepts}`, () => {
    assert.equal(acceptsGzip(header), accepts);
  });
}

interface Connection {
  readonly lastEventId: string | undefined;
  readonly acceptEncoding: string | undefined;
  /** Writes the text as a piece of its own. */
  write(text: string): void;
  end(): void;
  /** Ends the response, but not the gzip stream in it. */
  cut(): void;
}

interface GzipServer extends AsyncDisposable {
  readonly url: string;
  /** The next stream that somebody opens. Its response and its gzip header are already on the way. */
  connection(): Promise<Connection>;
}

/** A server on a real socket: every path is a gzip stream, except the page at `/`. */
async function serveGzip(): Promise<GzipServer> {
  const connections: Connection[] = [];
  const server = createServer(({ url, headers }, response) => {
    if (url === "/") {
      response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>Test</title>");
    } else {
      connections.push({
        lastEventId: headers["last-event-id"] as string | undefined,
        acceptEncoding: headers["accept-encoding"] as string | undefined,
        ...openStream(response),
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    connection: () => eventually("a connection", () => connections.shift()),
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function openStream(response: ServerResponse) {
  const stream = new GzipStream();
  response.writeHead(200, {
    "Content-Type": "text/event-stream",
    "Content-Encoding": "gzip",
    "Cache-Control": "no-store",
  });
  response.write(GzipStream.HEADER);
  return {
    write: (text: string) => void response.write(stream.add(deflate(encode(text)))),
    end: () => void response.end(stream.end()),
    cut: () => void response.end(),
  };
}

/** What a client makes of a stream: the text in pieces, and an error where it thinks that the stream was cut. */
type Client = (url: string) => AsyncIterable<Uint8Array>;

async function* denoFetch(url: string): AsyncIterable<Uint8Array> {
  const { body } = await fetch(url);
  yield* body!;
}

async function* nodeHttp(url: string): AsyncIterable<Uint8Array> {
  const request = get(url, { headers: { "Accept-Encoding": "gzip" }, agent: false });
  const [response] = await once(request, "response");
  yield* response.pipe(createGunzip());
}

function program(command: string, ...args: string[]): Client {
  return async function* (url) {
    const child = new Deno.Command(command, { args: [...args, url], stdout: "piped", stderr: "null" })
      .spawn();
    yield* child.stdout;
    const { code } = await child.status;
    if (code !== 0) throw new Error(`${command} exited with ${code}`);
  };
}

function isInstalled(command: string): boolean {
  try {
    return new Deno.Command(command, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const NODE_FETCH = `
  (async () => {
    const { body } = await fetch(process.argv[1]);
    for await (const bytes of body) process.stdout.write(bytes);
  })();`;
const NODE_HTTP = `
  require("http").get(process.argv[1], { headers: { "Accept-Encoding": "gzip" } }, (response) =>
    require("stream").pipeline(response, require("zlib").createGunzip(), process.stdout, (error) => {
      if (error) throw error;
    }));`;

const TEXTS = [
  decode(encodePreamble(1000)),
  ":\n",
  decode(concatFrames(encodeFrames([numberedUpdate(1)]))),
  decode(eventsOf(100)),
  decode(concatFrames(encodeFrames([numberedUpdate(2, { data: "é日🐇" })]))),
];

for (
  const { name, client, ignore = false } of [
    { name: "Deno's fetch", client: denoFetch },
    { name: "node:http with Gunzip", client: nodeHttp },
    { name: "curl", client: program("curl", "-sN", "--compressed"), ignore: !isInstalled("curl") },
    { name: "the fetch of Node", client: program("node", "-e", NODE_FETCH), ignore: !isInstalled("node") },
    { name: "Node's http with zlib", client: program("node", "-e", NODE_HTTP), ignore: !isInstalled("node") },
  ]
) {
  Deno.test({
    name: `${name} sees each piece of a gzip stream when it comes, and its end`,
    ignore,
    fn: async () => {
      await using server = await serveGzip();
      let received = "";
      const reading = (async () => {
        const decoder = new TextDecoder();
        for await (const bytes of client(`${server.url}events`)) {
          received += decoder.decode(bytes, { stream: true });
        }
      })();
      const connection = await server.connection();
      assert.ok(acceptsGzip(connection.acceptEncoding));
      let sent = "";
      for (const text of TEXTS) {
        connection.write(text);
        sent += text;
        await Promise.race([
          reading,
          eventually(`${sent.length} characters`, () => received.length >= sent.length),
        ]);
        assert.equal(received, sent);
      }
      connection.end();
      await within("the end", reading);
      assert.equal(received, sent);
    },
  });
}

Deno.test("Deno's fetch reports an error for a gzip stream without its trailer", async () => {
  await using server = await serveGzip();
  const reading = assert.rejects(Array.fromAsync(denoFetch(`${server.url}events`)), TypeError);
  const connection = await server.connection();
  connection.write(TEXTS[0]!);
  connection.cut();
  await within("the error", reading);
});

Deno.test("EventSource of Chromium sees each event of a gzip stream, and comes back after its end", async () => {
  await using server = await serveGzip();
  const browser = await launchBrowser();
  try {
    await using watched = await openPage(browser, server.url);
    const { page } = watched;
    const received: string[] = [];
    await page.exposeFunction("tell", (data: string) => void received.push(data));
    await page.evaluate(() => {
      const source = new EventSource("/events");
      const { tell } = globalThis as unknown as { tell: (data: string) => void };
      source.onopen = () => tell("open");
      source.onmessage = ({ data }) => tell(data);
      // Back to connecting, and not closed for good.
      source.onerror = () => tell(`error ${source.readyState}`);
    });
    const expected: string[] = [];
    const expectNext = async (...texts: string[]) => {
      expected.push(...texts);
      await eventually(`${texts}`, () => received.length >= expected.length);
      // After an error it opens the next stream by itself.
      assert.deepEqual(received.slice(0, expected.length), expected);
    };
    const ways = ["end", "cut", "end"] as const;
    for (const [round, way] of ways.entries()) {
      const connection = await server.connection();
      assert.ok(acceptsGzip(connection.acceptEncoding));
      assert.equal(connection.lastEventId, round === 0 ? undefined : `urn:test:${round - 1}.2`);
      connection.write(decode(encodePreamble(1)));
      await expectNext("open");
      for (const number of [1, 2]) {
        const id = `urn:test:${round}.${number}`;
        connection.write(`id: ${id}\ndata: ${id}\n\n`);
        await expectNext(id);
      }
      connection[way]();
      await expectNext("error 0");
    }
    assert.deepEqual(watched.complaints, []);
  } finally {
    await browser.close();
  }
});
