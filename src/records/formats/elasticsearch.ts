/** The schema as an Elasticsearch composable index template: strict, one for each dataset, under an alias. */
import { type Field, fieldsOf } from "../fields.js";

type Mapping = Record<string, unknown>;

/** Elasticsearch's name and options of a field's type. */
function leaf(f: Field): Mapping {
  switch (f.type) {
    case "keyword":
      return { type: "keyword", ignore_above: f.max };
    case "flattened":
      return { type: "flattened", ignore_above: 8191 };
    case "object":
      return { type: "object", dynamic: "strict", properties: {} };
    default:
      return { type: f.type };
  }
}

/** `properties` of a dataset's mapping. */
export function properties(dataset: string): Mapping {
  const root: Mapping = {};
  for (const f of fieldsOf(dataset)) {
    const parts = f.name.split(".");
    let at = root;
    for (const p of parts.slice(0, -1)) {
      at[p] ??= { properties: {} };
      const group = at[p] as { properties: Mapping };
      at = group.properties;
    }
    at[parts.at(-1) as string] = leaf(f);
  }
  return root;
}

export interface IndexTemplate {
  index_patterns: string[];
  template: { settings: Mapping; mappings: Mapping };
  priority: number;
  _meta: Mapping;
}

/** The template for `threatflow-<dataset>-*`. */
export function indexTemplate(dataset: string): IndexTemplate {
  return {
    index_patterns: [`threatflow-${dataset}-*`],
    priority: 200,
    template: {
      settings: { "index.codec": "best_compression", "index.mapping.total_fields.limit": 400, "index.number_of_shards": 1 },
      mappings: { dynamic: "strict", date_detection: false, numeric_detection: false, properties: properties(dataset) },
    },
    _meta: { description: `Records of dataset ${dataset}, written by threatflow` },
  };
}
