/** Writes the routes of all services as the paths of a document. */
import type { Part, SchemaParts } from "./json_schema.ts";
import { type Answer, type Content, type Fields, METHODS, type Operation, type Routes } from "./operation.ts";

export type Service = "broadcaster" | "streamer" | "logger" | "forwarder";

export type RoutesOf = Readonly<Record<Service, Routes>>;

/** Where each service is, as the document has it. */
export type Servers = Readonly<Record<Service, readonly Part[]>>;

export interface PathsOptions {
  readonly schemas: SchemaParts;
  readonly servers: Servers;
}

/** The name of the response that refuses and fails, in the components. */
export const PROBLEM_RESPONSE = "Problem";
const PROBLEM_REF = `#/components/responses/${PROBLEM_RESPONSE}`;

/** What every response has. */
export const REQUEST_ID: Part = { "X-Request-Id": { $ref: "#/components/headers/RequestId" } };

/** An operation, and a service that has it. */
interface Served {
  readonly path: string;
  readonly method: (typeof METHODS)[number];
  readonly service: Service;
  readonly operation: Operation;
}

export function pathsOf(routes: RoutesOf, options: PathsOptions): Part {
  const byPath = Map.groupBy(servedBy(routes), ({ path }) => path);
  return Object.fromEntries(
    byPath.entries().map(([path, ofPath]) => {
      const byMethod = Map.groupBy(ofPath, ({ method }) => method);
      const item = byMethod.entries().map(([method, served]) => [
        // Not before OpenAPI 3.2 does it know the method.
        method === "query" ? "x-query" : method,
        operationOf(served, options),
      ]);
      return [path, Object.fromEntries(item)];
    }),
  );
}

function servedBy(routes: RoutesOf): Served[] {
  return Object.entries(routes).flatMap(([service, routes]) =>
    Object.entries(routes).flatMap(([path, route]) =>
      METHODS.flatMap((method) => {
        const operation = route[method];
        return operation === undefined ? [] : [{ path, method, service: service as Service, operation }];
      })
    )
  );
}

/** A document has only one operation for each method of a path, whichever service has it. */
function operationOf(served: readonly Served[], { schemas, servers }: PathsOptions): Part {
  const { id, summary, description, path, query, headers, body, answers, problems, token } = merged(served);
  const services = [...new Set(served.map(({ service }) => service))];
  const parameters = [
    ...parametersOf("path", path, schemas),
    ...parametersOf("query", query, schemas),
    ...parametersOf("header", headers, schemas),
  ];
  return {
    operationId: id,
    tags: services,
    summary,
    ...(description !== undefined && { description }),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && { requestBody: { required: true, content: contentOf(body, schemas) } }),
    responses: {
      ...mapValues(answers, (answer) => responseOf(answer, schemas)),
      ...mapValues(problems ?? {}, (description) => ({ $ref: PROBLEM_REF, description })),
      default: { $ref: PROBLEM_REF },
    },
    ...(token !== undefined && {
      security: [...(token === "taken" ? [{}] : []), { bearer: [] }, { cookie: [] }],
    }),
    servers: services.flatMap((service) => servers[service]),
  };
}

/** What the services say of one method at one path, in one. */
function merged(served: readonly Served[]): Operation {
  const [first, ...others] = new Set(served.map(({ operation }) => operation));
  if (first === undefined) throw new RangeError("Cannot describe an operation that no service has");
  if (others.length === 0) return first;
  const operations = [first, ...others];
  const tokens = operations.flatMap(({ token }) => token ?? []);
  const isNeeded = tokens.length === operations.length && tokens.every((token) => token === "needed");
  return {
    id: first.id,
    summary: "Something else at each service",
    description: served.map(({ service, operation: { summary, description } }) =>
      `- ${service}: ${summary}.${description === undefined ? "" : ` ${description}`}`
    ).join("\n"),
    path: together(operations.map(({ path }) => path)),
    query: together(operations.map(({ query }) => query)),
    headers: together(operations.map(({ headers }) => headers)),
    answers: mergedAnswers(operations.map(({ answers }) => answers)),
    problems: together(operations.map(({ problems }) => problems)),
    ...(tokens.length > 0 && { token: isNeeded ? "needed" : "taken" }),
  };
}

function mergedAnswers(all: readonly Operation["answers"][]): Operation["answers"] {
  const statuses = Object.keys(together(all)).map(Number);
  return Object.fromEntries(statuses.map((status) => {
    const answers = all.flatMap((answers) => answers[status] ?? []);
    return [status, {
      description: [...new Set(answers.map(({ description }) => description))].join("; or: "),
      ...(answers.some(({ content }) => content) && {
        content: together(answers.map(({ content }) => content)),
      }),
      headers: together(answers.map(({ headers }) => headers)),
    }];
  }));
}

function together<T>(records: readonly (Readonly<Record<string, T>> | undefined)[]): Record<string, T> {
  return Object.assign({}, ...records);
}

function parametersOf(place: "path" | "query" | "header", fields: Fields = {}, schemas: SchemaParts): Part[] {
  return Object.entries(fields).map(([name, field]) => {
    const { description, deprecated, ...schema } = schemas.of(field);
    return {
      name,
      in: place,
      required: field.type !== "optional",
      ...(description !== undefined && { description }),
      ...(deprecated !== undefined && { deprecated }),
      schema,
    };
  });
}

function responseOf({ description, content, headers = {} }: Answer, schemas: SchemaParts): Part {
  return {
    description,
    headers: { ...REQUEST_ID, ...headersOf(headers) },
    ...(content !== undefined && { content: contentOf(content, schemas) }),
  };
}

function contentOf(content: Content, schemas: SchemaParts): Part {
  return mapValues(content, (schema) => ({ schema: schemas.of(schema) }));
}

/** @param descriptions by the names of the headers. */
export function headersOf(descriptions: Readonly<Record<string, string>>): Part {
  return mapValues(descriptions, (description) => ({ description, schema: { type: "string" } }));
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
