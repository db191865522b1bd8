/** Is this record what the schema says? Used in tests and over the corpus: whatever passes here no sink refuses. */
import { FIELDS, type Field, fieldOf } from "./fields.js";

const ORDER = new Map<string, number>();
FIELDS.forEach((f, i) => {
  const parts = f.name.split(".");
  for (let n = 1; n <= parts.length; n++) {
    const prefix = parts.slice(0, n).join(".");
    if (!ORDER.has(prefix)) ORDER.set(prefix, i);
  }
});
const IP = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:]+(\.\d{1,3}){0,3})$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/;
/** The largest long, 2^63 - 1, as JSON.parse reads it. */
const MAX_LONG = 2 ** 63;

/** What is wrong with a line, or undefined. */
export function validateLine(dataset: string, line: string): string | undefined {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return `no JSON: ${line.slice(0, 80)}`;
  }
  if (/[\ud800-\udfff]/.test(line) && line !== line.toWellFormed()) return "not well-formed Unicode";
  const o = record as { event?: { dataset?: string; id?: string } };
  if (o.event?.dataset !== dataset) return `dataset ${o.event?.dataset} in ${dataset}`;
  if (!o.event.id || /^0+$/.test(o.event.id)) return "no id";
  return group(dataset, record as Record<string, unknown>, "");
}

function group(dataset: string, o: Record<string, unknown>, prefix: string): string | undefined {
  let last = -1;
  for (const [key, value] of Object.entries(o)) {
    const name = prefix ? `${prefix}.${key}` : key;
    const place = ORDER.get(name);
    if (place === undefined) return `unknown field ${name}`;
    if (place < last) return `${name} is out of schema order`;
    last = place;
    const field = fieldOf(name);
    const wrong = field ? leaf(dataset, field, value) : isObject(value) ? group(dataset, value, name) : `${name} is no group`;
    if (wrong) return wrong;
    if (!field && Object.keys(value as object).length === 0) return `${name} is empty`;
  }
  return undefined;
}
const isObject = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null && !Array.isArray(v);

function leaf(dataset: string, f: Field, value: unknown): string | undefined {
  if (f.in && !f.in.includes(dataset)) return `${f.name} does not belong to ${dataset}`;
  if (f.list !== undefined && f.list !== Array.isArray(value)) return `${f.name} must ${f.list ? "" : "not "}be an array`;
  const values = Array.isArray(value) ? value : [value];
  if (values.length === 0) return `${f.name} is empty`;
  for (const v of values) {
    const wrong = one(dataset, f, v);
    if (wrong) return wrong;
  }
  return undefined;
}

function one(dataset: string, f: Field, v: unknown): string | undefined {
  switch (f.type) {
    case "keyword":
      if (typeof v !== "string") return `${f.name} is no string`;
      if (
        v === "" &&
        f.name !== "dns.answers.data" &&
        f.name !== "dns.authorities.data" &&
        f.name !== "dns.additionals.data" &&
        f.name !== "capture.comments"
      )
        return `${f.name} is empty`;
      if (Buffer.byteLength(v) > (f.max ?? 8191)) return `${f.name} is longer than ${f.max ?? 8191} bytes`;
      return v.includes("\0") ? `${f.name} holds NUL` : undefined;
    case "long":
      if (typeof v !== "number" || !Number.isFinite(v) || v < 0 || v % 1 !== 0) return `${f.name} is no whole number: ${String(v)}`;
      return v > MAX_LONG ? `${f.name} is too large` : undefined;
    case "boolean":
      return typeof v === "boolean" ? undefined : `${f.name} is no boolean`;
    case "ip":
      return typeof v === "string" && IP.test(v) ? undefined : `${f.name} is no address: ${String(v)}`;
    case "date_nanos":
      return typeof v === "string" && TIME.test(v) && v >= "1970" && v < "2262-04-12" ? undefined : `${f.name} is no time: ${String(v)}`;
    case "date":
      return typeof v === "string" && !Number.isNaN(Date.parse(v)) ? undefined : `${f.name} is no date: ${String(v)}`;
    case "flattened":
      return isObject(v) ? flattened(f, v) : `${f.name} is no object`;
    case "object":
      return isObject(v) ? group(dataset, v, f.name) : `${f.name} is no object`;
  }
}

function flattened(f: Field, o: Record<string, unknown>): string | undefined {
  for (const [k, v] of Object.entries(o)) {
    if (k === "" || k.includes("\0")) return `${f.name} has a key that is empty or holds NUL`;
    for (const x of Array.isArray(v) ? v : [v]) {
      if (typeof x === "number") continue;
      if (typeof x !== "string") return `${f.name}.${k} is no string`;
      if (Buffer.byteLength(x) > (f.max ?? 8191)) return `${f.name}.${k} is too long`;
    }
  }
  return undefined;
}
