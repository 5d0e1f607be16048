import assert from "node:assert/strict";
import * as fc from "fast-check";
import { anyUpdate, numberedUpdate, trickyText } from "../testing/fixtures.ts";
import { formatCursor, parseCursor, type Position } from "./position.ts";
import {
  decodeReply,
  decodeRequest,
  decodeText,
  decodeXpub,
  decodeXsub,
  encodeProbe,
  encodeReply,
  encodeRequest,
  encodeUpdate,
  MAX_PAGE,
  type Reply,
  type RouterRequest,
  WireError,
} from "./zeromq_wire.ts";

const encoder = new TextEncoder();
const CORRELATION = encoder.encode("c1");
const DELIMITER = new Uint8Array();
const INVALID_UTF8 = [
  new Uint8Array([0xff]),
  new Uint8Array([0xc3]),
  new Uint8Array([0xc0, 0x80]),
  // Half a surrogate pair, as a sloppy encoder writes it.
  new Uint8Array([0xed, 0xa0, 0x80]),
];

/** Texts as ØMQ hands them over. */
function frames(...texts: readonly (string | Uint8Array)[]): Uint8Array[] {
  return texts.map((text) => typeof text === "string" ? encoder.encode(text) : text);
}

/** The request in these frames, behind a correlation. */
function request(...texts: readonly (string | Uint8Array)[]): RouterRequest | WireError {
  const decoded = decodeRequest([CORRELATION, ...frames(...texts)]);
  return decoded.request ?? decoded.error;
}

/** As plain objects, which is what the decoders make. */
const PLAIN = { noNullPrototype: true } as const;

const anyPosition: fc.Arbitrary<Position> = fc.record({
  epoch: fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 16, maxLength: 16 }),
  number: fc.maxSafeNat(),
}, PLAIN);

const anyRequest: fc.Arbitrary<RouterRequest> = fc.oneof(
  fc.record({
    verb: fc.constant("publish" as const),
    requestKey: trickyText.filter((key) => key !== ""),
    update: anyUpdate,
  }, PLAIN),
  fc.record({
    verb: fc.constant("history" as const),
    after: fc.oneof(fc.constant("earliest" as const), anyPosition),
    limit: fc.integer({ min: 1, max: MAX_PAGE }),
  }, PLAIN),
  fc.record({ verb: fc.constant("locate" as const), id: trickyText }, PLAIN),
  fc.record({ verb: fc.constant("probe" as const), nonce: trickyText }, PLAIN),
);

const anyReply: fc.Arbitrary<Reply> = fc.oneof(
  fc.record({ ok: fc.constant(true as const), payload: fc.array(trickyText, { minLength: 1 }) }, PLAIN),
  fc.record({
    ok: fc.constant(false as const),
    code: fc.constantFrom("invalid" as const, "history-lost" as const),
    reason: trickyText,
  }, PLAIN),
);

Deno.test("parseCursor() reads what formatCursor() writes", () => {
  assert.equal(formatCursor({ epoch: "00c0ffee00c0ffee", number: 0 }), "00c0ffee00c0ffee-0");
  fc.assert(fc.property(anyPosition, (position) => {
    assert.deepEqual(parseCursor(formatCursor(position)), position);
  }));
});

Deno.test("parseCursor() refuses what is no cursor", () => {
  for (
    const text of [
      "",
      "earliest",
      "00c0ffee00c0ffee",
      "00c0ffee00c0ffee-",
      "00c0ffee00c0ffee--1",
      "00c0ffee00c0ffee-01",
      "00c0ffee00c0ffee-1.5",
      "00c0ffee00c0ffee-1e3",
      "00c0ffee00c0ffee-1\n",
      " 00c0ffee00c0ffee-1",
      "00C0FFEE00C0FFEE-1",
      "0c0ffee00c0ffee-1",
      "000c0ffee00c0ffee-1",
      "g0c0ffee00c0ffee-1",
      // Above the largest whole number that is exact, and far above it.
      "00c0ffee00c0ffee-9007199254740992",
      "00c0ffee00c0ffee-99999999999999999999",
    ]
  ) {
    assert.equal(parseCursor(text), undefined, text);
  }
});

Deno.test("decodeRequest() reads what encodeRequest() writes, and keeps the correlation as it came", () => {
  fc.assert(fc.property(anyRequest, fc.uint8Array({ minLength: 1 }), (written, correlation) => {
    const { envelope, request } = decodeRequest([correlation, ...frames(...encodeRequest(written))]);
    assert.deepEqual(envelope, [correlation]);
    assert.deepEqual(request, written);
  }));
});

Deno.test("decodeRequest() keeps the delimiter of a REQ socket in the envelope", () => {
  fc.assert(fc.property(anyRequest, fc.uint8Array(), (written, correlation) => {
    const all = [DELIMITER, correlation, ...frames(...encodeRequest(written))];
    const { envelope, request } = decodeRequest(all);
    assert.deepEqual(envelope, [DELIMITER, correlation]);
    assert.deepEqual(request, written);
  }));
});

Deno.test("decodeRequest() refuses frames without a correlation", () => {
  for (const incomplete of [[], [DELIMITER]]) {
    const decoded = decodeRequest(incomplete);
    const { envelope } = decoded;
    assert.ok(decoded.request === undefined);
    assert.match(decoded.error.message, /correlation/);
    assert.deepEqual(envelope, incomplete);
  }
});

Deno.test("decodeRequest() returns the envelope of what it refuses, so that it can be answered", () => {
  for (const start of [[CORRELATION], [DELIMITER, CORRELATION]]) {
    const { envelope, request } = decodeRequest([...start, ...frames("nonsense")]);
    assert.equal(request, undefined);
    assert.deepEqual(envelope, start);
  }
});

Deno.test("decodeRequest() takes at most a page", () => {
  for (const [asked, given] of [["1", 1], ["1000", 1000], ["1001", MAX_PAGE], ["999999999", MAX_PAGE]]) {
    assert.deepEqual(request("history", "earliest", `${asked}`), {
      verb: "history",
      after: "earliest",
      limit: given,
    });
  }
});

const UPDATE = JSON.stringify(numberedUpdate(1));
const CURSOR = "00c0ffee00c0ffee-1";

const BAD_REQUESTS: Readonly<
  Record<string, readonly [request: readonly (string | Uint8Array)[], message: RegExp]>
> = {
  "no verb": [[], /must be publish, history, locate, end or probe/],
  "an empty verb": [[""], /must be publish, history, locate, end or probe/],
  "an unknown verb": [["delete", "x"], /must be publish, history, locate, end or probe/],
  "a verb in capitals": [["PROBE", "x"], /must be publish, history, locate, end or probe/],
  "a publish without an update": [["publish", "key"], /publish request must have 2 frames/],
  "a publish with a frame too many": [["publish", "key", UPDATE, ""], /publish request must have 2 frames/],
  "a publish without a key": [["publish", "", UPDATE], /must have a request key/],
  "a publish with a key that is too long": [["publish", "k".repeat(1025), UPDATE], /at most 1024 characters/],
  "a publish of no JSON": [["publish", "key", "{"], /must be JSON/],
  "a publish of an update without an id": [["publish", "key", '{"topics":["/a"],"data":""}'], /: id /],
  "a publish of an update on every topic": [
    ["publish", "key", UPDATE.replace("/test/1", "*")],
    /: topics\.0 /,
  ],
  "a history without a limit": [["history", "earliest"], /history request must have 2 frames/],
  "a history after nothing": [["history", "", "5"], /cursor must be/],
  "a history after latest": [["history", "latest", "5"], /cursor must be/],
  "a history of none": [["history", "earliest", "0"], /limit .* from 1 on/],
  "a history of less than none": [["history", "earliest", "-1"], /limit .* whole number/],
  "a history of no number": [["history", "earliest", "1e3"], /limit .* whole number/],
  "a history of an empty number": [["history", CURSOR, ""], /limit .* whole number/],
  "a locate of two ids": [["locate", "a", "b"], /locate request must have 1 frames/],
  "a probe without a nonce": [["probe"], /probe request must have 1 frames/],
  "a verb that is not UTF-8": [[INVALID_UTF8[0]!, "x"], /must be UTF-8/],
  "an id that is not UTF-8": [["locate", INVALID_UTF8[2]!], /must be UTF-8/],
};

for (const [what, [texts, message]] of Object.entries(BAD_REQUESTS)) {
  Deno.test(`decodeRequest() refuses ${what}`, () => {
    const refusal = request(...texts);
    assert.ok(refusal instanceof WireError, JSON.stringify(refusal));
    assert.match(refusal.message, message);
  });
}

Deno.test("decodeRequest() says of a name that every object has that it is no verb", () => {
  for (const name of ["toString", "constructor", "__proto__", "hasOwnProperty"]) {
    const refusal = request(name, "x");
    assert.ok(refusal instanceof WireError);
    assert.match(refusal.message, /must be publish, history, locate, end or probe/);
  }
});

Deno.test("decodeRequest() repeats nothing of what it refuses", () => {
  for (const value of ["secret", { ...numberedUpdate(1), topics: "secret" }]) {
    const refusal = request("publish", "key", JSON.stringify(value));
    assert.ok(refusal instanceof WireError);
    assert.doesNotMatch(refusal.message, /secret/);
  }
});

Deno.test("decodeReply() reads what encodeReply() writes", () => {
  fc.assert(fc.property(anyReply, (reply) => {
    assert.deepEqual(decodeReply(frames(...encodeReply(reply))), reply);
  }));
});

Deno.test("decodeReply() refuses what is no reply", () => {
  for (
    const texts of [
      [],
      [""],
      ["ok"],
      ["OK", "x"],
      ["error"],
      ["error", "invalid"],
      ["error", "unheard-of", "x"],
      ["error", "toString", "x"],
      [INVALID_UTF8[0]!],
      ["ok", INVALID_UTF8[1]!],
    ]
  ) {
    assert.throws(() => decodeReply(frames(...texts)), WireError);
  }
});

Deno.test("decodeXpub() reads what encodeUpdate() writes", () => {
  fc.assert(fc.property(anyUpdate, anyPosition, (update, position) => {
    const written = encodeUpdate(update.topics[0], { position, json: JSON.stringify(update) });
    assert.deepEqual(decodeXpub(frames(...written)), { kind: "update", position, update });
  }));
});

Deno.test("decodeXpub() reads what encodeProbe() writes", () => {
  fc.assert(fc.property(anyPosition, trickyText, (end, nonce) => {
    const written = encodeProbe(end, nonce);
    assert.deepEqual(decodeXpub(frames(...written)), { kind: "probe", end, nonce });
    assert.ok(written[0]!.startsWith("\0"), "A subscriber to topics could take it for one");
  }));
});

Deno.test("decodeXpub() refuses what XPUB does not carry", () => {
  for (
    const texts of [
      [],
      [UPDATE],
      ["/test/1", CURSOR],
      ["/test/1", CURSOR, UPDATE, ""],
      ["/test/1", "1", UPDATE],
      ["/test/1", CURSOR, "{}"],
      ["/test/1", CURSOR, ""],
      ["\0probe", "1", "nonce"],
      ["\0other", CURSOR, "nonce"],
      [INVALID_UTF8[3]!, CURSOR, UPDATE],
      ["/test/1", CURSOR, INVALID_UTF8[3]!],
    ]
  ) {
    assert.throws(() => decodeXpub(frames(...texts)), WireError, JSON.stringify(texts));
  }
});

Deno.test("decodeXsub() reads an update, alone or behind its canonical topic", () => {
  fc.assert(fc.property(anyUpdate, (update) => {
    const json = JSON.stringify(update);
    assert.deepEqual(decodeXsub(frames(json)), update);
    assert.deepEqual(decodeXsub(frames(update.topics[0], json)), update);
  }));
});

Deno.test("decodeXsub() makes an id for an update without one, and takes one topic as `topic`", () => {
  const { id, ...rest } = decodeXsub(frames('{"topic":"/a","data":"x"}'));
  assert.match(id, /^urn:uuid:/);
  assert.deepEqual(rest, { topics: ["/a"], data: "x", private: false });
  const again = decodeXsub(frames("/a", '{"topics":["/a","/b"],"data":"x"}'));
  assert.deepEqual(again.topics, ["/a", "/b"]);
  assert.notEqual(again.id, id);
});

// As the original program sends them, and with the data that the broadcaster gives to the same events.
for (
  const [sent, data] of [
    [
      { event: "login", message: "someone logged in", urgent: false, level: "debug" },
      '{"message":"someone logged in","level":"debug"}',
    ],
    [
      { event: "user:btn", message: "someone picked a blue pill", urgent: false, level: "info" },
      '{"message":"someone picked a blue pill","level":"info"}',
    ],
    [
      { event: "user:btn", message: "someone picked a red pill", urgent: true, level: "info" },
      '{"message":"someone picked a red pill","level":"info","notify":true}',
    ],
  ] as const
) {
  Deno.test(`decodeXsub() reads the demo's "${sent.message}"`, () => {
    const topic = `/tracking/${sent.event}`;
    for (const texts of [[JSON.stringify(sent)], [topic, JSON.stringify(sent)]]) {
      const { id, ...rest } = decodeXsub(frames(...texts));
      assert.match(id, /^urn:uuid:/);
      assert.deepEqual(rest, { topics: [topic], type: sent.event, data, private: false });
    }
  });
}

Deno.test("decodeXsub() takes a demo message for not urgent that does not say so", () => {
  const { data } = decodeXsub(frames('{"event":"login","message":"x","level":"debug"}'));
  assert.equal(data, '{"message":"x","level":"debug"}');
});

const BAD_PUBLICATIONS: Readonly<
  Record<string, readonly [publication: readonly (string | Uint8Array)[], message: RegExp]>
> = {
  "no frames": [[], /1 or 2 frames/],
  "three frames": [["/test/1", UPDATE, ""], /1 or 2 frames/],
  "an empty frame": [[""], /must be JSON/],
  "no JSON": [["hello"], /must be JSON/],
  "JSON behind a byte order mark": [[`\uFEFF${UPDATE}`], /must be JSON/],
  "null": [["null"], /must be a JSON object/],
  "a text": [['"text"'], /must be a JSON object/],
  "a number": [["5"], /must be a JSON object/],
  "a list": [[`[${UPDATE}]`], /Cannot take the update/],
  "no topic": [['{"data":"x"}'], /: topics /],
  "a topic that is no text": [['{"topic":5,"data":"x"}'], /: topics\.0 /],
  "no data": [['{"topic":"/a"}'], /: data /],
  "an id of null": [['{"id":null,"topic":"/a","data":"x"}'], /: id /],
  "another topic in front": [["/test/2", UPDATE], /must be the canonical topic/],
  "an alternate topic in front": [["/b", '{"topics":["/a","/b"],"data":"x"}'], /must be the canonical topic/],
  "an empty topic in front": [["", UPDATE], /must be the canonical topic/],
  "a byte order mark before the topic in front": [["\uFEFF/test/1", UPDATE], /must be the canonical topic/],
  "a topic that begins with a byte order mark": [
    ["\uFEFF/a", '{"topic":"\uFEFF/a","data":"x"}'],
    /: topics\.0 must not hold control or invisible/,
  ],
  "a demo message of a forged type": [
    ['{"event":"a\\nid: b","message":"x","level":"info"}'],
    /must not hold control or invisible/,
  ],
  "a demo message without a type": [
    ['{"event":"","message":"x","level":"info"}'],
    /: type must not be empty/,
  ],
  "a demo message without a level": [['{"event":"login","message":"x"}'], /Cannot take the update/],
  "half a surrogate pair": [['{"topic":"/a","data":"\\ud83d"}'], /half a surrogate pair/],
  "a topic that is not UTF-8": [[INVALID_UTF8[1]!, UPDATE], /must be UTF-8/],
};

for (const [what, [texts, message]] of Object.entries(BAD_PUBLICATIONS)) {
  Deno.test(`decodeXsub() refuses ${what}`, () => {
    assert.throws(() => decodeXsub(frames(...texts)), (error) => {
      assert.ok(error instanceof WireError, `${error}`);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("decodeText() reads UTF-8 as it is, with a byte order mark", () => {
  fc.assert(fc.property(trickyText, (text) => {
    assert.equal(decodeText(encoder.encode(text)), text);
  }));
  assert.equal(decodeText(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])), "\uFEFFa");
});

Deno.test("decodeText() refuses what is not UTF-8", () => {
  for (const frame of INVALID_UTF8) assert.throws(() => decodeText(frame), WireError, `${frame}`);
});

/** Frames that come near to sense: words of the format, JSON of any kind, broken updates, and bytes. */
const anyFrames = fc.array(
  fc.oneof(
    fc.uint8Array(),
    fc.oneof(
      fc.constantFrom(
        ...["", "publish", "history", "locate", "probe", "ok", "error", "invalid", "earliest"],
        ...["\0probe", "/test/1", CURSOR, "1", UPDATE, "toString", "__proto__"],
      ),
      fc.json(),
      // One character of an update replaced.
      fc.tuple(fc.nat(UPDATE.length - 1), fc.string({ unit: "binary", maxLength: 1 })).map(
        ([index, text]) => UPDATE.slice(0, index) + text + UPDATE.slice(index + 1),
      ),
      fc.dictionary(
        fc.constantFrom(
          "id",
          "topic",
          "topics",
          "data",
          "type",
          "retry",
          "private",
          "event",
          "message",
          "level",
        ),
        fc.jsonValue(),
      ).map((value) => JSON.stringify(value)),
    ).map((text) => encoder.encode(text)),
  ),
  { maxLength: 5 },
);

Deno.test("decodeRequest() throws at no frames whatever", () => {
  fc.assert(
    fc.property(anyFrames, (all) => {
      const decoded = decodeRequest(all);
      const { envelope, request } = decoded;
      assert.deepEqual(envelope, all.slice(0, envelope.length));
      assert.ok(
        request === undefined ? decoded.error instanceof WireError : typeof request.verb === "string",
      );
    }),
    { numRuns: 2000 },
  );
});

for (const decode of [decodeXpub, decodeReply, decodeXsub]) {
  Deno.test(`${decode.name}() throws nothing but a WireError at any frames`, () => {
    fc.assert(
      fc.property(anyFrames, (all) => {
        try {
          decode(all);
        } catch (error) {
          assert.ok(error instanceof WireError, `${error}`);
        }
      }),
      { numRuns: 2000 },
    );
  });
}
