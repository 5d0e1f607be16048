/// <reference lib="dom" />
/** Clients that nobody here wrote, against the real processes. */
import { fetchEventSource } from "@microsoft/fetch-event-source";
import { EventSource as NpmEventSource } from "eventsource";
import assert from "node:assert/strict";
import { launchBrowser, openPage } from "../lib/testing/browser.ts";
import { eventually } from "../lib/testing/deadline.ts";
import { freePorts } from "../lib/testing/ports.ts";
import { startForwarder, startHttpService } from "../lib/testing/processes.ts";
import { Door, Hub, HUB_PATH, Hubs, ISSUER, KEY, mint, startStreamer, unique } from "./harness.ts";
import { sign } from "./tokens.ts";

// fetch-event-source was made for pages: it takes its timers from `window`, and asks `document` whether anybody sees
// the page. Deno has neither, so this is the page.
const page = Object.assign(new EventTarget(), { hidden: false });
Object.assign(globalThis, { window: globalThis, document: page });

/** An event as a page gets it. */
interface Received {
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

/** A client at work. Disposing it leaves. */
interface Listener extends Disposable {
  readonly events: readonly Received[];
  /** How often the stream was opened. */
  readonly opened: number;
}

interface ListenOptions {
  readonly token: string;
  /** Types of events that the page listens to. */
  readonly types: readonly string[];
}

type Listen = (url: string, options: ListenOptions) => Listener;

/** `withToken` is false for a client that cannot send one. */
interface Client {
  readonly withToken: boolean;
  readonly listen: Listen;
}

function bearer(token: string): { Authorization: string } {
  return { Authorization: `Bearer ${token}` };
}

/** A client with the interface of WHATWG HTML, section 9.2. */
function listenWith(source: NpmEventSource | EventSource, types: readonly string[]): Listener {
  const events: Received[] = [];
  let opened = 0;
  source.addEventListener("open", () => void opened++);
  for (const type of types) {
    source.addEventListener(type, (event) => {
      const { lastEventId: id, data } = event as MessageEvent<string>;
      events.push({ id, type, data });
    });
  }
  return {
    events,
    get opened() {
      return opened;
    },
    [Symbol.dispose]: () => source.close(),
  };
}

const listenWithFetch: Listen = (url, { token }) => {
  const events: Received[] = [];
  const leave = new AbortController();
  let opened = 0;
  const ended = fetchEventSource(url, {
    fetch,
    headers: bearer(token),
    signal: leave.signal,
    onopen: ({ status }) => {
      assert.equal(status, 200);
      opened++;
      return Promise.resolve();
    },
    onmessage: ({ id, event, data }) => void events.push({ id, type: event || "message", data }),
    // Without this it takes a stream that ends for the end of the matter.
    onclose: () => {
      throw new Error("The stream ended; come again");
    },
  });
  ended.catch(() => {});
  return {
    events,
    get opened() {
      return opened;
    },
    [Symbol.dispose]: () => leave.abort(),
  };
};

const CLIENTS: Readonly<Record<string, Client>> = {
  "eventsource": {
    withToken: true,
    listen: (url, { token, types }) =>
      listenWith(
        new NpmEventSource(url, {
          fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...bearer(token) } }),
        }),
        types,
      ),
  },
  "@microsoft/fetch-event-source": { withToken: true, listen: listenWithFetch },
  "Deno's EventSource": {
    withToken: false,
    listen: (url, { types }) => listenWith(new EventSource(url), types),
  },
};

/** What is published here: everything that may stand in an update, and what each client has to make of it. */
function updateOf(topic: string, number: number): { fields: Record<string, string>; wanted: Received } {
  const id = `urn:test:${topic}:${number}`;
  const type = number % 3 === 0 ? "stock" : "message";
  const data = [`${number}`, `${number}\nid: forged\n\nevent: forged`, ` ${number}: é日🐇\r\n`][number % 3]!;
  return {
    fields: { topic, id, data, ...(type !== "message" && { type }) },
    wanted: { id, type, data: data.replaceAll("\r\n", "\n") },
  };
}

/** Starts all clients on one topic, runs the test with a publisher, and compares what each of them got. */
async function compareAll(
  hubUrl: string,
  test: (
    publish: (door: Door) => Promise<void>,
    listeners: ReadonlyMap<string, Listener>,
  ) => Promise<void>,
): Promise<void> {
  using listening = new DisposableStack();
  const topic = unique();
  const token = await mint(hubUrl, { subscribe: [topic] });
  const url = `${hubUrl}?${new URLSearchParams({ match: topic })}`;
  const listeners = new Map(
    Object.entries(CLIENTS).map(([name, { listen }]) => [
      name,
      listening.use(listen(url, { token, types: ["message", "stock"] })),
    ]),
  );
  for (const [name, listener] of listeners) {
    await eventually(`${name} opens its stream`, () => listener.opened > 0);
  }
  const all: Received[] = [];
  const open: Received[] = [];
  let number = 0;
  const publish = async (door: Door) => {
    const { fields, wanted } = updateOf(topic, number++);
    const isPrivate = number % 5 === 0;
    await door.publishOk({ ...fields, ...(isPrivate && { private: "" }) });
    all.push(wanted);
    if (!isPrivate) open.push(wanted);
  };
  await test(publish, listeners);
  for (const [name, { withToken }] of Object.entries(CLIENTS)) {
    const { events } = listeners.get(name)!;
    const wanted = withToken ? all : open;
    await eventually(`${name} gets the last one`, () => events.some(({ id }) => id === wanted.at(-1)?.id));
    assert.deepEqual(events, wanted, name);
  }
}

Deno.test("clients resume where they were when the streamer is killed and comes back", async () => {
  const [port = 0] = freePorts(1);
  const settings = { PORT: `${port}`, HEARTBEAT: "200ms" };
  await using forwarder = await startForwarder();
  await using service = await startHttpService("broadcaster", {
    ...forwarder.ports,
    JWT_ISSUER: ISSUER,
    JWT_KEY: KEY,
  });
  const broadcaster = new Door(service);
  await using first = await startStreamer(forwarder, settings);
  const hub = new Hub(first, forwarder, new AsyncDisposableStack());
  await using later = new AsyncDisposableStack();
  await compareAll(hub.url, async (publish, listeners) => {
    for (let count = 0; count < 10; count++) await publish(hub);
    for (const [name, { events }] of listeners) {
      await eventually(`${name} gets the first one`, () => events.length > 0);
    }
    first.kill("SIGKILL");
    await first.exit;
    for (let count = 0; count < 10; count++) await publish(broadcaster);
    later.use(await startStreamer(forwarder, settings));
    for (let count = 0; count < 10; count++) await publish(hub);
  });
});

Deno.test("clients lose and double nothing while the hub ends one stream after the other", async () => {
  await using hubs = new Hubs();
  const hub = await hubs.open({ MAX_STREAM_LIFE: "500ms" });
  await compareAll(hub.url, async (publish, listeners) => {
    for (const [name, listener] of listeners) {
      await eventually(`${name} reconnects twice`, async () => {
        await publish(hub);
        return listener.opened >= 3;
      });
    }
  });
});

Deno.test("fetch-event-source leaves with a page that nobody sees, and catches up when it is seen again", async () => {
  await using hubs = new Hubs();
  const hub = await hubs.open();
  const topic = unique();
  const token = await hub.token({ subscribe: [topic] });
  using listener = listenWithFetch(hub.urlOf({ match: topic }), { token, types: [] });
  const { events } = listener;
  const show = (hidden: boolean) => {
    page.hidden = hidden;
    page.dispatchEvent(new Event("visibilitychange"));
  };
  await eventually("the stream opens", () => listener.opened === 1);
  const ids = [await hub.publishOk({ topic, private: "" })];
  await eventually("the first update", () => events.length === 1);
  show(true);
  ids.push(await hub.publishOk({ topic, private: "" }), await hub.publishOk({ topic }));
  assert.equal(listener.opened, 1);
  show(false);
  await eventually("the stream opens again", () => listener.opened === 2);
  ids.push(await hub.publishOk({ topic }));
  await eventually("all updates", () => events.length >= ids.length);
  assert.deepEqual(events.map(({ id }) => id), ids);
});

/** Where the npm packages of the project are. */
const PACKAGES = new URL("../../node_modules/", import.meta.url);

Deno.test("a React app with use-mercure, which speaks 0.x, shows what the template and the cookie allow", async () => {
  await using hubs = new Hubs();
  const hub = await hubs.open({ JWT_LEGACY: "1", SUBSCRIPTIONS: "off" });
  const books = unique("books");
  const token = await sign({ alg: "HS256", typ: "JWT" }, {
    mercure: { publish: ["*"], subscribe: [`${books}/{id}`] },
  });
  const browser = await launchBrowser();
  try {
    await using opened = await openPage(browser, `${hub.origin}/healthz`);
    const { page } = opened;
    await page.context().addCookies([{
      name: "mercureAuthorization",
      value: token,
      domain: new URL(hub.url).hostname,
      path: HUB_PATH,
      httpOnly: true,
      sameSite: "Strict",
    }]);
    const read = (path: string) => Deno.readTextFile(new URL(path, PACKAGES));
    for (const name of ["react", "react-dom"]) {
      await page.evaluate(await read(`${name}/umd/${name}.production.min.js`));
    }
    const hook = await read("@liinkiing/use-mercure/dist/use-mercure.cjs.production.min.js");
    // As a bundler does it: the package asks for React, and wants to hear that this is a browser.
    await page.evaluate(
      `((exports, require, process) => { ${hook}\n })(globalThis.hook = {}, () => React, { browser: true })`,
    );
    await page.evaluate(showUpdates, { hubUrl: hub.url, topic: `${books}/{id}` });
    const shown = () => page.locator("li").allTextContents();
    // It does not tell when its stream is open, so there are updates until it shows one.
    await eventually("the app shows its first update", async () => {
      await hub.publishOk({ topic: `${books}/0`, data: JSON.stringify({ title: "first" }) }, { token });
      return (await shown()).length > 0;
    });
    await hub.publishOk({ topic: `${books}/1/pages`, data: '{"title":"no match"}', private: "on" }, {
      token,
    });
    await hub.publishOk({ topic: `${books}/1`, data: '{"title":"private"}', private: "on" }, { token });
    await hub.publishOk({ topic: unique("other"), data: '{"title":"other"}' }, { token });
    await hub.publishOk({ topic: `${books}/2`, data: '{"title":"last"}' }, { token });
    await eventually("the app shows the last update", async () => (await shown()).includes("last"));
    assert.deepEqual((await shown()).filter((title) => title !== "first"), ["private", "last"]);
  } finally {
    await browser.close();
  }
});

interface Hook {
  readonly MercureProvider: unknown;
  useMercure(topic: string, onData: (data: { title: string }) => void): void;
}

/** The app, as its documentation shows it: runs in the page. */
function showUpdates({ hubUrl, topic }: { hubUrl: string; topic: string }): void {
  // deno-lint-ignore no-explicit-any -- the packages bring no types along
  const { React, ReactDOM, hook } = globalThis as any;
  const { MercureProvider, useMercure } = hook as Hook;
  const Titles = () => {
    const [titles, setTitles] = React.useState([]);
    useMercure(topic, ({ title }) => setTitles((titles: string[]) => [...titles, title]));
    return titles.map((title: string, index: number) => React.createElement("li", { key: index }, title));
  };
  const root = document.body.appendChild(document.createElement("ul"));
  const options = { hubUrl, withCredentials: true };
  ReactDOM.createRoot(root).render(
    React.createElement(MercureProvider, { options }, React.createElement(Titles)),
  );
}
