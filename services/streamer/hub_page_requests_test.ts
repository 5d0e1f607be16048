/** What the hub page sends, and shows as commands. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  eventSourceCode,
  publicationFields,
  publishCommand,
  readTopics,
  subscribeCommand,
} from "../../static/hub/commands.js";
import { readSelection, streamUrl, writeSelection } from "../../static/hub/matchers.js";
import { trickyText } from "../lib/testing/fixtures.ts";

const HUB_URL = new URL("https://rt.test/.well-known/mercure");
const NONE = { topics: ["/a"], data: "", isPrivate: false, id: "", type: "", retry: "" };

const text = trickyText.map((each) => each.toWellFormed());
const plain = { noNullPrototype: true };
const matcher = fc.record(
  { type: fc.constantFrom("exact" as const, "urlpattern" as const), value: text },
  plain,
);
const selection = fc.record({ matchers: fc.array(matcher), lastEventId: text }, plain);

Deno.test("writeSelection() writes what readSelection() reads, and a hub too", () => {
  fc.assert(fc.property(selection, (selection) => {
    assert.deepEqual(readSelection(new URLSearchParams(writeSelection(selection))), selection);
    assert.deepEqual(readSelection(streamUrl(HUB_URL, selection).searchParams), selection);
  }));
});

Deno.test("writeSelection() leaves readable what may stand in a query component", () => {
  const matchers = [{ type: "exact" as const, value: "*" }, {
    type: "urlpattern" as const,
    value: "/chat/:room",
  }];
  assert.equal(
    writeSelection({ matchers, lastEventId: "earliest" }),
    "match=*&match_urlpattern=/chat/:room&last_event_id=earliest",
  );
});

Deno.test("readSelection() takes every name of a matcher, and no other parameter", () => {
  const parameters = new URLSearchParams(
    "match_exact=a&topic=b&match=c&__proto__=d&toString=e&match_urlpattern=f",
  );
  assert.deepEqual(readSelection(parameters), {
    matchers: [{ type: "exact", value: "a" }, { type: "exact", value: "c" }, {
      type: "urlpattern",
      value: "f",
    }],
    lastEventId: "",
  });
});

Deno.test("the commands name the token, and never contain it", () => {
  const url = streamUrl(HUB_URL, { matchers: [{ type: "exact", value: "*" }], lastEventId: "" });
  assert.equal(subscribeCommand(url, false), "curl -N 'https://rt.test/.well-known/mercure?match=*'");
  assert.match(subscribeCommand(url, true), / \\\n {2}-H "Authorization: Bearer \$TOKEN"$/);
  assert.match(publishCommand(HUB_URL, NONE), / -H "Authorization: Bearer \$TOKEN" /);
  assert.ok(eventSourceCode(url).startsWith(`const updates = new EventSource("${url}");`));
});

Deno.test("publicationFields() sends no field that is empty, but always the data", () => {
  assert.deepEqual(publicationFields(NONE), [["topic", "/a"], ["data", ""]]);
  const all = { topics: ["/a", "/b"], data: "d", isPrivate: true, id: "i", type: "t", retry: "5" };
  assert.equal(
    new URLSearchParams(publicationFields(all)).toString(),
    "topic=%2Fa&topic=%2Fb&data=d&private=on&id=i&type=t&retry=5",
  );
});

Deno.test("a shell hands to curl exactly what was typed", async () => {
  const samples = fc.sample(text.map((each) => each.replaceAll("\0", "")), 100);
  // A function in the place of curl writes its arguments, each with a NUL behind it.
  const script = ["curl() { printf '%s\\0' \"$@\"; }"];
  const expected = [];
  for (const sample of ['it\'s "$TOKEN" `x` \\ !', "@file\nsecond", ...samples]) {
    const publication = { ...NONE, topics: [sample], data: sample };
    script.push(publishCommand(HUB_URL, publication));
    expected.push(HUB_URL.href, "-H", "Authorization: Bearer secret");
    for (const [name, value] of publicationFields(publication)) {
      expected.push("--data-urlencode", `${name}=${value}`);
    }
    const url = streamUrl(HUB_URL, {
      matchers: [{ type: "urlpattern", value: sample }],
      lastEventId: sample,
    });
    script.push(subscribeCommand(url, true));
    expected.push("-N", url.href, "-H", "Authorization: Bearer secret");
  }
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", script.join("\n")],
    env: { TOKEN: "secret" },
  }).output();
  assert.deepEqual(
    new TextDecoder("utf-8", { ignoreBOM: true }).decode(stdout).split("\0").slice(0, -1),
    expected,
  );
});

Deno.test("readTopics() takes one topic from each line", () => {
  assert.deepEqual(readTopics(" /a \r\n\n/b c\r\t\n"), ["/a", "/b c"]);
  assert.deepEqual(readTopics(" \n"), []);
});
