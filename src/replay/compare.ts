/** Expected and actual records → what differs, field by field. */
import type { Entry } from "./records.js";

export interface Difference {
  kind: "changed" | "missing" | "unexpected" | "condition" | "failed";
  /** Which record: dataset, packet, what names it for people. */
  where: string;
  fields: { name: string; expected: string; got: string }[];
  message?: string;
}
export interface Tolerance {
  /** Fields (or groups) that are not compared. */
  ignore: readonly string[];
  /** Largest difference allowed in a numeric field. */
  tolerance: Readonly<Record<string, number>>;
}

/** Leaves by dotted name; arrays are one leaf. */
function leaves(value: unknown, name: string, out: Map<string, unknown>): Map<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    for (const [k, v] of Object.entries(value)) leaves(v, name ? `${name}.${k}` : k, out);
  else out.set(name, value);
  return out;
}
const show = (v: unknown): string => (v === undefined ? "(absent)" : JSON.stringify(v));

function fieldsThatDiffer(expected: Entry, got: Entry, t: Tolerance): Difference["fields"] {
  if (expected.line === got.line) return [];
  const a = leaves(expected.record, "", new Map());
  const b = leaves(got.record, "", new Map());
  const ignored = (name: string): boolean => t.ignore.some((i) => name === i || name.startsWith(`${i}.`));
  const out: Difference["fields"] = [];
  for (const name of new Set([...a.keys(), ...b.keys()])) {
    const x = a.get(name);
    const y = b.get(name);
    if (show(x) === show(y) || ignored(name)) continue;
    const most = t.tolerance[name];
    if (most !== undefined && typeof x === "number" && typeof y === "number" && Math.abs(x - y) <= most) continue;
    out.push({ name, expected: show(x), got: show(y) });
  }
  return out;
}

function describe(e: Entry): string {
  const r = e.record as { threatflow?: { packet?: number }; source?: { ip?: string }; destination?: { ip?: string; port?: number } };
  const ends = r.source?.ip ? ` ${r.source.ip} → ${r.destination?.ip ?? "?"}${r.destination?.port ? `:${r.destination.port}` : ""}` : "";
  return `${e.dataset}${r.threatflow?.packet ? ` at packet ${r.threatflow.packet}` : ""}${ends}`;
}
/** Records with another id are paired by dataset and packet: it says more to see what changed than one missing and one too many. */
const place = (e: Entry): string => `${e.dataset} ${(e.record.threatflow as { packet?: number } | undefined)?.packet ?? 0}`;

export function compare(expected: readonly Entry[], got: readonly Entry[], t: Tolerance): Difference[] {
  const out: Difference[] = [];
  const byId = new Map(got.map((e) => [e.id, e]));
  const missing: Entry[] = [];
  for (const e of expected) {
    const g = byId.get(e.id);
    if (!g) {
      missing.push(e);
      continue;
    }
    byId.delete(e.id);
    const fields = fieldsThatDiffer(e, g, t);
    if (fields.length) out.push({ kind: "changed", where: describe(e), fields });
  }
  const rest = Map.groupBy(byId.values(), place);
  for (const e of missing) {
    const g = rest.get(place(e))?.shift();
    if (!g) out.push({ kind: "missing", where: describe(e), fields: [] });
    else {
      const fields = fieldsThatDiffer(e, g, t);
      if (fields.length) out.push({ kind: "changed", where: describe(e), fields });
    }
  }
  for (const left of rest.values()) for (const g of left) out.push({ kind: "unexpected", where: describe(g), fields: [] });
  return out;
}
