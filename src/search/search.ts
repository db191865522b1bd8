/** Questions asked of records, whatever answers them. The order is always (@timestamp, threatflow.packet, event.id) unless sorted otherwise. */
import { ThreatflowError } from "../errors.js";
import type { Field } from "../records/fields.js";
import { parseQuery, type Query } from "./kql.js";
import { target } from "./target.js";

export interface Question {
  /** KQL. */
  query: string;
  /** Not before, and before: times as in questions. */
  since?: string;
  until?: string;
  datasets: readonly string[];
  /** Captures to look into; undefined: all. */
  captures: readonly string[] | undefined;
  sort?: { field: string; descending: boolean };
  limit: number;
  from?: number;
}
/** What a question asks as a whole: its words, and its span of time beside them. Throws QUERY_SYNTAX. */
export function parsedQuestion(q: Question): Query {
  const parts: Query[] = [parseQuery(q.query)];
  if (q.since) parts.push({ kind: "range", field: "@timestamp", op: ">=", value: q.since, at: 0 });
  if (q.until) parts.push({ kind: "range", field: "@timestamp", op: "<", value: q.until, at: 0 });
  return parts.length > 1 ? { kind: "and", parts } : parts[0];
}
export interface TopValue {
  value: string;
  count: number;
}
export interface Histogram {
  interval_ms: number;
  /** Start of each bucket that has records, ms since 1970, and how many. */
  buckets: [number, number][];
}
export interface Link {
  source: string;
  destination: string;
  flows: number;
  packets: number;
  bytes: number;
}
/** Hosts that talk, adapters that talk, and which addresses stand behind which adapter. */
export type LinkEnds =
  | readonly ["source.ip", "destination.ip"]
  | readonly ["source.mac", "destination.mac"]
  | readonly ["source.mac", "source.ip"]
  | readonly ["destination.mac", "destination.ip"];
export const HOSTS: LinkEnds = ["source.ip", "destination.ip"];
export interface Search {
  count(q: Question): Promise<number>;
  /** Records as the JSON lines they were written as. */
  records(q: Question): AsyncIterable<string>;
  /** The most frequent values of a field, each counted once a record; ties by value. */
  top(q: Question, field: string): Promise<TopValue[]>;
  /** Records over time, in at most `most` buckets (by @timestamp). */
  histogram(q: Question, most: number): Promise<Histogram>;
  /** Who talked to whom, by bytes; asked of flow records only. `ends`: the two fields that a link joins. */
  links(q: Question, ends?: LinkEnds): Promise<Link[]>;
  close(): void;
}
const INTERVALS_MS = [
  1, 10, 100, 1000, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000, 21600000, 86400000, 604800000, 2592000000,
];
/** The shortest interval that cuts a span into at most so many buckets. */
export const intervalFor = (spanMs: number, most: number): number =>
  INTERVALS_MS.find((i) => spanMs / i + 1 <= most) ?? Math.ceil(spanMs / most / 2592000000) * 2592000000;

function plain(name: string): Field {
  const t = target(name);
  if (t.key !== undefined || t.member || t.field.type === "flattened" || t.field.type === "object")
    throw new ThreatflowError("QUERY_FIELD", `query: ${name} cannot be sorted or counted by`, "choose a field with one value");
  return t.field;
}
/** A field that a question can be sorted by: one that has one value. Throws QUERY_FIELD. */
export function sortable(name: string): Field {
  const f = plain(name);
  if (f.list)
    throw new ThreatflowError(
      "QUERY_FIELD",
      `query: ${name} has several values, records cannot be sorted by it`,
      "choose a field with one value",
    );
  return f;
}
/** A field whose values can be counted. Throws QUERY_FIELD. */
export function countable(name: string): Field {
  const f = plain(name);
  if (f.type === "date" || f.type === "date_nanos")
    throw new ThreatflowError("QUERY_FIELD", `query: times are not counted by value`, "choose a field that is no time");
  return f;
}
