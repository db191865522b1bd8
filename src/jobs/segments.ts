/**
 * A shard of a spread import, segment by segment: the records of one are indexed while the next is decoded; then its checkpoint goes to the
 * store, and whoever does the shard again, on whatever machine, goes on from there.
 */
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { ThreatflowError } from "../errors.js";
import type { CaptureStore, StorePart } from "../ingest/capture-store.js";
import type { BulkOutcome, ElasticsearchSink } from "../sinks/elasticsearch.js";
import { log } from "./log.js";
import type { Reached, RunFile } from "./messages.js";
import type { ShardPayload } from "./queues.js";

/** How far a shard came, as the store keeps it. */
interface Kept {
  rows: number;
  /** What became of the records until there. */
  outcome: BulkOutcome;
}
/** Segments that may wait to be indexed, each with a checkpoint on this disk. */
const MOST_WAITING = 4;
type Place = Pick<ShardPayload, "capture" | "generation" | "shard">;
const part = (j: Place): `shard-${string}` => `shard-${j.generation}-${j.shard}`;
const keptAt = (j: Place): StorePart => `${part(j)}-at`;
const stateAt = (j: Place, rows: number): StorePart => `${part(j)}-state-${rows}`;

export class ShardSegments {
  readonly outcome: BulkOutcome = { indexed: 0, present: 0, refused: 0 };
  /** Where an earlier try came to. */
  resume: Reached | undefined;
  private readonly indexed = new Set<string>();
  private readonly store: CaptureStore;
  private readonly j: Place;
  private readonly sink: ElasticsearchSink;
  private readonly scratch: string;
  private readonly failed: (error: unknown) => void;
  /** Segments whose records are not yet indexed, in order. */
  private readonly waiting: Reached[] = [];
  private before: Reached | undefined;
  private kept: number | undefined;
  private working: Promise<void> = Promise.resolve();
  private busy = false;

  /** `failed` is told when a segment's records cannot be indexed: the shard is to stop. */
  constructor(store: CaptureStore, j: Place, sink: ElasticsearchSink, scratch: string, failed: (error: unknown) => void) {
    this.store = store;
    this.j = j;
    this.sink = sink;
    this.scratch = scratch;
    this.failed = failed;
  }

  /** Looks whether the store has a checkpoint of this shard. */
  async find(): Promise<void> {
    const { capture } = this.j;
    if (!(await this.store.has(capture, keptAt(this.j)))) return;
    try {
      const kept = deserialize(readFileSync(await this.store.fetch(capture, keptAt(this.j)))) as Kept;
      const checkpoint = await this.store.fetch(capture, stateAt(this.j, kept.rows));
      Object.assign(this.outcome, kept.outcome);
      this.kept = kept.rows;
      this.resume = { checkpoint, rows: kept.rows, runs: [] };
    } catch (error) {
      if (!(error instanceof ThreatflowError && error.code === "NO_EVIDENCE")) throw error; // another try took it away: begin anew
    }
  }

  /** A segment is done. Where decoding is far ahead of indexing, the last ones that wait become one. */
  reached(r: Reached): void {
    if (this.waiting.length >= MOST_WAITING) rmSync((this.waiting.pop() as Reached).checkpoint, { force: true });
    this.waiting.push(r);
    if (this.busy) return;
    this.busy = true;
    this.working = this.work();
    this.working.catch(this.failed);
  }

  /** The store's checkpoint did not fit: what was counted until there comes again. */
  anew(): void {
    Object.assign(this.outcome, { indexed: 0, present: 0, refused: 0 });
  }

  /** Indexes what is left. */
  async finish(runs: readonly RunFile[]): Promise<void> {
    await this.working;
    await this.index(runs);
    add(this.outcome, this.sink.outcome);
  }
  /** Nothing of it is on its way to Elasticsearch or the store any more, however that ended. */
  async quiet(): Promise<void> {
    await this.working.catch(() => undefined);
  }
  /** No longer needed. */
  async drop(): Promise<void> {
    const { capture } = this.j;
    if (this.kept === undefined) return;
    await this.store.drop(capture, keptAt(this.j));
    await this.store.drop(capture, stateAt(this.j, this.kept));
  }

  private async work(): Promise<void> {
    try {
      for (let r = this.waiting.shift(); r; r = this.waiting.shift()) {
        await this.index(r.runs);
        await this.keep(r);
        if (this.before) rmSync(this.before.checkpoint, { force: true }); // the pool goes on from a later one
        this.before = r;
      }
    } finally {
      this.busy = false;
    }
  }

  private async index(runs: readonly RunFile[]): Promise<void> {
    const fresh = runs.filter((r) => !this.indexed.has(r.text));
    for (const [dataset, list] of Map.groupBy(fresh, (r) => r.dataset)) await this.sink.dataset(dataset, list);
    for (const r of fresh) {
      this.indexed.add(r.text);
      rmSync(r.text, { force: true });
      rmSync(r.keys, { force: true });
    }
  }

  /** A checkpoint that cannot be kept (a full disk, a store that is away) costs nothing but itself. */
  private async keep(r: Reached): Promise<void> {
    try {
      await this.toStore(r);
    } catch (error) {
      log.warn(
        { capture: this.j.capture, shard: this.j.shard, rows: r.rows, error: (error as Error).message },
        "a checkpoint was not kept",
      );
      await this.store.drop(this.j.capture, stateAt(this.j, r.rows)).catch(() => undefined);
    }
  }
  /** The state first, then what names it. */
  private async toStore(r: Reached): Promise<void> {
    const { capture } = this.j;
    const file = join(this.scratch, `${part(this.j)}.keep`);
    copyFileSync(r.checkpoint, file);
    await this.store.keep(capture, stateAt(this.j, r.rows), file);
    const outcome = { ...this.outcome };
    add(outcome, this.sink.outcome);
    writeFileSync(file, serialize({ rows: r.rows, outcome } satisfies Kept));
    await this.store.keep(capture, keptAt(this.j), file);
    if (this.kept !== undefined && this.kept !== r.rows) await this.store.drop(capture, stateAt(this.j, this.kept));
    this.kept = r.rows;
  }
}

function add(to: BulkOutcome, from: BulkOutcome): void {
  to.indexed += from.indexed;
  to.present += from.present;
  to.refused += from.refused;
}
