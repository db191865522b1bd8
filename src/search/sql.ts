/** Query → SQL over the columns of src/records/columns.ts. Values are always quoted; fields are looked up in the schema. */
import { quoteName, quoteText } from "../records/columns.js";
import { FIELDS, type Field, fieldOf } from "../records/fields.js";
import { addressRange } from "./address.js";
import type { Query } from "./kql.js";
import { bad, type Target, target, wildcard } from "./target.js";

/** `test` of one value x, as SQL. */
function valueTest(f: Field, x: string, value: string, quoted: boolean, at: string): string {
  switch (f.type) {
    case "long": {
      if (!/^-?\d{1,19}$/.test(value)) throw bad(at, `${f.name} is a number, not ${JSON.stringify(value)}`);
      return `${x} = ${value}`;
    }
    case "boolean":
      if (value !== "true" && value !== "false") throw bad(at, `${f.name} is true or false`);
      return `${x} = ${value}`;
    case "date":
    case "date_nanos": {
      const [from, to] = timeRange(f, value, at);
      return `(${x} >= ${from} AND ${x} < ${to})`;
    }
    default:
      return !quoted && value.includes("*") ? `regexp_full_match(${x}, ${quoteText(wildcard(value))}, 's')` : `${x} = ${quoteText(value)}`;
  }
}
/** The span that a time as written covers: a year, a day, a second, … */
export function timeRange(f: Field, value: string, at: string): [string, string] {
  const m = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?)?)?)?Z?$/.exec(value);
  if (!m) throw bad(at, `${f.name} is a time like 2026-11-24T03:17:00, not ${JSON.stringify(value)}`);
  const units = [
    ["year", 2],
    ["month", 3],
    ["day", 4],
    ["hour", 5],
    ["minute", 6],
    ["second", 7],
  ] as const;
  const text = `${m[1]}-${m[2] ?? "01"}-${m[3] ?? "01"} ${m[4] ?? "00"}:${m[5] ?? "00"}:${m[6] ?? "00"}`;
  const type = f.type === "date_nanos" ? "TIMESTAMP_NS" : "TIMESTAMP";
  if (m[7]) {
    const exact = `${type} ${quoteText(`${text}.${m[7].padEnd(9, "0")}`)}`;
    const step = 10 ** (9 - m[7].length);
    return f.type === "date_nanos"
      ? [exact, `make_timestamp_ns(epoch_ns(${exact}) + ${step})`]
      : [exact, `${exact} + INTERVAL 1 MICROSECOND`];
  }
  const unit = units.find(([, group]) => m[group] === undefined)?.[0] ?? "second";
  const start = `TIMESTAMP ${quoteText(text)}`;
  return [`(${start})::${type}`, `(${start} + INTERVAL 1 ${unit})::${type}`];
}

function leafTest(t: Target, value: string, quoted: boolean, columns: Columns): string {
  const { field } = t;
  if (t.key !== undefined) {
    const path = quoteText(`$."${t.key.replace(/["\\]/g, "")}"`);
    const values = `from_json(json_extract(${quoteName(field.name)}, ${path}), '["VARCHAR"]')`;
    return known(
      field.name,
      columns,
      `len(list_filter(${values}, x -> ${valueTest({ ...field, type: "keyword" }, "x", value, quoted, field.name)})) > 0`,
    );
  }
  if (t.member) {
    const path = quoteText(`$[*].${field.name.slice(t.member.length + 1)}`);
    const x = field.type === "long" ? "x::BIGINT" : "(x ->> '$')";
    return known(
      t.member,
      columns,
      `len(list_filter(json_extract(${quoteName(t.member)}, ${path}), x -> ${valueTest(field, x, value, quoted, field.name)})) > 0`,
    );
  }
  if (field.type === "ip") {
    const range = addressRange(value);
    if (!range) throw bad(field.name, `${JSON.stringify(value)} is no address, CIDR block or 10.1.*`);
    const name = quoteName(`${field.name}#hex`);
    const test = (x: string): string =>
      range.from === range.to ? `${x} = '${range.from}'` : `${x} BETWEEN '${range.from}' AND '${range.to}'`;
    return known(field.name, columns, field.list ? `len(list_filter(${name}, x -> ${test("x")})) > 0` : test(name));
  }
  const name = quoteName(field.name);
  if (!field.list) return known(field.name, columns, valueTest(field, name, value, quoted, field.name));
  return known(field.name, columns, `len(list_filter(${name}, x -> ${valueTest(field, "x", value, quoted, field.name)})) > 0`);
}
/** What a question is asked of: the columns that the files at hand have. */
export interface Columns {
  readonly names: ReadonlySet<string>;
  /** Under a `not` an absent field must be false, not NULL. Elsewhere they are the same, and a bare comparison lets whole row groups be passed over. */
  readonly negated?: boolean;
}
/** A column that no file at hand has: the field is absent everywhere. */
const known = (name: string, columns: Columns, test: string): string =>
  !columns.names.has(name) ? "false" : columns.negated ? `coalesce(${test}, false)` : test;

export function whereOf(q: Query, columns: Columns): string {
  switch (q.kind) {
    case "all":
      return "true";
    case "and":
    case "or":
      return `(${q.parts.map((p) => whereOf(p, columns)).join(q.kind === "and" ? " AND " : " OR ")})`;
    case "not":
      return `(NOT ${whereOf(q.part, { ...columns, negated: true })})`;
    case "exists": {
      const group = (FIELDS as readonly Field[]).filter((f) => f.name.startsWith(`${q.field}.`) && columns.names.has(f.name));
      if (!fieldOf(q.field) && group.length) return `(${group.map((f) => `${quoteName(f.name)} IS NOT NULL`).join(" OR ")})`;
      const t = target(q.field);
      if (t.key !== undefined)
        return known(t.field.name, columns, `json_exists(${quoteName(t.field.name)}, ${quoteText(`$."${t.key.replace(/["\\]/g, "")}"`)})`);
      const name = t.member ?? t.field.name;
      return columns.names.has(name) ? `(${quoteName(name)} IS NOT NULL)` : "false";
    }
    case "is": {
      if (q.field !== undefined) return leafTest(target(q.field), q.value, q.quoted, columns);
      const names = addressRange(q.value) ? ["related.ip"] : ["related.hosts", "related.hash"];
      return `(${names.map((n) => leafTest(target(n), q.value, q.quoted, columns)).join(" OR ")})`;
    }
    case "range":
      return rangeTest(q, columns);
  }
}

function rangeTest(q: Extract<Query, { kind: "range" }>, columns: Columns): string {
  const { field, key, member } = target(q.field);
  if (key !== undefined || member) throw bad(q.field, `${q.field} takes no range`);
  let value: string;
  let name = quoteName(field.name);
  if (field.type === "long") {
    if (!/^-?\d{1,19}$/.test(q.value)) throw bad(q.field, `${q.field} is a number, not ${JSON.stringify(q.value)}`);
    value = q.value;
  } else if (field.type === "date" || field.type === "date_nanos") {
    const [from, to] = timeRange(field, q.value, q.field);
    value = q.op === ">" || q.op === "<=" ? to : from;
    const op = q.op === ">" ? ">=" : q.op === "<=" ? "<" : q.op;
    return known(field.name, columns, `${name} ${op} ${value}`);
  } else if (field.type === "ip") {
    const range = addressRange(q.value);
    if (!range) throw bad(q.field, `${JSON.stringify(q.value)} is no address`);
    name = quoteName(`${field.name}#hex`);
    value = `'${q.op === ">" || q.op === "<=" ? range.to : range.from}'`;
  } else if (field.type === "keyword") value = quoteText(q.value);
  else throw bad(q.field, `${q.field} takes no range`);
  const test = (x: string): string => `${x} ${q.op} ${value}`;
  return known(field.name, columns, field.list ? `len(list_filter(${name}, x -> ${test("x")})) > 0` : test(name));
}

/** SQL of the column that orders a field's values: addresses by number, not by text. */
export const orderColumn = (f: Field): string => quoteName(f.type === "ip" ? `${f.name}#hex` : f.name);
