import assert from "node:assert/strict";
import * as fc from "fast-check";
import { type Entry, noteEntry, toEntry } from "../../static/logger/entry.js";
import { toCsv, toJsonLines } from "../../static/logger/export.js";
import { tracked } from "./logger_harness.ts";

const hostile = fc.tuple(
  fc.constantFrom("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "", "x"),
  fc.string({ unit: fc.constantFrom("=", "1", ",", '"', "\r\n", "\n", "é", "'", " ", ";") }),
).map((parts) => parts.join(""));

const entries: fc.Arbitrary<Entry> = fc.tuple(fc.nat(), hostile, hostile, fc.boolean()).map(
  ([number, message, kind, isNote]) =>
    isNote
      ? noteEntry("mark", message, number)
      : toEntry(tracked(number, { message, kind, sid: message }), { arrived: number, isLive: true }),
);

/** A reader that is not ours to please. Source: RFC 4180. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (let at = 0; at < text.length;) {
    let cell = "";
    if (text[at] === '"') {
      for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
        cell += text[at];
        if (text[at] === '"') at++;
      }
      at++;
    } else for (; at < text.length && text[at] !== "," && text[at] !== "\r"; at++) cell += text[at];
    rows.at(-1)!.push(cell);
    if (text.startsWith("\r\n", at)) {
      rows.push([]);
      at += 2;
    } else if (at < text.length) {
      assert.equal(text[at], ",");
      at++;
    }
  }
  assert.deepEqual(rows.pop(), [], "every line has an end");
  return rows;
}

Deno.test("toCsv() keeps every cell as it is, but for those that a spreadsheet would run", () => {
  fc.assert(fc.property(fc.array(entries, { maxLength: 8 }), (entries) => {
    const [head, ...rows] = readCsv(toCsv(entries).join(""));
    assert.deepEqual(head, ["time", "kind", "site", "sid", "n", "level", "message", "type", "id", "data"]);
    const expected = entries.map((
      { time, kind, site, sid, n, level, message, type, id, data },
    ) => [new Date(time).toISOString(), kind, site, sid, `${n}`, level, message, type, id, data]);
    assert.equal(rows.length, expected.length);
    for (const [i, row] of rows.entries()) {
      for (const [k, cell] of row.entries()) {
        const value = expected[i]![k]!;
        const isNumber = value !== "" && !/\s/.test(value) && !/^\+/.test(value) &&
          !Number.isNaN(Number(value));
        const isFormula = /^[=+\-@＝＋－＠\t\r\n]/.test(value) && !isNumber;
        assert.equal(cell, isFormula ? `'${value}` : value);
        assert.ok(isNumber || !/^[=+\-@＝＋－＠\t\r\n]/.test(cell));
      }
    }
  }));
});

Deno.test("toJsonLines() gives each row a line, and the data as it came", () => {
  fc.assert(fc.property(fc.array(entries, { maxLength: 8 }), (entries) => {
    const lines = toJsonLines(entries).join("").split("\n");
    assert.equal(lines.pop(), "");
    assert.equal(lines.length, entries.length);
    for (const [i, line] of lines.entries()) {
      const { row, id, type, time, data, message } = entries[i]!;
      const iso = new Date(time).toISOString();
      assert.deepEqual(
        JSON.parse(line),
        row === "update" ? { id, type, time: iso, data: JSON.parse(data) } : { row, time: iso, message },
      );
    }
  }));
});

Deno.test("toJsonLines() changes no number and breaks no line, and text stays text", () => {
  const lineOf = (data: string) =>
    toJsonLines([toEntry({ id: "1", type: "t", data }, { arrived: 0, isLive: true })]).join("");
  assert.ok(
    lineOf('{"n":12345678901234567890,\n"e":1.0}').endsWith('"data":{"n":12345678901234567890, "e":1.0}}\n'),
  );
  for (const text of ["", "plain", '"quoted"', "7", "{}", "two\nlines", "{broken"]) {
    const line = lineOf(text);
    assert.equal(line.indexOf("\n"), line.length - 1);
    assert.equal(JSON.parse(line).data, text);
  }
});
