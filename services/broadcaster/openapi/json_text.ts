/** Text that is JSON inside of something else: the data of an event, a body that is called text. */
import * as v from "valibot";
import { refTo } from "./operation.ts";

/**
 * Such text, of what a schema describes.
 *
 * @param names under which that is in the components of the document; one of them holds.
 */
export function jsonText<const T extends v.GenericSchema>(
  names: readonly string[],
  schema: T,
): v.GenericSchema<string, v.InferOutput<T>> {
  const refs = names.map((name) => ({ $ref: refTo(name) }));
  const contentSchema = refs.length === 1 ? refs[0] : { anyOf: refs };
  return v.pipe(
    v.string(),
    // Source: JSON Schema 2020-12, Validation, section 8.
    v.metadata({ contentMediaType: "application/json", contentSchema }),
    v.parseJson(),
    schema,
  );
}
