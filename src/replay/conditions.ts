/**
 * `<name>.expect.yaml`: counts and conditions in the query language, so that a user need not freeze every field.
 *
 *   - where: dns.question.name: *.evil.test
 *     dataset: dns        # else all
 *     count: 3            # exactly; or min, max; without any of them at least one
 */
import { parse } from "yaml";
import { ThreatflowError } from "../errors.js";
import { DATASETS } from "../records/fields.js";
import { predicate } from "../search/evaluate.js";
import { parseQuery } from "../search/kql.js";
import type { Difference } from "./compare.js";
import type { Entry } from "./records.js";

export interface Condition {
  where: string;
  dataset: string | undefined;
  min: number;
  max: number;
}

/** A question holds `: ` and `*`, which YAML would read as its own: what stands behind `where:` is taken as it is. */
const quoted = (text: string): string =>
  text.replace(/^(\s*(?:-\s+)?where:[ \t]+)(?!["'|>])(.*?)[ \t]*$/gm, (_, key: string, value: string) => key + JSON.stringify(value));

const wrong = (path: string, what: string): ThreatflowError =>
  new ThreatflowError("USAGE", `${path}: ${what}`, "a list of `- where: QUESTION` with `dataset`, `count`, `min`, `max`");

export function readConditions(path: string, text: string): Condition[] {
  let all: unknown;
  try {
    all = parse(quoted(text));
  } catch (error) {
    throw wrong(path, (error as Error).message.split("\n")[0]);
  }
  if (!Array.isArray(all) || all.length === 0) throw wrong(path, "no list of conditions");
  return all.map((c: unknown, n) => {
    const what = `condition ${n + 1}`;
    if (typeof c !== "object" || c === null) throw wrong(path, `${what} is no mapping`);
    const o = c as Record<string, unknown>;
    const strange = Object.keys(o).find((k) => !["where", "dataset", "count", "min", "max"].includes(k));
    if (strange) throw wrong(path, `${what}: there is no key ${strange}`);
    if (typeof o.where !== "string") throw wrong(path, `${what} has no where`);
    if (o.dataset !== undefined && !(DATASETS as readonly unknown[]).includes(o.dataset))
      throw wrong(path, `${what}: there is no dataset ${String(o.dataset)}`);
    const number = (k: string): number | undefined => {
      const v = o[k];
      if (v === undefined) return undefined;
      if (typeof v !== "number" || !Number.isInteger(v) || v < 0) throw wrong(path, `${what}: ${k} is no whole number`);
      return v;
    };
    const count = number("count");
    const max = number("max");
    const min = number("min") ?? (max === undefined ? 1 : 0);
    return { where: o.where, dataset: o.dataset as string | undefined, min: count ?? min, max: count ?? max ?? Infinity };
  });
}

export function check(conditions: readonly Condition[], entries: readonly Entry[]): Difference[] {
  const out: Difference[] = [];
  for (const c of conditions) {
    const fits = predicate(parseQuery(c.where));
    const found = entries.filter((e) => (c.dataset === undefined || e.dataset === c.dataset) && fits(e.record)).length;
    if (found >= c.min && found <= c.max) continue;
    const want = c.min === c.max ? String(c.min) : c.max === Infinity ? `at least ${c.min}` : `${c.min} to ${c.max}`;
    const where = `${c.where}${c.dataset ? ` (${c.dataset})` : ""}`;
    out.push({ kind: "condition", where, fields: [{ name: "records", expected: want, got: String(found) }] });
  }
  return out;
}
