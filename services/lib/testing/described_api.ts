/** Compares what a service answers with what `openapi.json` says of it, by a validator that is not ours. */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import assert from "node:assert/strict";

export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly schema: Readonly<Record<string, unknown>>;
}

interface Described {
  readonly $ref?: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, unknown>>;
}

export interface DescribedOperation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
  readonly responses: Readonly<Record<string, Described>>;
  readonly servers: readonly {
    readonly url: string;
    readonly variables?: Readonly<Record<string, { readonly default: string }>>;
  }[];
}

export interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, { readonly examples?: readonly unknown[] }>>;
    readonly responses: Readonly<Record<string, Described>>;
    readonly securitySchemes: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
}

/** Headers that no description has to name: those of HTTP itself, of CORS, and against misuse by browsers. */
const GENERAL_HEADERS =
  /^(access-control-.*|cache-control|connection|content-.*|cross-origin-opener-policy|date|keep-alive|origin-agent-cluster|referrer-policy|timing-allow-origin|transfer-encoding|vary|x-accel-buffering|x-(content|dns|download|frame|permitted|xss)-.*)$/;

/** A part of the path of an operation, such as `{type}`. */
const PARAMETER = /\{([^}]+)\}/g;

export class DescribedApi {
  readonly document: Document;
  // Not strict: what is around the schemas in the document is none.
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });

  constructor(document: Document) {
    this.document = document;
    // A closed copy: what an answer has and the description has not is a difference as well.
    this.#ajv.addSchema({ ...JSON.parse(JSON.stringify(document, closed)), $id: "openapi" });
  }

  /** The operations of a service, as `METHOD path`. */
  operationsOf(service: string): Map<string, DescribedOperation> {
    const operations = Object.entries(this.document.paths).flatMap(([path, item]) =>
      Object.entries(item)
        .filter(([, operation]) => operation.tags.includes(service))
        .map(([method, operation]) =>
          [`${method.replace(/^x-/, "").toUpperCase()} ${path}`, operation] as const
        )
    );
    return new Map(operations);
  }

  /** Whether a path is one that a description means. */
  isMeant(path: string, template: string, { parameters = [] }: DescribedOperation): boolean {
    const names = [...template.matchAll(PARAMETER)].map(([, name]) => name);
    const pattern = template.split(PARAMETER).map((part, index) =>
      index % 2 === 0 ? RegExp.escape(part) : "([^/]+)"
    ).join("");
    const values = new RegExp(`^${pattern}$`).exec(path)?.slice(1);
    return values !== undefined && values.every((value, index) => {
      const parameter = parameters.find(({ name, in: place }) => place === "path" && name === names[index]);
      return parameter !== undefined && this.#ajv.validate(parameter.schema, decodeURIComponent(value));
    });
  }

  /** Fails unless a value is what the schema at this pointer into the document says. */
  assertValid(pointer: string, value: unknown): void {
    const validate = this.#schemaAt(pointer);
    assert.ok(validate, `The document has no schema at ${pointer}`);
    assert.ok(validate(value), `${pointer}: ${JSON.stringify(validate.errors)} in ${JSON.stringify(value)}`);
  }

  /** Whether a value is what the schema at this pointer says. */
  isValid(pointer: string, value: unknown): boolean {
    const validate = this.#schemaAt(pointer);
    assert.ok(validate, `The document has no schema at ${pointer}`);
    return validate(value) as boolean;
  }

  #schemaAt(pointer: string): ValidateFunction | undefined {
    return this.#ajv.getSchema(`openapi#${pointer}`);
  }

  /** Fails unless an event of a stream is of this kind, and its data what the kind says. */
  assertEvent(kind: string, event: { readonly data: string }): void {
    const pointer = `/components/schemas/${kind}/properties/data/contentSchema`;
    // Without what is undefined, which is not there.
    const fields = JSON.parse(JSON.stringify(event));
    this.assertValid(`/components/schemas/${kind}`, fields);
    this.assertValid("/components/schemas/SseEvent", fields);
    if (this.#schemaAt(pointer) !== undefined) this.assertValid(pointer, JSON.parse(event.data));
  }

  /**
   * Fails unless the document says of an operation of a service that it may be answered so; resolves with the body.
   * The body of a stream is not read.
   */
  async assertDescribed(service: string, operation: string, response: Response): Promise<unknown> {
    const described = this.operationsOf(service).get(operation);
    assert.ok(described, `${service} is not said to have ${operation}`);
    const { status, headers } = response;
    const what = `${operation} of ${service}, ${status}`;
    const [method = "", path = ""] = operation.split(" ");
    const key = method === "QUERY" ? "x-query" : method.toLowerCase();
    const own = described.responses[status];
    assert.ok(own, `The document does not speak of ${what}`);
    const name = own.$ref?.split("/").at(-1);
    const expected = name === undefined ? own : this.document.components.responses[name];
    const pointer = name === undefined
      ? `/paths/${escaped(path)}/${key}/responses/${status}`
      : `/components/responses/${name}`;

    const known = new Set(Object.keys(expected?.headers ?? {}).map((header) => header.toLowerCase()));
    const unknown = [...headers.keys()].filter((header) =>
      !GENERAL_HEADERS.test(header) && !known.has(header)
    );
    assert.deepEqual(unknown, [], `Headers of ${what} that the document does not name`);
    assert.ok(headers.has("x-request-id"), what);

    const type = headers.get("Content-Type")?.split(";")[0];
    if (expected?.content === undefined) {
      assert.equal(await response.text(), "", `${what} has a body that the document does not speak of`);
      return undefined;
    }
    assert.ok(type !== undefined && type in expected.content, `${what} is ${type}`);
    if (type === "text/event-stream") {
      await response.body?.cancel();
      return undefined;
    }
    const text = await response.text();
    const body = /\bjson$/.test(type) ? JSON.parse(text) : text;
    this.assertValid(`${pointer}/content/${escaped(type)}/schema`, body);
    return body;
  }
}

/** Makes schemas of objects refuse members that they do not name. */
function closed(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("properties" in value)) return value;
  return { additionalProperties: false, ...value };
}

/** Source: RFC 6901; RFC 3986, since the pointer is the fragment of a reference. */
function escaped(text: string): string {
  return encodeURIComponent(text.replaceAll("~", "~0").replaceAll("/", "~1"));
}
