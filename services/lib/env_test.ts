import assert from "node:assert/strict";
import {
  address,
  choice,
  host,
  logLevel,
  optionalPort,
  origins,
  pageUrl,
  port,
  readSettings,
  type Setting,
  SettingsError,
} from "./env.ts";
import { LOG_LEVELS } from "./log.ts";

/** An environment of these variables. */
function environment(variables: Readonly<Record<string, string>>): { get(name: string): string | undefined } {
  return new Map(Object.entries(variables));
}

/** What the setting makes of the text. */
function read<T>(setting: Setting<T>, text: string): T {
  return readSettings({ setting }, environment({ [setting.name]: text })).setting;
}

/** What the reader says of a text that it must refuse. */
function problemsOf(setting: Setting<unknown>, text: string): readonly string[] {
  try {
    const value = read(setting, text);
    assert.fail(`Took ${JSON.stringify(text)} as ${JSON.stringify(value)}`);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return error.problems;
  }
}

interface Reader {
  readonly setting: Setting<unknown>;
  /** What the setting makes of a missing variable. */
  readonly missing: unknown;
  readonly good: readonly (readonly [text: string, value: unknown])[];
  readonly bad: readonly string[];
  /** Part of what is wanted. */
  readonly wanted: RegExp;
}

const READERS: Readonly<Record<string, Reader>> = {
  address: {
    setting: address("IP", "127.0.0.1"),
    missing: "127.0.0.1",
    good: [
      ["[::]", "::"],
      ["::", "::"],
      ["[::1]", "::1"],
      ["fe80::1", "fe80::1"],
      ["::ffff:192.0.2.1", "::ffff:c000:201"],
      ["0:0:0:0:0:0:0:0", "::"],
      ["0.0.0.0", "0.0.0.0"],
      ["127.0.0.1", "127.0.0.1"],
      ["255.255.255.255", "255.255.255.255"],
    ],
    bad: [
      "1.2.3",
      "1.2.3.4.5",
      "256.0.0.1",
      "1.2.3.4:80",
      "localhost",
      "*",
      "[::1",
      "::1]",
      "[::1]:80",
      ":::",
      "1::2::3",
      // Deno can listen on no zone: an address that is bound must mean one on every machine.
      "::1%eth0",
      "fe80::1%25eth0",
      " 127.0.0.1",
      "127.0.0.1\n",
    ],
    wanted: /^an IPv4 or IPv6 address/,
  },
  host: {
    setting: host("ZMQ_HOST", "localhost"),
    missing: "localhost",
    good: [
      ["localhost", "localhost"],
      ["forwarder_1.example.org", "forwarder_1.example.org"],
      ["example.org.", "example.org."],
      ["a", "a"],
      ["127.0.0.1", "127.0.0.1"],
      ["[::1]", "::1"],
      ["::1", "::1"],
    ],
    bad: [
      "example.org:8300",
      "127.0.0.1:8300",
      "[::1]:8300",
      "tcp://example.org",
      "example.org/",
      "user@example.org",
      "-a",
      "a-",
      ".",
      "a b",
      " a",
      "a\n",
      "*",
      "münchen.de",
    ],
    wanted: /^a host name, an IPv4 address or an IPv6 address, without a port$/,
  },
  port: {
    setting: port("PORT", 8000),
    missing: 8000,
    good: [["0", 0], ["1", 1], ["80", 80], ["65535", 65_535], ["00080", 80]],
    bad: [
      "65536",
      "99999",
      "100000",
      "-1",
      "+80",
      "80a",
      "0x50",
      "8e1",
      "80.0",
      " 80",
      "80\n",
      " ",
      "NaN",
      "٨٠",
    ],
    wanted: /^a port, 0 to 65535$/,
  },
  optionalPort: {
    setting: optionalPort("METRICS_PORT"),
    missing: undefined,
    good: [["0", 0], ["65535", 65_535]],
    bad: ["65536", "none", "-1"],
    wanted: /^a port, 0 to 65535$/,
  },
  pageUrl: {
    setting: pageUrl("EVENTS_URL", "/events"),
    missing: "/events",
    good: [
      ["/", "/"],
      ["/events", "/events"],
      ["/events?a=b#c", "/events?a=b#c"],
      ["http://example.org", "http://example.org"],
      ["https://example.org:8443/events", "https://example.org:8443/events"],
      ["HTTPS://[::1]/", "HTTPS://[::1]/"],
    ],
    bad: [
      "//evil.example",
      "///evil.example",
      "javascript:alert(1)",
      "data:text/html,x",
      "ftp://example.org",
      "events",
      "./events",
      "?a",
      "#a",
      "https://",
      "https:example.org",
      "http://exa mple.org",
      "http://example.org:99999",
      "\thttp://example.org",
      " /events",
    ],
    wanted: /^an http or https URL, or a path that begins with \/$/,
  },
  origins: {
    setting: origins("CORS_ORIGINS", "*"),
    missing: "*",
    good: [
      ["*", "*"],
      ["https://example.org", ["https://example.org"]],
      [" https://example.org , http://localhost:8002,", ["https://example.org", "http://localhost:8002"]],
      ["http://[::1]:8002", ["http://[::1]:8002"]],
      ["https://example.org:80", ["https://example.org:80"]],
    ],
    bad: [
      ",",
      " ",
      "null",
      "example.org",
      "https://example.org/",
      "https://example.org/page",
      "https://example.org:443",
      "http://example.org:80",
      "https://Example.org",
      "https://user@example.org",
      "ftp://example.org",
      "*,https://example.org",
      "https://example.org https://example.com",
    ],
    wanted: /^\* or a list of origins/,
  },
  logLevel: {
    setting: logLevel("LOG_LEVEL", "info"),
    missing: "info",
    good: LOG_LEVELS.map((level) => [level, level]),
    bad: ["INFO", "trace", " info", "info,warn", "constructor"],
    wanted: /^debug or info or warn or error$/,
  },
  choice: {
    setting: choice("CHANNEL", ["memory", "zeromq"], "zeromq"),
    missing: "zeromq",
    good: [["memory", "memory"], ["zeromq", "zeromq"]],
    bad: ["Memory", "nats", "memory ", "0"],
    wanted: /^memory or zeromq$/,
  },
};

for (const [name, { setting, missing, good, bad, wanted }] of Object.entries(READERS)) {
  Deno.test(`${name}() takes its default for a missing or empty variable`, () => {
    assert.deepEqual(readSettings({ setting }, environment({})).setting, missing);
    assert.deepEqual(read(setting, ""), missing);
  });

  for (const [text, value] of good) {
    Deno.test(`${name}() reads ${JSON.stringify(text)}`, () => {
      assert.deepEqual(read(setting, text), value);
    });
  }

  for (const text of bad) {
    Deno.test(`${name}() refuses ${JSON.stringify(text)} and says what it wants`, () => {
      const start = `${setting.name} is ${JSON.stringify(text)}, but must be `;
      const [problem = "", ...others] = problemsOf(setting, text);
      assert.deepEqual(others, []);
      assert.equal(problem.slice(0, start.length), start);
      assert.match(problem.slice(start.length), wanted);
    });
  }
}

Deno.test("the readers say what a missing variable means", () => {
  assert.deepEqual(
    Object.values(READERS).map(({ setting }) => setting.default),
    ["127.0.0.1", "localhost", "8000", "none", "/events", "*", "info", "zeromq"],
  );
});

Deno.test("address() and host() refuse an IPv6 address with a URL's rest behind it", () => {
  for (const text of ["::1]:80/[", "::1]/x?[", "::1]@evil.example/"]) {
    for (const setting of [address("IP", "::"), host("HOST", "::")]) problemsOf(setting, text);
  }
});

Deno.test("host() refuses what looks like an IPv4 address and is none", () => {
  for (const text of ["256.1.1.1", "1.2.3", "1.2.3.4.5"]) problemsOf(host("HOST", "::"), text);
});

Deno.test("pageUrl() refuses every spelling of another origin without its scheme", () => {
  for (const text of ["/\\evil.example", "/\t/evil.example", "/\n/evil.example"]) {
    problemsOf(pageUrl("EVENTS_URL", "/"), text);
  }
});

Deno.test("origins() refuses a wildcard inside an origin", () => {
  problemsOf(origins("CORS_ORIGINS", "*"), "https://*.example.org");
});

Deno.test("readSettings() reads every setting by its key", () => {
  const settings = { ip: address("IP", "::"), port: port("PORT", 1), other: optionalPort("OTHER_PORT") };
  assert.deepEqual(readSettings(settings, environment({ IP: "[::1]", PORT: "80" })), {
    ip: "::1",
    port: 80,
    other: undefined,
  });
});

Deno.test("readSettings() reports all problems at once, each with name, value and what was wanted", () => {
  const settings = { ip: address("IP", "::"), port: port("PORT", 1), level: logLevel("LOG_LEVEL", "info") };
  const env = environment({ IP: "local\nhost", PORT: "80", LOG_LEVEL: "loud" });
  assert.throws(() => readSettings(settings, env), (error) => {
    assert.ok(error instanceof SettingsError);
    assert.deepEqual(error.problems, [
      'IP is "local\\nhost", but must be an IPv4 or IPv6 address, such as 127.0.0.1, 0.0.0.0 or [::]',
      'LOG_LEVEL is "loud", but must be debug or info or warn or error',
    ]);
    assert.equal(error.message, error.problems.join("\n"));
    return true;
  });
});

Deno.test("readSettings() lets an error through that is no problem of a value", () => {
  const broken: Setting<never> = {
    name: "BROKEN",
    default: "",
    parse: () => {
      throw new TypeError("a bug");
    },
  };
  assert.throws(() => readSettings({ broken }, environment({})), new TypeError("a bug"));
});
