/** Search over the embedded store. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { quoteName, quoteText } from "../records/columns.js";
import { DATASETS, type Field, fieldOf } from "../records/fields.js";
import { recordFiles } from "../records/files.js";
import { openDuck } from "./duck.js";
import type { Query } from "./kql.js";
import { filesBetween, type RowGroup, reach, span } from "./row-groups.js";
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
import { orderColumn, timeRange, whereOf } from "./sql.js";

/** Records without a packet (of a capture) come behind those of the same time. */
const PACKET = 'coalesce("threatflow.packet", 9223372036854775807)';
const ORDER = '"@timestamp", "threatflow.packet", "event.id"';
const KEY = `epoch_ns("@timestamp"), ${PACKET}, "event.id"`;
/** Records behind one with this key. */
function after([time, packet, id]: readonly unknown[]): string {
  const at = `make_timestamp_ns(${time})`;
  return `"@timestamp" > ${at} OR ("@timestamp" = ${at} AND (${PACKET} > ${packet} OR (${PACKET} = ${packet} AND "event.id" > ${quoteText(String(id))})))`;
}
/** Records in one answer of the database. */
const PAGE = 8000;
/** Sets of files whose columns are remembered. */
const MOST_DESCRIBED = 64;
/** Files whose times are remembered. */
const MOST_FILES = 100_000;
/** Questions whose count is remembered. */
const MOST_COUNTED = 64;
/** Places in order of time that are found without sorting. */
const MOST_TIMES = 1000;
/** The first or last records are looked for in so many times the rows that should hold them, then in eight times as many, and so on. */
const AMPLE = 4;
const WIDER = 8;

export async function duckSearch(dataDir: string): Promise<Search> {
  const spill = join(dataDir, ".tmp");
  mkdirSync(spill, { recursive: true });
  const { connection, close } = await openDuck(spill);
  return patient(new DuckSearch(dataDir, connection, close));
}

/** Files that were deleted or joined between looking which there are and reading them: the question is asked once more. */
const vanished = (error: unknown): boolean => /No files found|No such file|Cannot open file/i.test((error as Error).message);
function patient(s: DuckSearch): Search {
  const twice = <T>(ask: () => Promise<T>): Promise<T> =>
    ask().catch((error: unknown) => {
      if (vanished(error)) return ask();
      throw error;
    });
  return {
    count: (q) => twice(() => s.count(q)),
    async *records(q) {
      for (let tries = 0, given = 0; ; tries++) {
        try {
          for await (const record of s.records(q)) {
            given++;
            yield record;
          }
          return;
        } catch (error) {
          if (tries || given || !vanished(error)) throw error;
        }
      }
    },
    top: (q, field) => twice(() => s.top(q, field)),
    histogram: (q, most) => twice(() => s.histogram(q, most)),
    links: (q, ends) => twice(() => s.links(q, ends)),
    close: () => s.close(),
  };
}

/** FROM and WHERE of a question, and what they stand on. */
interface Source {
  parsed: Query;
  sql: string;
  files: readonly string[];
  columns: ReadonlySet<string>;
}
class DuckSearch implements Search {
  private readonly dataDir: string;
  private readonly connection: DuckDBConnection;
  readonly close: () => void;
  private readonly described = new Map<string, ReadonlySet<string>>();
  /** Of each file, as it was at a time and size. */
  private readonly groups = new Map<string, { stamp: string; groups: RowGroup[] }>();
  /** Of questions asked lately, by their SQL, which names every file: how many records match. */
  private counted = new Map<string, number>();
  private readonly changed = new Map<string, bigint>();
  constructor(dataDir: string, connection: DuckDBConnection, close: () => void) {
    this.dataDir = dataDir;
    this.connection = connection;
    this.close = close;
  }

  private files(q: Question): string[] {
    const datasets = q.datasets.length ? q.datasets : DATASETS;
    return datasets.flatMap((d) => {
      const dir = join(this.dataDir, "records", d);
      if (!existsSync(dir)) return [];
      this.fresh(d, statSync(dir, { bigint: true }).mtimeNs);
      return recordFiles(this.dataDir, d, q.captures);
    });
  }

  /** A file that came, went or was put in another's place changes its folder: what is remembered of files is forgotten then. */
  private fresh(dataset: string, changed: bigint): void {
    if (this.changed.get(dataset) === changed) return;
    this.changed.set(dataset, changed);
    this.described.clear();
    this.counted = new Map(); // who is counting now keeps what it finds out of the new one
  }

  /** FROM and WHERE; undefined where there are no records at all. */
  private async source(q: Question): Promise<Source | undefined> {
    const parsed = parsedQuestion(q);
    const files = this.files(q);
    if (files.length === 0) {
      whereOf(parsed, { names: new Set() }); // a wrong question is wrong even where there is nothing to ask
      return undefined;
    }
    return this.over(q.since || q.until ? await this.inTime(files, q) : files, parsed);
  }
  private async over(files: readonly string[], parsed: Query): Promise<Source> {
    const from = `read_parquet([${files.map(quoteText).join(",")}], union_by_name=true)`;
    const columns = await this.columns(from);
    return { parsed, sql: `FROM ${from} WHERE ${whereOf(parsed, { names: columns })}`, files, columns };
  }
  /** Files with records of the time in question; one at least, so that there is something to ask. */
  private async inTime(files: readonly string[], q: Question): Promise<readonly string[]> {
    const within = filesBetween(await this.groupsOf(files), await this.edge(q.since), await this.edge(q.until));
    return within.size ? [...within] : files.slice(0, 1);
  }
  /** A time as it is written in questions, ns. */
  private async edge(time: string | undefined): Promise<bigint | undefined> {
    if (!time) return undefined;
    const [begin] = timeRange(fieldOf("@timestamp") as Field, time, "@timestamp");
    return (await this.connection.runAndReadAll(`SELECT epoch_ns(${begin})`)).getRows()[0][0] as bigint;
  }
  /** What files hold is asked once. */
  private async columns(from: string): Promise<ReadonlySet<string>> {
    let names = this.described.get(from);
    if (!names) {
      const reader = await this.connection.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`);
      names = new Set(reader.getRows().map((r) => String(r[0])));
      if (this.described.size >= MOST_DESCRIBED) this.described.clear();
      this.described.set(from, names);
    }
    return names;
  }

  /** Which times lie in which part of the files, from their ends alone; asked once of each. */
  private async groupsOf(files: readonly string[]): Promise<RowGroup[]> {
    const stamps = new Map(files.map((f) => [f, stampOf(f)]));
    if (this.groups.size > MOST_FILES) this.groups.clear();
    const unknown = files.filter((f) => this.groups.get(f)?.stamp !== stamps.get(f));
    if (unknown.length) {
      const reader = await this.connection.runAndReadAll(
        `SELECT file_name, row_group_num_rows, epoch_ns(stats_min_value::TIMESTAMP_NS), epoch_ns(stats_max_value::TIMESTAMP_NS)
         FROM parquet_metadata([${unknown.map(quoteText).join(",")}]) WHERE path_in_schema = '@timestamp' AND stats_min_value IS NOT NULL`,
      );
      for (const f of unknown) this.groups.set(f, { stamp: stamps.get(f) as string, groups: [] });
      for (const [file, rows, first, last] of reader.getRows())
        this.groups
          .get(String(file))
          ?.groups.push({ file: String(file), rows: Number(rows), first: first as bigint, last: last as bigint });
    }
    return files.flatMap((f) => this.groups.get(f)?.groups ?? []);
  }

  async count(q: Question): Promise<number> {
    const source = await this.source(q);
    return source ? this.counting(source.sql) : 0;
  }
  private async counting(source: string): Promise<number> {
    const { counted } = this;
    let count = counted.get(source);
    if (count === undefined) {
      count = Number((await this.connection.runAndReadAll(`SELECT count(*) ${source}`)).getRows()[0][0]);
      if (counted.size >= MOST_COUNTED) counted.clear();
      counted.set(source, count);
    }
    return count;
  }

  /**
   * In pages, each from behind the last record of the one before: what a long answer needs of memory does not grow with it, and answers may be read
   * beside each other on one connection.
   */
  async *records(q: Question): AsyncGenerator<string> {
    const by = q.sort && sortable(q.sort.field);
    const source = await this.source(q);
    if (!source) return;
    if ((!by || by.name === "@timestamp") && q.limit <= PAGE) {
      yield* this.ends(source, q);
      return;
    }
    if (by && source.columns.has(by.name)) {
      yield* this.sorted(source.sql, `${orderColumn(by)} ${q.sort?.descending ? "DESC" : "ASC"} NULLS LAST, ${ORDER}`, q);
      return;
    }
    let behind = "";
    let skip = q.from ?? 0;
    for (let left = q.limit; left > 0; ) {
      const size = Math.min(PAGE, left);
      // First where the page ends, from the keys alone; then its records: a sort that carries them all does not fit into memory.
      const [bound] = (
        await this.connection.runAndReadAll(`SELECT ${KEY} ${source.sql}${behind} ORDER BY ${ORDER} LIMIT 1 OFFSET ${skip + size - 1}`)
      ).getRowsJS();
      const until = bound ? ` AND NOT (${after(bound)})` : "";
      const reader = await this.connection.runAndReadAll(`SELECT _record ${source.sql}${behind}${until} ORDER BY ${ORDER} OFFSET ${skip}`);
      for (const r of reader.getRowsJS()) yield String(r[0]);
      if (!bound) return;
      left -= size;
      skip = 0;
      behind = ` AND (${after(bound)})`;
    }
  }

  /** The time of the record at a place in order of time, as SQL; undefined: there are fewer. */
  private async timeAt(source: string, place: number, direction: string): Promise<string | undefined> {
    const time = `epoch_ns("@timestamp")`;
    const sql =
      place >= MOST_TIMES
        ? `SELECT ${time} FROM (SELECT "@timestamp" ${source} ORDER BY "@timestamp" ${direction} LIMIT 1 OFFSET ${place})`
        : `SELECT epoch_ns(list_extract(${direction === "ASC" ? "min" : "max"}("@timestamp", ${place + 1}), ${place + 1})) ${source}`;
    const ns = (await this.connection.runAndReadAll(sql)).getRows()[0]?.[0];
    return ns == null ? undefined : `make_timestamp_ns(${ns})`;
  }

  /**
   * The first or last records by time. How many match tells where to look: in the parts of the files at that end that should hold enough of them,
   * and further only where they do not. Records themselves are read between the times of the first and the last that are asked for.
   */
  private async *ends(source: Source, q: Question): AsyncGenerator<string> {
    const from = q.from ?? 0;
    const need = from + q.limit;
    const descending = q.sort?.descending === true;
    const [direction, inside, outside] = descending ? ["DESC", ">=", ">"] : ["ASC", "<=", "<"];
    const total = await this.counting(source.sql);
    if (q.limit === 0 || total <= from) return;
    let near = source.sql;
    if (need < total) {
      const groups = await this.groupsOf(source.files);
      const rows = groups.reduce((n, g) => n + g.rows, 0);
      for (let wanted = (AMPLE * need * rows) / total; ; wanted *= WIDER) {
        const bound = reach(groups, wanted, descending);
        const files =
          bound === undefined ? [] : descending ? filesBetween(groups, bound, undefined) : filesBetween(groups, undefined, bound + 1n);
        const { sql } = bound === undefined ? source : await this.over([...files], source.parsed);
        const time = await this.timeAt(
          bound === undefined ? sql : `${sql} AND "@timestamp" ${inside} make_timestamp_ns(${bound})`,
          need - 1,
          direction,
        );
        if (time !== undefined) near = `${sql} AND "@timestamp" ${inside} ${time}`;
        if (time !== undefined || bound === undefined) break;
      }
    }
    let skip = from;
    const begin = from < MOST_TIMES ? undefined : await this.timeAt(near, from, direction);
    if (begin !== undefined) {
      const reader = await this.connection.runAndReadAll(`SELECT count(*) ${near} AND "@timestamp" ${outside} ${begin}`);
      skip -= Number(reader.getRows()[0][0]);
      near += ` AND NOT ("@timestamp" ${outside} ${begin})`;
    }
    const reader = await this.connection.runAndReadAll(
      `SELECT _record ${near} ORDER BY "@timestamp" ${direction} NULLS LAST, ${ORDER} LIMIT ${q.limit} OFFSET ${skip}`,
    );
    for (const r of reader.getRowsJS()) yield String(r[0]);
  }

  /** By a field of choice: the keys are sorted as a whole, records are read page by page, where their times are. */
  private async *sorted(source: string, order: string, q: Question): AsyncGenerator<string> {
    for (let from = q.from ?? 0, left = q.limit; left > 0; ) {
      const size = Math.min(PAGE, left);
      const keys = (
        await this.connection.runAndReadAll(
          `SELECT "event.id", epoch_ns("@timestamp") ${source} ORDER BY ${order} LIMIT ${size} OFFSET ${from}`,
        )
      ).getRows();
      if (keys.length === 0) return;
      const ids = keys.map((r) => String(r[0]));
      const times = keys.map((r) => `make_timestamp_ns(${r[1]})`);
      const found = await this.connection.runAndReadAll(
        `SELECT "event.id", _record ${source} AND "@timestamp" IN (${times.join(",")}) AND "event.id" IN (${ids.map(quoteText).join(",")})`,
      );
      const byId = new Map(found.getRowsJS().map((r) => [String(r[0]), String(r[1])]));
      for (const id of ids) yield byId.get(id) as string;
      if (ids.length < size) return;
      left -= ids.length;
      from += ids.length;
    }
  }

  async top(q: Question, name: string): Promise<TopValue[]> {
    const field = countable(name);
    const source = await this.source(q);
    if (!source?.columns.has(name)) return [];
    const [value, order] = [quoteName(name), orderColumn(field)].map((c) => (field.list ? `unnest(list_distinct(${c}))` : c));
    // An address and its ordered twin stand beside each other in both lists, but distinct lists need not: values are paired by their text.
    const pairs =
      field.list && field.type === "ip"
        ? `SELECT v, min(o) AS o FROM (SELECT unnest(${quoteName(name)}) AS v, unnest(${orderColumn(field)}) AS o ${source.sql}) GROUP BY v`
        : undefined;
    const counted = `SELECT v, ${pairs ? "" : "any_value(o) AS o, "}count(*) AS n FROM (SELECT ${value} AS v${pairs ? "" : `, ${order} AS o`} ${source.sql}) WHERE v IS NOT NULL GROUP BY v`;
    const sql = pairs ? `SELECT c.v, p.o, c.n FROM (${counted}) c JOIN (${pairs}) p ON c.v = p.v` : counted;
    const limit = Number.isFinite(q.limit) ? `LIMIT ${q.limit}` : "";
    const reader = await this.connection.runAndReadAll(`SELECT v::VARCHAR, n FROM (${sql}) ORDER BY n DESC, o ${limit}`);
    return reader.getRows().map((r) => ({ value: String(r[0]), count: Number(r[1]) }));
  }

  async histogram(q: Question, most: number): Promise<Histogram> {
    const source = await this.source(q);
    if (!source) return { interval_ms: 0, buckets: [] };
    // As coarse as the files need it; what matches may lie closer together and be worth a second look.
    let interval = intervalFor(span(await this.groupsOf(source.files)), most);
    for (;;) {
      const reader = await this.connection.runAndReadAll(
        `SELECT epoch_ns("@timestamp") // ${interval}000000 AS b, count(*), epoch_ms(min("@timestamp")::TIMESTAMP), epoch_ms(max("@timestamp")::TIMESTAMP) ${source.sql} GROUP BY b ORDER BY b`,
      );
      const buckets = reader.getRows().map((r) => r.map(Number));
      if (buckets.length === 0) return { interval_ms: 0, buckets: [] };
      const fitting = intervalFor(buckets[buckets.length - 1][3] - buckets[0][2], most);
      if (fitting === interval) return { interval_ms: interval, buckets: buckets.map(([b, n]) => [b * interval, n]) };
      interval = fitting;
    }
  }

  async links(q: Question, [one, other]: LinkEnds = HOSTS): Promise<Link[]> {
    const source = await this.source({ ...q, datasets: ["flow"] });
    if (!source?.columns.has(one) || !source.columns.has(other)) return [];
    const reader = await this.connection.runAndReadAll(
      `SELECT s, d, count(*), sum(p), sum(b) AS bytes FROM (SELECT "${one}" AS s, "${other}" AS d, "network.packets" AS p, "network.bytes" AS b ${source.sql})
       WHERE s IS NOT NULL AND d IS NOT NULL GROUP BY s, d ORDER BY bytes DESC, s, d LIMIT ${q.limit}`,
    );
    return reader
      .getRows()
      .map((r) => ({ source: String(r[0]), destination: String(r[1]), flows: Number(r[2]), packets: Number(r[3]), bytes: Number(r[4]) }));
  }
}

/** Changes with the file; one that is gone has none. */
function stampOf(file: string): string {
  const s = statSync(file, { bigint: true, throwIfNoEntry: false });
  return s ? `${s.mtimeNs} ${s.size} ${s.ino}` : "";
}
