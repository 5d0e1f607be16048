/**
 * The Mercure protocol, requirement by requirement, against the real processes. How the tests are written, and how to
 * run only some of them, stands in `mercure/harness.ts`.
 */
import assert from "node:assert/strict";
import * as authorization from "./mercure/authorization.ts";
import * as discovery from "./mercure/discovery.ts";
import { type Check, Hubs, type Suite } from "./mercure/harness.ts";
import * as legacy from "./mercure/legacy.ts";
import * as publish from "./mercure/publish.ts";
import * as reconnection from "./mercure/reconnection.ts";
import { type Requirement, REQUIREMENTS, type Section, SECTIONS } from "./mercure/requirements.ts";
import * as sse from "./mercure/sse.ts";
import * as subscribe from "./mercure/subscribe.ts";
import * as subscriptions from "./mercure/subscriptions.ts";

interface Case {
  /** Missing in a case that only the reference hub gives rise to. */
  readonly requirement?: Requirement;
  readonly section: Section;
  readonly name: string;
  readonly check: Check;
}

function collectCases(): Case[] {
  const cases: Case[] = [];
  const suite: Suite = {
    requirement(number, check) {
      const requirement = REQUIREMENTS[number - 1];
      assert.ok(requirement, `there is no requirement ${number}`);
      assert.ok(!cases.some((other) => other.requirement === requirement), `${number} has two tests`);
      const { section, level, text } = requirement;
      cases.push({ requirement, section, name: `#${number} [${level}] ${text}`, check });
    },
    reference: (section, name, check) => void cases.push({ section, name: `reference: ${name}`, check }),
  };
  const modules = [
    subscribe,
    sse,
    publish,
    authorization,
    reconnection,
    subscriptions,
    discovery,
    legacy,
  ];
  for (const { register } of modules) register(suite);
  return cases;
}

/** Whether the words after `--` on the command line want this case: numbers, ranges, sections, parts of names. */
function isWanted({ requirement, section, name }: Case): boolean {
  return Deno.args.length === 0 || Deno.args.some((word) => {
    const [first, last = first] = word.split("-").map(Number);
    const number = requirement?.number ?? 0;
    const isNumber = !Number.isNaN(first);
    return isNumber ? first! <= number && number <= last! : word === section || name.includes(word);
  });
}

/** One line per section: how many requirements passed, failed, or have no test. */
function tableOf(passed: ReadonlySet<Requirement>, failed: ReadonlySet<Requirement>): string {
  const count = (section: Section | undefined, has: (requirement: Requirement) => boolean) =>
    REQUIREMENTS.filter((each) => (section === undefined || each.section === section) && has(each)).length;
  const rows = [...SECTIONS, undefined].map((section) => [
    section ?? "All",
    count(section, (each) => passed.has(each)),
    count(section, (each) => failed.has(each)),
    count(section, (each) => !passed.has(each) && !failed.has(each)),
  ]);
  return [["Requirements", "passed", "failed", "missing"], ...rows].map(([name, ...counts]) =>
    [`${name}`.padEnd(22), ...counts.map((each) => `${each}`.padStart(8))].join("")
  ).join("\n");
}

Deno.test("the Mercure protocol", async (t) => {
  const cases = collectCases().filter(isWanted);
  const passed = new Set<Requirement>();
  const failed = new Set<Requirement>();
  // The processes outlive the steps that start them: what must not leak is looked at when all have ended.
  await using hubs = new Hubs();
  for (const section of SECTIONS) {
    const steps = cases.filter((each) => each.section === section)
      .toSorted((a, b) => (a.requirement?.number ?? Infinity) - (b.requirement?.number ?? Infinity));
    if (steps.length === 0) continue;
    await t.step({
      name: section,
      sanitizeOps: false,
      sanitizeResources: false,
      async fn(t) {
        for (const { requirement, name, check } of steps) {
          const ok = await t.step(name, (t) => check(hubs, t));
          if (requirement) (ok ? passed : failed).add(requirement);
        }
      },
    });
  }
  await Deno.stdout.write(new TextEncoder().encode(`${tableOf(passed, failed)}\n`));
  if (Deno.args.length > 0) return;
  const missing = REQUIREMENTS.filter((each) => !passed.has(each) && !failed.has(each));
  assert.deepEqual(missing.map(({ number }) => number), [], "each requirement has a test");
});
