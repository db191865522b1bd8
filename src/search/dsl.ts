/**
 * Query → Elasticsearch's query DSL. What it cannot ask (a wildcard in one header's value) is asked too widely and told: the answer is then
 * sifted with the question in memory.
 */
import type { Field } from "../records/fields.js";
import { FIELDS, fieldOf } from "../records/fields.js";
import { addressRange } from "./address.js";
import type { Query } from "./kql.js";
import { timeSpan } from "./spans.js";
import { bad, type Target, target } from "./target.js";

export type Dsl = Record<string, unknown>;
export interface Asked {
  query: Dsl;
  /** The answer may hold more than was asked for. */
  wider: boolean;
}

const ALL: Dsl = { match_all: {} };
const NONE: Dsl = { match_none: {} };
/** `*` alone is special in questions; `?` and `\` are special to Elasticsearch. */
const pattern = (v: string): string => v.replace(/[\\?]/g, "\\$&");
const MAX_LONG = 2n ** 63n - 1n;

/** 32 hex digits as an address that Elasticsearch reads. */
export const addressOf = (hex: string): string => (hex.match(/.{4}/g) as string[]).join(":");

class Builder {
  wider = false;

  build(q: Query, positive: boolean): Dsl {
    switch (q.kind) {
      case "all":
        return ALL;
      case "and":
        return { bool: { filter: q.parts.map((p) => this.build(p, positive)) } };
      case "or":
        return { bool: { should: q.parts.map((p) => this.build(p, positive)), minimum_should_match: 1 } };
      case "not":
        return { bool: { must_not: [this.build(q.part, !positive)] } };
      case "exists":
        return this.exists(q.field);
      case "is": {
        if (q.field !== undefined) return this.is(target(q.field), q.value, q.quoted, positive);
        const names = addressRange(q.value) ? ["related.ip"] : ["related.hosts", "related.hash"];
        return { bool: { should: names.map((n) => this.is(target(n), q.value, q.quoted, positive)), minimum_should_match: 1 } };
      }
      case "range":
        return range(q);
    }
  }

  private exists(name: string): Dsl {
    if (fieldOf(name) || !(FIELDS as readonly Field[]).some((f) => f.name.startsWith(`${name}.`))) {
      const t = target(name);
      const member = t.member && t.member !== t.field.name;
      return { exists: { field: t.key !== undefined ? `${t.field.name}.${t.key}` : member ? t.member : t.field.name } };
    }
    return { exists: { field: name } };
  }

  private is(t: Target, value: string, quoted: boolean, positive: boolean): Dsl {
    const { field } = t;
    const star = !quoted && value.includes("*");
    if (t.key !== undefined) {
      const name = `${field.name}.${t.key}`;
      if (!star) return { term: { [name]: { value } } };
      if (/^[^*]+\*$/.test(value)) return { prefix: { [name]: { value: value.slice(0, -1) } } };
      this.wider = true;
      return positive ? { exists: { field: name } } : NONE;
    }
    switch (field.type) {
      case "long": {
        if (!/^-?\d{1,19}$/.test(value)) throw bad(field.name, `${field.name} is a number, not ${JSON.stringify(value)}`);
        return inLong(value) ? { term: { [field.name]: { value } } } : NONE;
      }
      case "boolean":
        if (value !== "true" && value !== "false") throw bad(field.name, `${field.name} is true or false`);
        return { term: { [field.name]: { value: value === "true" } } };
      case "ip": {
        const r = addressRange(value);
        if (!r) throw bad(field.name, `${JSON.stringify(value)} is no address, CIDR block or 10.1.*`);
        return r.from === r.to
          ? { term: { [field.name]: { value: addressOf(r.from) } } }
          : { range: { [field.name]: { gte: addressOf(r.from), lte: addressOf(r.to) } } };
      }
      case "date":
      case "date_nanos": {
        const [gte, lt] = timeSpan(field, value);
        return { range: { [field.name]: { gte: clamp(field, gte), lt: clamp(field, lt) } } };
      }
      default:
        return star ? { wildcard: { [field.name]: { value: pattern(value) } } } : { term: { [field.name]: { value } } };
    }
  }
}
const inLong = (v: string): boolean => BigInt(v) <= MAX_LONG && BigInt(v) >= -MAX_LONG - 1n;
/** Elasticsearch refuses to compare date_nanos with what it cannot hold. */
function clamp(f: Field, time: string): string {
  if (f.type !== "date_nanos") return time;
  const first = "1970-01-01T00:00:00.000000000Z";
  const last = "2262-04-11T23:47:16.854775807Z";
  return time < first ? first : time > last ? last : time;
}

const OPS = { "<": "lt", "<=": "lte", ">": "gt", ">=": "gte" } as const;
function range(q: Extract<Query, { kind: "range" }>): Dsl {
  const { field, key, member } = target(q.field);
  if (key !== undefined || member) throw bad(q.field, `${q.field} takes no range`);
  const test = (op: keyof typeof OPS, value: string): Dsl => ({ range: { [field.name]: { [OPS[op]]: value } } });
  switch (field.type) {
    case "long":
      if (!/^-?\d{1,19}$/.test(q.value)) throw bad(q.field, `${q.field} is a number, not ${JSON.stringify(q.value)}`);
      if (!inLong(q.value)) return q.value.startsWith("-") === q.op.startsWith(">") ? { exists: { field: field.name } } : NONE;
      return test(q.op, q.value);
    case "date":
    case "date_nanos": {
      const [from, to] = timeSpan(field, q.value);
      const value = clamp(field, q.op === ">" || q.op === "<=" ? to : from);
      return test(q.op === ">" ? ">=" : q.op === "<=" ? "<" : q.op, value);
    }
    case "ip": {
      const r = addressRange(q.value);
      if (!r) throw bad(q.field, `${JSON.stringify(q.value)} is no address`);
      return test(q.op, addressOf(q.op === ">" || q.op === "<=" ? r.to : r.from));
    }
    case "keyword":
      return test(q.op, q.value);
    default:
      throw bad(q.field, `${q.field} takes no range`);
  }
}

export function dslOf(q: Query): Asked {
  const b = new Builder();
  const query = b.build(q, true);
  return { query, wider: b.wider };
}
