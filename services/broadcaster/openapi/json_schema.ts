/** Turns the schemas by which the services judge into JSON Schema, as documents hold it. */
import {
  type ConversionConfig,
  type JsonSchema,
  type OverrideSchemaContext,
  toJsonSchema,
} from "@valibot/to-json-schema";
import * as v from "valibot";
import { refTo, type Schema } from "./operation.ts";

/** A part of a document. */
export type Part = Readonly<Record<string, unknown>>;

const CONFIG = {
  target: "draft-2020-12",
  // What clients have to know is what they may send, not what becomes of it.
  typeMode: "input",
  // What JSON Schema cannot say stands in descriptions, and what only tidies needs no words.
  ignoreActions: ["check", "trim", "to_lower_case"],
  overrideSchema: describeMembers,
  overrideRef: ({ referenceId }) => refTo(referenceId),
} satisfies ConversionConfig;

/** The schemas of one document; those with a name are written once, and referred to wherever they stand. */
export class SchemaParts {
  readonly #named: Readonly<Record<string, Schema>>;
  /** Most stand in several places, and each conversion is one of all that have a name. */
  readonly #parts = new Map<Schema, Part>();

  constructor(named: Readonly<Record<string, Schema>>) {
    this.#named = named;
  }

  /** Those with a name. */
  get components(): Part {
    const { $defs = {} } = this.#convert(v.unknown());
    return $defs;
  }

  /** One schema, or a reference to it. */
  of(schema: Schema): Part {
    const known = this.#parts.get(schema);
    if (known !== undefined) return known;
    const { $schema: _schema, $defs: _defs, ...converted } = this.#convert(schema);
    const part = { ...described(converted, schema) };
    this.#parts.set(schema, part);
    return part;
  }

  #convert(schema: Schema): JsonSchema {
    return toJsonSchema(schema, { ...CONFIG, definitions: this.#named });
  }
}

/** The conversion stops where a value is transformed, and descriptions mostly stand behind that. */
function describeMembers(
  { valibotSchema, jsonSchema, errors }: OverrideSchemaContext,
): JsonSchema | undefined {
  if (errors !== undefined || !("entries" in valibotSchema)) return undefined;
  const entries = valibotSchema.entries as Readonly<Record<string, Schema>>;
  const members = Object.entries(entries).map(([name, schema]) => [
    name,
    described(jsonSchema.properties?.[name] as JsonSchema, schema),
  ]);
  return { ...jsonSchema, properties: Object.fromEntries(members) };
}

function described(part: JsonSchema, schema: Schema): JsonSchema {
  if (part.$ref !== undefined) return part;
  const description = part.description ?? descriptionOf(schema);
  return description === undefined ? part : { ...part, description };
}

function descriptionOf(schema: Schema): string | undefined {
  const { wrapped } = schema as { readonly wrapped?: Schema };
  return v.getDescription(schema) ?? (wrapped && descriptionOf(wrapped));
}
