/** What is served of `static/`. */
import * as v from "valibot";
import type { Answer, Content, Operation } from "../operation.ts";

const TEXT = v.string();

/** A text that is told from its next version by a tag. */
export function taggedText(content: Content): Readonly<Record<number, Answer>> {
  const headers = { ETag: "Tells this version from others" };
  return {
    200: { description: "The text", content, headers },
    304: { description: "The client has it already", headers },
  };
}

export function page(id: string, summary: string): Operation {
  return { id, summary, answers: taggedText({ "text/html": TEXT }) };
}

/** @param files are their names, all of them: a pattern would also mean files that nobody serves. */
export function pageFile(id: string, files: readonly string[]): Operation {
  return {
    id,
    summary: "A file of the page",
    path: { file: v.picklist(files.toSorted()) },
    answers: taggedText({ "text/css": TEXT, "text/javascript": TEXT, "image/svg+xml": TEXT }),
    problems: { 404: "There is no such file" },
  };
}

export function redirect(id: string, to: string): Operation {
  return { id, summary: `The way to ${to}`, answers: redirection(to) };
}

export function redirection(to: string): Readonly<Record<number, Answer>> {
  return { 302: { description: `The page is at ${to}`, headers: { Location: "Where it is" } } };
}
