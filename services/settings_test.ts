/** The settings in the code, in the README's tables, in `.env.example` and in the permissions are the same. */
import assert from "node:assert/strict";
import { SETTINGS as broadcaster } from "./broadcaster/config.ts";
import { SETTINGS as forwarder } from "./forwarder/config.ts";
import type { Setting } from "./lib/env.ts";
import { SETTINGS as logger } from "./logger/config.ts";
import { SETTINGS as streamer } from "./streamer/config.ts";
import { LAUNCHER_SETTINGS as streamers } from "./streamer/streamers.ts";
import { TOKEN_SETTINGS as token } from "./streamer/token.ts";

const SERVICES: Readonly<Record<string, Readonly<Record<string, Setting<unknown>>>>> = {
  forwarder,
  broadcaster,
  streamer,
  logger,
};

/** For each setting its defaults, as `default` or, where the services differ, `service default, …`; and its users. */
function settingsInCode(): Map<string, { defaults: string; usedBy: string }> {
  const uses = Object.entries(SERVICES).flatMap(([service, settings]) =>
    Object.values(settings).map((setting) => ({ service, name: setting.name, default: setting.default }))
  );
  return new Map(
    [...Map.groupBy(uses, ({ name }) => name)].map(([name, group]) => {
      const distinct = new Set(group.map((use) => use.default));
      const defaults = distinct.size === 1
        ? [...distinct].join()
        : group.map((use) => `${use.service} ${use.default}`).join(", ");
      const usedBy = group.length === 4 ? "all" : group.map((use) => use.service).join(", ");
      return [name, { defaults, usedBy }];
    }),
  );
}

function read(path: string): Promise<string> {
  return Deno.readTextFile(new URL(`../${path}`, import.meta.url));
}

Deno.test("the README's tables have each setting with its default and its users", async () => {
  const readme = await read("README.md");
  const rows = readme.split("\n").filter((line) => /^\| `[A-Z_]+`/.test(line)).map((line) => {
    const [, name = "", defaults = "", usedBy = ""] = line.split("|").map((cell) =>
      cell.trim().replaceAll("`", "")
    );
    return [name, { defaults, usedBy }] as const;
  });
  assert.deepEqual(new Map(rows), settingsInCode());
});

Deno.test(".env.example names each setting, and no other", async () => {
  const example = await read(".env.example");
  const named = [...example.matchAll(/^#?\s*([A-Z_]+)=/gm)].map(([, name]) => name ?? "");
  assert.deepEqual(named.toSorted(), [...settingsInCode().keys()].toSorted());
});

Deno.test("each service and tool may read the variables of its settings, and no other", async () => {
  const { permissions } = JSON.parse(await read("deno.json"));
  for (const [service, settings] of Object.entries({ ...SERVICES, token, streamers })) {
    const names = Object.values(settings).map((setting) => setting.name);
    assert.deepEqual(permissions[service].env.toSorted(), names.toSorted(), service);
  }
});

Deno.test("the launcher of streamers reads its settings as the streamer does", () => {
  const own: Readonly<Record<string, Setting<unknown>>> = streamers;
  const theirs: Readonly<Record<string, Setting<unknown>>> = streamer;
  const outcome = (setting: Setting<unknown> | undefined, text?: string) => {
    try {
      return setting?.parse(text);
    } catch (error) {
      return `${error}`;
    }
  };
  for (const [key, setting] of Object.entries(own)) {
    assert.equal(setting.name, theirs[key]?.name);
    for (const text of [undefined, "0", "2", "256", "257", "65536", "debug", "-1"]) {
      assert.deepEqual(outcome(setting, text), outcome(theirs[key], text), `${setting.name} ${text}`);
    }
  }
});
