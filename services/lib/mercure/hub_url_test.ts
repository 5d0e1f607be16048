import assert from "node:assert/strict";
import { DEFAULT_HUB_PATH, HubUrl } from "./hub_url.ts";

const REQUEST = "http://127.0.0.1:8001/.well-known/mercure?match=x";

Deno.test("a path takes scheme and host from the request, a URL does not", () => {
  const path = new HubUrl(DEFAULT_HUB_PATH);
  assert.equal(path.isPinned, false);
  assert.equal(path.resolve(REQUEST), "http://127.0.0.1:8001/.well-known/mercure");
  assert.equal(
    path.resolveMetadata(REQUEST),
    "http://127.0.0.1:8001/.well-known/oauth-protected-resource/.well-known/mercure",
  );
  const pinned = new HubUrl("https://rt.test/push");
  assert.equal(pinned.isPinned, true);
  assert.equal(pinned.path, "/push");
  assert.equal(pinned.resolve(REQUEST), "https://rt.test/push");
  assert.equal(pinned.resolveMetadata(REQUEST), "https://rt.test/.well-known/oauth-protected-resource/push");
});

Deno.test("the reserved namespace is the hub's path and what is below, however it is written", () => {
  const hub = new HubUrl(DEFAULT_HUB_PATH);
  const isReserved = (topic: string) => hub.isReserved(topic, "https://hub.test/.well-known/mercure");
  for (
    const topic of [
      "",
      "#a",
      "?a=1",
      "mercure",
      "mercure/x",
      "./mercure",
      "/.well-known/mercure",
      "/.well-known/%6Dercure/x",
      "/%2Ewell-known/mercure/z",
      "/.well-known/mercure/../mercure/x",
      "/.well-known/x/%2e%2e/mercure/y",
      "https://any.test/.well-known/mercure",
      "//other/.well-known/mercure",
      "https://a.test\\.well-known\\mercure\\x",
      "foo:/.well-known/mercure",
    ]
  ) assert.equal(isReserved(topic), true, topic);
  for (
    const topic of [
      "foo",
      "subscriptions/x",
      "a b",
      "/.well-known/mercure-x",
      "/.well-known/mercure%2Fx",
      "/.well-known//mercure",
      "/.WELL-KNOWN/mercure",
      "https://a.test/x/.well-known/mercure",
      "urn:a:b",
      "foo:.well-known/mercure",
      "http://[bad",
    ]
  ) assert.equal(isReserved(topic), false, topic);
});

Deno.test("the reserved namespace moves with the hub", () => {
  const hub = new HubUrl("https://rt.test/push");
  assert.equal(hub.isReserved("/push/subscriptions", "https://rt.test/push"), true);
  assert.equal(hub.isReserved("/.well-known/mercure", "https://rt.test/push"), false);
});
