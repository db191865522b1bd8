/** The schema as JSON Schema (draft 2020-12) of one record. */
import { type Field, fieldsOf } from "../fields.js";

type Schema = Record<string, unknown>;

function one(f: Field): Schema {
  switch (f.type) {
    case "keyword":
      return { type: "string", maxLength: f.max };
    case "long":
      return { type: "integer" };
    case "boolean":
      return { type: "boolean" };
    case "ip":
      return { type: "string", anyOf: [{ format: "ipv4" }, { format: "ipv6" }] };
    case "date":
    case "date_nanos":
      return { type: "string", format: "date-time" };
    case "flattened":
      return { type: "object", additionalProperties: { anyOf: [{ type: "array", items: { type: "string" } }, { type: "integer" }] } };
    case "object":
      return { type: "object", additionalProperties: false, properties: {} };
  }
}

/** The schema of a dataset's records; fields that are not known are absent, so none but the envelope's first is required. */
export function jsonSchema(dataset: string): Schema {
  const root: Schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: `threatflow ${dataset} record`,
    type: "object",
    additionalProperties: false,
    required: ["@timestamp", "event", "threatflow", "ecs"],
    properties: {},
  };
  for (const f of fieldsOf(dataset)) {
    const parts = f.name.split(".");
    let at = root;
    for (const p of parts.slice(0, -1)) {
      const known = at.properties as Record<string, Schema>;
      known[p] ??= { type: "object", additionalProperties: false, properties: {} };
      at = (known[p].items as Schema | undefined) ?? known[p];
    }
    const schema = one(f);
    (at.properties as Record<string, Schema>)[parts.at(-1) as string] = f.list
      ? { type: "array", items: schema, description: f.doc }
      : { ...schema, description: f.doc };
  }
  return root;
}
