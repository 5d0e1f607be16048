import assert from "node:assert/strict";
import { Admission } from "./admission.ts";

const NONE = { maxStreams: 0, maxStreamsPerClient: 0, maxSubscriptionsPerToken: 0 };
const ANY = { client: "192.0.2.1", subscriptions: 1 };

Deno.test("Admission without limits lets everybody in", () => {
  const admission = new Admission(NONE);
  for (let count = 0; count < 1000; count++) assert.ok(admission.admit(ANY));
});

Deno.test("Admission bounds streams in all, and counts those that left no more", () => {
  const admission = new Admission({ ...NONE, maxStreams: 2 });
  const leave = admission.admit(ANY);
  assert.ok(leave);
  assert.ok(admission.admit({ ...ANY, client: "192.0.2.2" }));
  assert.equal(admission.admit({ ...ANY, client: "192.0.2.3" }), undefined);
  leave();
  assert.ok(admission.admit({ ...ANY, client: "192.0.2.3" }));
});

Deno.test("Admission bounds the streams of one client, and no other's", () => {
  const admission = new Admission({ ...NONE, maxStreamsPerClient: 1 });
  const leave = admission.admit(ANY);
  assert.equal(admission.admit(ANY), undefined);
  assert.ok(admission.admit({ ...ANY, client: "192.0.2.2" }));
  leave?.();
  assert.ok(admission.admit(ANY));
});

Deno.test("Admission bounds the subscriptions of one token over its streams", () => {
  const admission = new Admission({ ...NONE, maxSubscriptionsPerToken: 3 });
  assert.ok(admission.admit({ ...ANY, tokenId: "a", subscriptions: 2 }));
  assert.equal(admission.admit({ ...ANY, tokenId: "a", subscriptions: 2 }), undefined);
  assert.ok(admission.admit({ ...ANY, tokenId: "a", subscriptions: 1 }));
  assert.ok(admission.admit({ ...ANY, tokenId: "b", subscriptions: 3 }));
  assert.ok(admission.admit({ ...ANY, subscriptions: 4 }), "without a token there is nothing to count by");
});
