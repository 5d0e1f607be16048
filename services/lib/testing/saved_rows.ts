/// <reference lib="dom" />
/** What the live page saves as a file: all of its rows, drawn or not. */
import type { Page } from "playwright-core";

/** A row as the page saves it: an update, or what it has to say between them. */
export interface SavedRow {
  readonly id?: string;
  readonly row?: string;
  readonly message?: string;
  readonly time: string;
  readonly type?: string;
  readonly data?: unknown;
}

/** What a tab shows, drawn or not, the way a reader gets at it. */
export async function savedFile(page: Page, format: "jsonl" | "csv"): Promise<string> {
  await page.click("[data-action=export]");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.click(`[data-export-menu] [data-do=${format}]`),
  ]);
  return await Deno.readTextFile(await download.path());
}

/** All rows that a tab shows. */
export async function savedRows(page: Page): Promise<SavedRow[]> {
  const lines = (await savedFile(page, "jsonl")).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** The ids of the updates among them. */
export const idsOf = (rows: readonly SavedRow[]): string[] => rows.flatMap(({ id }) => id ?? []);
