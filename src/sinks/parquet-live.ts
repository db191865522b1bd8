/** The embedded store of a capture that is still recorded (src/records/files.ts): a part for each delivery, joined as they become many. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemError } from "../errors.js";
import { quoteText } from "../records/columns.js";
import { DATASETS } from "../records/fields.js";
import { isOpenFile, openFile, partFile, recordFile, removeRecordFiles } from "../records/files.js";
import { openDuck } from "../search/duck.js";
import { idOf, linesOf } from "./lines.js";
import type { StoredRun } from "./merge.js";
import { writeLines } from "./ndjson.js";
import { FORM, parquetOf, storeError } from "./parquet.js";
import type { LiveSink } from "./sink.js";

/** As many parts of one size are joined into one of the next. */
const JOINED = 8;
/** How long a part that was joined stays for who is reading it, ms. */
const GRACE_MS = 60_000;
/** Open flows that are shown; more show when they end. */
const MOST_OPEN = 50_000;

interface Part {
  from: number;
  to: number;
  level: number;
}

export function liveParquetSink(dataDir: string): LiveSink {
  return new LiveParquet(dataDir);
}

class LiveParquet implements LiveSink {
  readonly name = "parquet";
  private readonly dataDir: string;
  private id = "";
  private duck: Awaited<ReturnType<typeof openDuck>> | undefined;
  private deliveries = 0;
  private readonly parts = new Map<string, Part[]>();
  /** Open flows by the id of their record, and the file that holds them. */
  private readonly open = new Map<string, Buffer>();
  private shown: string | undefined;
  private readonly superseded: { path: string; at: number }[] = [];

  constructor(dataDir: string) {
    this.dataDir = dataDir;
  }

  async begin(captureId: string): Promise<void> {
    this.id = captureId;
    try {
      for (const dataset of DATASETS) mkdirSync(join(this.dataDir, "records", dataset), { recursive: true });
    } catch (error) {
      throw systemError(error, this.dataDir);
    }
    removeRecordFiles(this.dataDir, captureId);
  }

  async grow(more: ReadonlyMap<string, readonly StoredRun[]>, open: readonly StoredRun[]): Promise<void> {
    const n = this.deliveries + 1;
    try {
      await this.connect();
      await this.openFlows(n, more.get("flow") ?? [], open);
      for (const [dataset, runs] of more) {
        const parts = this.parts.get(dataset) ?? [];
        this.parts.set(dataset, parts);
        if ((parts.at(-1)?.to ?? 0) >= n) continue; // this one was there when the delivery failed before
        const target = partFile(this.dataDir, dataset, this.id, n, n);
        await this.write(dataset, target, (path) => writeLines(path, runs), Math.max(...runs.map((r) => r.longest)));
        parts.push({ from: n, to: n, level: 0 });
        await this.join(dataset, parts);
      }
      this.deliveries = n;
    } catch (error) {
      throw storeError(error, this.dataDir);
    } finally {
      this.disconnect();
    }
    this.clear(performance.now() - GRACE_MS);
  }
  private async write(dataset: string, target: string, fill: (lines: string) => Promise<void> | void, longest: number): Promise<void> {
    const lines = this.hidden(dataset, "lines");
    const hidden = this.hidden(dataset, "part");
    try {
      await fill(lines);
      await parquetOf(this.connection, dataset, lines, longest, hidden);
      renameSync(hidden, target);
    } finally {
      for (const path of [lines, hidden]) rmSync(path, { force: true });
    }
  }
  private hidden(dataset: string, what: string): string {
    return join(this.dataDir, "records", dataset, `.${this.id}.live.${process.pid}.${what}`);
  }
  private get connection() {
    return (this.duck as NonNullable<typeof this.duck>).connection;
  }
  /** For one delivery: a database that lives on keeps more memory with each. */
  private async connect(): Promise<void> {
    this.duck = await openDuck(join(this.dataDir, ".tmp"));
    await this.connection.run("SET threads=1"); // the packets need the others
    await this.connection.run("SET preserve_insertion_order=true");
  }
  private disconnect(): void {
    this.duck?.close();
    this.duck = undefined;
  }

  /** Those that ended leave before their last record comes: for a moment such a flow is not there, rather than twice. */
  private async openFlows(n: number, ended: readonly StoredRun[], open: readonly StoredRun[]): Promise<void> {
    let changed = false;
    for (const run of open)
      for await (const line of linesOf(run)) {
        const id = idOf(line);
        if (this.open.size >= MOST_OPEN && !this.open.has(id)) continue;
        this.open.set(id, Buffer.from(line));
        changed = true;
      }
    if (this.open.size) for (const run of ended) for await (const line of linesOf(run)) changed = this.open.delete(idOf(line)) || changed;
    if (!changed) return;
    const before = this.shown;
    this.shown = undefined;
    if (this.open.size) {
      const lines = [...this.open.values()];
      const target = openFile(this.dataDir, this.id, n);
      const longest = lines.reduce((a, l) => Math.max(a, l.length), 0);
      await this.write("flow", target, (path) => writeFileSync(path, Buffer.concat(lines)), longest);
      this.shown = target;
      if (before && before !== target) this.supersede(before);
    } else {
      // Nothing is newer than these: without a file that says so they would be looked at.
      if (before) this.supersede(before);
      const older = this.superseded.filter((s) => isOpenFile(s.path));
      for (const s of older) {
        rmSync(s.path, { force: true });
        this.superseded.splice(this.superseded.indexOf(s), 1);
      }
    }
  }
  private supersede(path: string): void {
    this.superseded.push({ path, at: performance.now() });
  }

  private async join(dataset: string, parts: Part[]): Promise<void> {
    for (let level = 0; ; level++) {
      const same = parts.filter((p) => p.level === level);
      if (same.length < JOINED) return;
      const from = same[0].from;
      const to = same[same.length - 1].to;
      await this.joined(dataset, same, partFile(this.dataDir, dataset, this.id, from, to));
      parts.splice(parts.indexOf(same[0]), same.length, { from, to, level: level + 1 });
      for (const p of same) this.supersede(this.path(dataset, p));
    }
  }
  private async joined(dataset: string, parts: readonly Part[], target: string): Promise<void> {
    const hidden = this.hidden(dataset, "part");
    try {
      const files = parts.map((p) => quoteText(this.path(dataset, p))).join(",");
      await this.connection.run(`COPY (SELECT * FROM read_parquet([${files}])) TO ${quoteText(hidden)} ${FORM}`);
      renameSync(hidden, target);
    } finally {
      rmSync(hidden, { force: true });
    }
  }
  private path(dataset: string, p: Part): string {
    return partFile(this.dataDir, dataset, this.id, p.from, p.to);
  }
  private clear(until: number): void {
    while (this.superseded.length && this.superseded[0].at < until)
      rmSync((this.superseded.shift() as { path: string }).path, { force: true });
  }

  async anew(): Promise<void> {
    removeRecordFiles(this.dataDir, this.id);
    this.deliveries = 0;
    this.parts.clear();
    this.open.clear();
    this.superseded.length = 0;
    this.shown = undefined;
  }

  async end(): Promise<void> {
    try {
      await this.connect();
      for (const [dataset, parts] of this.parts) await this.joined(dataset, parts, recordFile(this.dataDir, dataset, this.id));
      removeRecordFiles(this.dataDir, this.id, true);
    } catch (error) {
      throw storeError(error, this.dataDir);
    } finally {
      this.disconnect();
    }
  }
}
