/** Search over Elasticsearch: the same answers in the same order as the embedded store gives. */
import { DATASETS } from "../records/fields.js";
import { dslOf } from "./dsl.js";
import { type Elastic, elasticError, rawRequest } from "./elastic.js";
import { predicate } from "./evaluate.js";
import type { Query } from "./kql.js";
import { items, member, members } from "./raw-json.js";
import {
  countable,
  type Histogram,
  HOSTS,
  intervalFor,
  type Link,
  type LinkEnds,
  parsedQuestion,
  type Question,
  type Search,
  sortable,
  type TopValue,
} from "./search.js";

/** Documents in one answer, and how long a point in time lives between two of them. */
const PAGE = 1000;
const KEEP_ALIVE = "2m";
/** More are not counted apart. */
const MAX_TOP = 10000;
/** Pairs of hosts looked at for a map. */
const MAX_PAIRS = 500000;

const TIME = { order: "asc", format: "strict_date_optional_time_nanos", numeric_type: "date_nanos" };
const ORDER = [
  { "@timestamp": TIME },
  { "threatflow.packet": { order: "asc", missing: "_last", unmapped_type: "long" } },
  { "event.id": { order: "asc" } },
];
/** When a document was indexed: the one thing that is not in NDJSON. */
const INGESTED = /,"ingested":"[^"]*"/;

export function elasticSearch(e: Elastic): Search {
  return new ElasticSearch(e);
}

class ElasticSearch implements Search {
  private readonly e: Elastic;
  constructor(e: Elastic) {
    this.e = e;
  }
  close(): void {}

  private aliases(q: Question): string {
    return (q.datasets.length ? q.datasets : DATASETS).map((d) => `${this.e.prefix}-${d}`).join(",");
  }
  private asked(q: Question): { parsed: Query; query: object; wider: boolean } {
    const parsed = parsedQuestion(q);
    const { query, wider } = dslOf(parsed);
    const filter: object[] = [query];
    if (q.captures) filter.push({ terms: { "threatflow.capture.id": q.captures } });
    return { parsed, query: { bool: { filter } }, wider };
  }
  private async ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw elasticError(error, this.e.url);
    }
  }

  async count(q: Question): Promise<number> {
    const { query, wider } = this.asked(q);
    if (wider) {
      let n = 0;
      for await (const _ of this.records({ ...q, limit: Infinity })) n++;
      return n;
    }
    const answer = await this.ask(() =>
      this.e.client.count({ index: this.aliases(q), query, ignore_unavailable: true, allow_no_indices: true }),
    );
    return answer.count;
  }

  async *records(q: Question): AsyncGenerator<string> {
    const { parsed, query, wider } = this.asked(q);
    const fits = wider ? predicate(parsed) : undefined;
    let skip = q.from ?? 0;
    let left = q.limit;
    for await (const line of this.all(q, query, fits ? Infinity : skip + left)) {
      if (fits && !fits(JSON.parse(line) as Record<string, unknown>)) continue;
      if (skip > 0) {
        skip--;
        continue;
      }
      if (left-- <= 0) return;
      yield line;
    }
  }

  /** Every document that a query finds, in order, from one point in time. */
  private async *all(q: Question, query: object, most: number): AsyncGenerator<string> {
    if (most <= 0) return;
    const first = q.sort && sortOf(q.sort.field, q.sort.descending);
    const sort = first ? [first, ...ORDER] : ORDER;
    const opened = await this.ask(() =>
      this.e.client.openPointInTime({ index: this.aliases(q), keep_alive: KEEP_ALIVE, ignore_unavailable: true }),
    );
    let pit = opened.id;
    try {
      let after = "";
      for (let given = 0; given < most; ) {
        const size = Math.min(PAGE, most - given);
        const body = `{"size":${size},"query":${JSON.stringify(query)},"sort":${JSON.stringify(sort)},"pit":{"id":${JSON.stringify(pit)},"keep_alive":"${KEEP_ALIVE}"},"track_total_hits":false${after && `,"search_after":${after}`}}`;
        // No filter_path: with it Elasticsearch writes documents anew, other escapes in strings included.
        const text = await this.ask(() => rawRequest(this.e, "POST", "/_search", body));
        pit = JSON.parse(member(text, "pit_id") ?? JSON.stringify(pit)) as string;
        let n = 0;
        for (const hit of items(member(member(text, "hits") ?? "{}", "hits") ?? "[]")) {
          n++;
          for (const [name, value] of members(hit, 0)) {
            if (name === "sort") after = value;
            else if (name === "_source") yield value.replace(INGESTED, "");
          }
        }
        given += n;
        if (n < size) return;
      }
    } finally {
      await this.e.client.closePointInTime({ id: pit }).catch(() => undefined);
    }
  }

  async top(q: Question, name: string): Promise<TopValue[]> {
    const field = countable(name);
    const { query, wider } = this.asked(q);
    const size = Math.max(1, Math.min(q.limit, MAX_TOP));
    if (wider) return topInMemory(this.records({ ...q, limit: Infinity }), name, q.limit);
    const answer = await this.ask(() =>
      this.e.client.search({
        index: this.aliases(q),
        ignore_unavailable: true,
        size: 0,
        query,
        aggs: { top: { terms: { field: field.name, size, shard_size: size * 2 + 1000, order: [{ _count: "desc" }, { _key: "asc" }] } } },
      }),
    );
    const buckets =
      (answer.aggregations?.top as { buckets: { key: unknown; key_as_string?: string; doc_count: number }[] } | undefined)?.buckets ?? [];
    return buckets.slice(0, q.limit).map((b) => ({ value: String(b.key_as_string ?? b.key), count: b.doc_count }));
  }

  async histogram(q: Question, most: number): Promise<Histogram> {
    const { query } = this.asked(q);
    const ends = await this.ask(() =>
      this.e.client.search({
        index: this.aliases(q),
        ignore_unavailable: true,
        size: 0,
        query,
        aggs: { first: { min: { field: "@timestamp" } }, last: { max: { field: "@timestamp" } } },
      }),
    );
    const value = (name: string): number | null => (ends.aggregations?.[name] as { value: number | null } | undefined)?.value ?? null;
    const first = value("first");
    const last = value("last");
    if (first === null || last === null) return { interval_ms: 0, buckets: [] };
    const interval = intervalFor(Math.floor(last) - Math.floor(first), most);
    const answer = await this.ask(() =>
      this.e.client.search({
        index: this.aliases(q),
        ignore_unavailable: true,
        size: 0,
        query,
        aggs: { time: { date_histogram: { field: "@timestamp", fixed_interval: `${interval}ms`, min_doc_count: 1 } } },
      }),
    );
    const buckets = (answer.aggregations?.time as { buckets: { key: number; doc_count: number }[] } | undefined)?.buckets ?? [];
    return { interval_ms: interval, buckets: buckets.map((b) => [b.key, b.doc_count]) };
  }

  /** Pairs are paged through: an aggregation over both fields at once is not in every distribution. */
  async links(q: Question, [one, other]: LinkEnds = HOSTS): Promise<Link[]> {
    const { query } = this.asked(q);
    type Bucket = { key: { source: string; destination: string }; doc_count: number; bytes: { value: number }; packets: { value: number } };
    const out: Link[] = [];
    for (let after: object | undefined; out.length < MAX_PAIRS; ) {
      const answer = await this.ask(() =>
        this.e.client.search({
          index: this.aliases({ ...q, datasets: ["flow"] }),
          ignore_unavailable: true,
          size: 0,
          query,
          aggs: {
            links: {
              composite: {
                size: MAX_TOP,
                sources: [{ source: { terms: { field: one } } }, { destination: { terms: { field: other } } }],
                after: after as never,
              },
              aggs: { bytes: { sum: { field: "network.bytes" } }, packets: { sum: { field: "network.packets" } } },
            },
          },
        }),
      );
      const page = answer.aggregations?.links as { buckets: Bucket[]; after_key?: object } | undefined;
      for (const b of page?.buckets ?? [])
        out.push({
          source: b.key.source,
          destination: b.key.destination,
          flows: b.doc_count,
          packets: b.packets.value,
          bytes: b.bytes.value,
        });
      after = page?.after_key;
      if (!after) break;
    }
    const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
    return out.sort((a, b) => b.bytes - a.bytes || order(a.source, b.source) || order(a.destination, b.destination)).slice(0, q.limit);
  }
}

async function topInMemory(lines: AsyncIterable<string>, name: string, limit: number): Promise<TopValue[]> {
  const counts = new Map<string, number>();
  for await (const line of lines) {
    let v: unknown = JSON.parse(line);
    for (const part of name.split(".")) v = (v as Record<string, unknown> | undefined)?.[part];
    for (const x of new Set(Array.isArray(v) ? v : v === undefined ? [] : [v])) counts.set(String(x), (counts.get(String(x)) ?? 0) + 1);
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, limit)
    .map(([value, count]) => ({ value, count }));
}

function sortOf(name: string, descending: boolean): object {
  const f = sortable(name);
  const order = descending ? "desc" : "asc";
  if (f.type === "date_nanos") return { [name]: { ...TIME, order } };
  return { [name]: { order, missing: "_last", unmapped_type: f.type === "date" ? "date" : f.type } };
}
