/** The embedded store of a capture that is still recorded (src/records/files.ts): a part for each delivery, joined as they become many. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addon } from "../engine/native.js";
import { systemError } from "../errors.js";
import { DATASETS } from "../records/fields.js";
import { liveFolder, openName, partName, recordFile, removeLiveFiles, removeRecordFiles } from "../records/files.js";
import { openOrderedDuck } from "../search/duck.js";
import { type Join, type Joining, joinApart } from "./join.js";
import { idOf, linesOf } from "./lines.js";
import type { StoredRun } from "./merge.js";
import { writeLines } from "./ndjson.js";
import { parquetOf, storeError } from "./parquet.js";
import type { LiveSink } from "./sink.js";

/** As many parts of one size are joined into one of the next. */
const JOINED = 8;
/** Sizes of parts: those of the last one, of some thousand deliveries, are joined when the capture ends. */
const MOST_LEVELS = 4;
/** How long a part that was joined stays for who is reading it, ms. */
const GRACE_MS = 60_000;
/** Open flows that are shown; more show when they end. */
const MOST_OPEN = 50_000;

interface Part {
  from: number;
  to: number;
  level: number;
}

/** `join`: how parts are joined. */
export function liveParquetSink(dataDir: string, join: Join = joinApart): LiveSink {
  return new LiveParquet(dataDir, join);
}

class LiveParquet implements LiveSink {
  readonly name = "parquet";
  private readonly dataDir: string;
  private readonly joinParts: Join;
  private id = "";
  private duck: Awaited<ReturnType<typeof openOrderedDuck>> | undefined;
  private deliveries = 0;
  private readonly parts = new Map<string, Part[]>();
  /** Open flows by the id of their record, and the file that holds them. */
  private readonly open = new Map<string, string>();
  private readonly shown: string[] = [];
  private readonly superseded: { path: string; at: number }[] = [];

  constructor(dataDir: string, join: Join) {
    this.dataDir = dataDir;
    this.joinParts = join;
  }

  async begin(captureId: string): Promise<void> {
    this.id = captureId;
    try {
      removeRecordFiles(this.dataDir, captureId);
      for (const dataset of DATASETS) mkdirSync(this.folder(dataset), { recursive: true });
    } catch (error) {
      throw systemError(error, this.dataDir);
    }
  }

  async grow(more: ReadonlyMap<string, readonly StoredRun[]>, open: readonly StoredRun[]): Promise<void> {
    const n = this.deliveries + 1;
    try {
      await this.writeAll(n, more, open);
      await this.joinDue();
      this.deliveries = n;
    } catch (error) {
      throw storeError(error, this.dataDir);
    }
    this.clear(performance.now() - GRACE_MS);
  }
  private async writeAll(n: number, more: ReadonlyMap<string, readonly StoredRun[]>, open: readonly StoredRun[]): Promise<void> {
    try {
      await this.connect();
      await this.openFlows(n, more.get("flow") ?? [], open);
      for (const [dataset, runs] of more) {
        const parts = this.parts.get(dataset) ?? [];
        this.parts.set(dataset, parts);
        if ((parts.at(-1)?.to ?? 0) >= n) continue; // this one was there when the delivery failed before
        await this.write(dataset, partName(n, n), (path) => writeLines(path, runs), Math.max(...runs.map((r) => r.longest)));
        parts.push({ from: n, to: n, level: 0 });
      }
    } finally {
      this.disconnect();
    }
  }
  /** `fill` writes the lines to a file. */
  private async write(dataset: string, name: string, fill: (lines: string) => Promise<void> | void, longest: number): Promise<void> {
    const lines = join(this.folder(dataset), ".lines");
    const hidden = join(this.folder(dataset), ".part");
    try {
      await fill(lines);
      await parquetOf(this.connection, dataset, lines, longest, hidden);
      renameSync(hidden, join(this.folder(dataset), name));
    } finally {
      for (const path of [lines, hidden]) rmSync(path, { force: true });
    }
  }
  private folder(dataset: string): string {
    return liveFolder(this.dataDir, dataset, this.id);
  }
  private get spill(): string {
    return join(this.dataDir, ".tmp");
  }
  private get connection() {
    return (this.duck as NonNullable<typeof this.duck>).connection;
  }
  /** For one delivery: a database that lives on keeps more memory with each. */
  private async connect(): Promise<void> {
    this.duck = await openOrderedDuck(this.spill);
  }
  private disconnect(): void {
    this.duck?.close();
    this.duck = undefined;
    addon.releaseMemory();
  }

  /** Those that ended leave before their last record comes: for a moment such a flow is not there, rather than twice. */
  private async openFlows(n: number, ended: readonly StoredRun[], open: readonly StoredRun[]): Promise<void> {
    let changed = false;
    for (const run of open)
      for await (const line of linesOf(run)) {
        const id = idOf(line);
        if (this.open.size >= MOST_OPEN && !this.open.has(id)) continue;
        this.open.set(id, line.toString());
        changed = true;
      }
    if (this.open.size) for (const run of ended) for await (const line of linesOf(run)) changed = this.open.delete(idOf(line)) || changed;
    if (!changed) return;
    if (this.open.size === 0) {
      // The newest file counts: without one, none may be left.
      for (const path of this.shown.splice(0)) rmSync(path, { force: true });
      return;
    }
    const longest = Math.max(...Array.from(this.open.values(), (l) => Buffer.byteLength(l)));
    await this.write("flow", openName(n), (path) => writeFileSync(path, [...this.open.values()].join("")), longest);
    this.shown.push(join(this.folder("flow"), openName(n)));
    // The one before stays for who is reading it.
    while (this.shown.length > 2) rmSync(this.shown.shift() as string, { force: true });
  }

  /** Joins what has become many, all in one go. */
  private async joinDue(): Promise<void> {
    const due: Joining[] = [];
    const after = new Map<string, Part[]>();
    const superseded: string[] = [];
    for (const [dataset, before] of this.parts) {
      const parts = [...before];
      for (let level = 0; level < MOST_LEVELS; level++) {
        const same = parts.filter((p) => p.level === level);
        if (same.length < JOINED) break;
        const { from } = same[0];
        const { to } = same[same.length - 1];
        due.push(this.joining(dataset, same, join(this.folder(dataset), partName(from, to))));
        parts.splice(parts.indexOf(same[0]), same.length, { from, to, level: level + 1 });
        superseded.push(...same.map((p) => this.path(dataset, p)));
      }
      after.set(dataset, parts);
    }
    if (due.length === 0) return;
    await this.joinParts(due, this.spill);
    for (const [dataset, parts] of after) this.parts.set(dataset, parts);
    for (const path of superseded) this.superseded.push({ path, at: performance.now() });
  }
  private joining(dataset: string, parts: readonly Part[], target: string): Joining {
    return { files: parts.map((p) => this.path(dataset, p)), hidden: join(this.folder(dataset), ".part"), target };
  }
  private path(dataset: string, p: Part): string {
    return join(this.folder(dataset), partName(p.from, p.to));
  }
  private clear(until: number): void {
    while (this.superseded.length && this.superseded[0].at < until)
      rmSync((this.superseded.shift() as { path: string }).path, { force: true });
  }

  /** The numbers go on: no name is given twice. */
  async anew(): Promise<void> {
    this.parts.clear();
    this.open.clear();
    this.superseded.length = 0;
    this.shown.length = 0;
    await this.begin(this.id);
  }

  async end(): Promise<void> {
    try {
      const all = [...this.parts].map(([dataset, parts]) => this.joining(dataset, parts, recordFile(this.dataDir, dataset, this.id)));
      if (all.length) await this.joinParts(all, this.spill);
      removeLiveFiles(this.dataDir, this.id);
    } catch (error) {
      throw storeError(error, this.dataDir);
    }
  }
}
