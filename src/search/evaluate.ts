/** A question asked of one record in memory: the same answers as the store gives (test/query.test.ts holds both to it). */
import { FIELDS, type Field, fieldOf } from "../records/fields.js";
import { addressRange } from "./address.js";
import type { Query } from "./kql.js";
import { bad, type Target, target, wildcard } from "./target.js";

type Record_ = Readonly<Record<string, unknown>>;
export type Predicate = (record: Record_) => boolean;

/** The value at a dotted name, or undefined. */
function at(record: unknown, name: string): unknown {
  let v: unknown = record;
  for (const part of name.split(".")) {
    if (typeof v !== "object" || v === null) return undefined;
    v = (v as Record_)[part];
  }
  return v;
}
const list = (v: unknown): readonly unknown[] => (v === undefined ? [] : Array.isArray(v) ? v : [v]);

function valuesOf(t: Target): (record: Record_) => readonly unknown[] {
  const { field, key, member } = t;
  if (key !== undefined) return (r) => list((at(r, field.name) as Record_ | undefined)?.[key]);
  if (member) {
    const rest = field.name.slice(member.length + 1);
    return (r) => list(at(r, member)).flatMap((o) => list(at(o, rest)));
  }
  return (r) => list(at(r, field.name));
}

const isTime = (f: Field): boolean => f.type === "date" || f.type === "date_nanos";
/** A time without its zone, with nine digits, and one as written: a prefix of those that it covers. */
const plainTime = (v: unknown): string => {
  const text = String(v).replace(/Z$/, "");
  return text.includes(".") ? text : `${text}.000000000`;
};
function writtenTime(f: Field, value: string): string {
  if (!/^\d{4}(-\d\d(-\d\d([T ]\d\d(:\d\d(:\d\d(\.\d{1,9})?)?)?)?)?)?Z?$/.test(value))
    throw bad(f.name, `${f.name} is a time like 2026-11-24T03:17:00, not ${JSON.stringify(value)}`);
  return value.replace(" ", "T").replace(/Z$/, "");
}
function wholeNumber(f: Field, value: string): number {
  if (!/^-?\d{1,19}$/.test(value)) throw bad(f.name, `${f.name} is a number, not ${JSON.stringify(value)}`);
  return Number(value);
}
const hex = (v: unknown): string => addressRange(String(v))?.from ?? "";

/** Test of one value. */
function valueTest(f: Field, flattened: boolean, value: string, quoted: boolean): (v: unknown) => boolean {
  if (!flattened && f.type === "long") {
    const n = wholeNumber(f, value);
    return (v) => v === n;
  }
  if (!flattened && f.type === "boolean") {
    if (value !== "true" && value !== "false") throw bad(f.name, `${f.name} is true or false`);
    return (v) => String(v) === value;
  }
  if (!flattened && isTime(f)) {
    const written = writtenTime(f, value);
    return (v) => plainTime(v).startsWith(written);
  }
  if (!flattened && f.type === "ip") {
    const range = addressRange(value);
    if (!range) throw bad(f.name, `${JSON.stringify(value)} is no address, CIDR block or 10.1.*`);
    return (v) => hex(v) >= range.from && hex(v) <= range.to;
  }
  if (quoted || !value.includes("*")) return (v) => String(v) === value;
  const pattern = new RegExp(wildcard(value), "s");
  return (v) => pattern.test(String(v));
}

function rangeTest(f: Field, op: "<" | "<=" | ">" | ">=", value: string): (v: unknown) => boolean {
  const compare =
    <T extends number | string>(other: T, of: (v: unknown) => T) =>
    (v: unknown): boolean => {
      const x = of(v);
      return op === "<" ? x < other : op === "<=" ? x <= other : op === ">" ? x > other : x >= other;
    };
  if (f.type === "long") return compare(wholeNumber(f, value), Number);
  if (isTime(f)) {
    const written = writtenTime(f, value);
    return compare(written, (v) => plainTime(v).slice(0, written.length));
  }
  if (f.type === "ip") {
    const range = addressRange(value);
    if (!range) throw bad(f.name, `${JSON.stringify(value)} is no address`);
    return compare(op === ">" || op === "<=" ? range.to : range.from, hex);
  }
  if (f.type === "keyword") return compare(value, String);
  throw bad(f.name, `${f.name} takes no range`);
}

/** Compiles a question. Throws QUERY_FIELD and QUERY_SYNTAX as the store does. */
export function predicate(q: Query): Predicate {
  switch (q.kind) {
    case "all":
      return () => true;
    case "and": {
      const parts = q.parts.map(predicate);
      return (r) => parts.every((p) => p(r));
    }
    case "or": {
      const parts = q.parts.map(predicate);
      return (r) => parts.some((p) => p(r));
    }
    case "not": {
      const part = predicate(q.part);
      return (r) => !part(r);
    }
    case "exists": {
      if (!fieldOf(q.field) && FIELDS.some((f) => f.name.startsWith(`${q.field}.`))) return (r) => at(r, q.field) !== undefined;
      const t = target(q.field);
      if (t.member && t.member !== t.field.name) return (r) => at(r, t.member as string) !== undefined;
      const values = valuesOf(t);
      return (r) => values(r).length > 0;
    }
    case "is": {
      const names = q.field !== undefined ? [q.field] : addressRange(q.value) ? ["related.ip"] : ["related.hosts", "related.hash"];
      const tests = names.map((n) => {
        const t = target(n);
        const test = valueTest(t.field, t.key !== undefined, q.value, q.quoted);
        const values = valuesOf(t);
        return (r: Record_) => values(r).some(test);
      });
      return (r) => tests.some((t) => t(r));
    }
    case "range": {
      const t = target(q.field);
      if (t.key !== undefined || t.member) throw bad(q.field, `${q.field} takes no range`);
      const values = valuesOf(t);
      const test = rangeTest(t.field, q.op, q.value);
      return (r) => values(r).some(test);
    }
  }
}
