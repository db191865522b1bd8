/** What a name in a question means: a field of the schema, a key of a flattened one, a member of an array of objects. */
import { ThreatflowError } from "../errors.js";
import { FIELDS, type Field, fieldOf } from "../records/fields.js";

export interface Target {
  field: Field;
  /** What stands behind a flattened field: a header's name. */
  key: string | undefined;
  /** What stands behind an array of objects: its member. */
  member: string | undefined;
}

/** Throws where there is no such field, with names that are near. */
export function target(name: string): Target {
  const own = fieldOf(name);
  const all = FIELDS as readonly Field[];
  for (const f of all) {
    if (!name.startsWith(`${f.name}.`)) continue;
    const rest = name.slice(f.name.length + 1);
    if (f.type === "flattened") return { field: f, key: rest, member: undefined };
    if (f.type === "object" && own) return { field: own, key: undefined, member: f.name };
  }
  if (own) return { field: own, key: undefined, member: undefined };
  const near = all
    .map((f) => f.name)
    .filter((n) => n.includes(name) || n.endsWith(`.${name.split(".").at(-1)}`))
    .slice(0, 3);
  throw new ThreatflowError(
    "QUERY_FIELD",
    `query: there is no field ${name}`,
    near.length ? `perhaps ${near.join(" or ")}` : "`threatflow fields` lists them",
  );
}

const REGEX_SPECIAL = /[\\^$.|?+()[\]{}]/g;
/** A pattern with `*` as a regular expression over the whole value. */
export const wildcard = (v: string): string => `^${v.replace(REGEX_SPECIAL, "\\$&").replace(/\*/g, ".*")}$`;

export const bad = (field: string, what: string): ThreatflowError =>
  new ThreatflowError("QUERY_SYNTAX", `query: ${what}`, `see \`threatflow fields ${field}\``);
