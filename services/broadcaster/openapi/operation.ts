/**
 * How the routes of a service are described: in the words of OpenAPI, with schemas of Valibot.
 * Source: OpenAPI Specification 3.1, section 4.8.
 */
import type * as v from "valibot";

export type Schema = v.GenericSchema;

/** Parameters by their names. */
export type Fields = Readonly<Record<string, Schema>>;

/** What a body is, by its media type. */
export type Content = Readonly<Record<string, Schema>>;

/** What a response is. */
export interface Answer {
  readonly description: string;
  readonly content?: Content;
  /** What its headers say, by their names. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Operation {
  /** One of its own for each, of which generators make the names of functions. */
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  /** In the path; each of them is needed. */
  readonly path?: Fields;
  readonly query?: Fields;
  readonly headers?: Fields;
  readonly body?: Content;
  /** By their status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** What it is refused for, by the status. */
  readonly problems?: Readonly<Record<number, string>>;
  /** Whether there has to be a token, or one lets more be seen. */
  readonly token?: "needed" | "taken";
}

export const METHODS = ["get", "head", "query", "post", "options"] as const;

/** What one path answers, by the method. */
export type Route = Readonly<Partial<Record<(typeof METHODS)[number], Operation>>>;

/** By the path, as OpenAPI writes it. */
export type Routes = Readonly<Record<string, Route>>;

/** Where a schema with a name stands in the document. */
export function refTo(name: string): string {
  return `#/components/schemas/${name}`;
}

/** What `HEAD` answers where there is something to `GET`. */
export function headOf(get: Operation): Operation {
  const answers = Object.fromEntries(
    Object.entries(get.answers).map(([status, { content: _, ...answer }]) => [status, answer]),
  );
  return { ...get, id: `${get.id}Head`, summary: `The headers alone: ${get.summary}`, answers };
}

/** What a browser asks before a page of another origin may send what forms cannot. */
export function preflight(id: string, path: Fields = {}): Operation {
  return {
    id,
    summary: "Whether pages of other origins may send this",
    path,
    answers: { 204: { description: "The methods and headers that they may use" } },
  };
}
