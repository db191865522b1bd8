/** What each job of a spread import does: plain async functions that can be done again at any time with the same outcome. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import type { CaptureEntry, CaptureStatus } from "../catalog/catalog.js";
import type { DecodeOptions } from "../config.js";
import { DEFAULT_SPOOL_QUOTA } from "../config.js";
import type { NativeSummary } from "../engine/native.js";
import { ThreatflowError } from "../errors.js";
import type { CaptureStore } from "../ingest/capture-store.js";
import { readFilter } from "../ingest/filter.js";
import { FileIndex } from "../ingest/packet-index.js";
import { openSource } from "../ingest/source.js";
import { type Surveyed, survey } from "../ingest/survey.js";
import type { ShardResult } from "../pipeline.js";
import { accountingOf, fileAnomalies } from "../records/capture-record.js";
import { DigestBuilder } from "../records/digest.js";
import { checkpointRows, unpackQuota } from "../settings.js";
import { type BulkOutcome, ElasticsearchSink } from "../sinks/elasticsearch.js";
import { deleteRecords, prepareIndices, refresh } from "../sinks/indices.js";
import type { Cluster } from "./cluster.js";
import { optionsOf } from "./import-key.js";
import { log } from "./log.js";
import { captureRuns, setAsideOf, shardCount, shardJobs } from "./plan.js";
import type { Pool } from "./pool.js";
import { type CaptureJob, type FinishPayload, jobId, jobOptions, type ShardPayload } from "./queues.js";
import { ShardSegments } from "./segments.js";
import { type SetAsideShard, summarize } from "./summary.js";

export interface JobContext {
  cluster: Cluster;
  pool: Pool;
  /** Folder of this process for files that may be lost. */
  tmp: string;
  signal: AbortSignal;
  progress(p: JobProgress): void;
}
/** What a job tells while it works. */
export interface JobProgress {
  done: number;
  total: number;
  records?: number;
  /** Why nothing moves. */
  waiting?: string;
}
/** How long one try waits for Elasticsearch before its job goes back to the queue, ms. */
const PATIENCE = 5 * 60 * 1000;
const DECODED_PER_SHARD = 64 << 20;

/** The survey as the store keeps it. */
interface Kept {
  summary: NativeSummary;
  linktypes: Uint32Array;
  rows: number;
  shards: number;
  seconds: number;
  source: { givenBytes: number; compression: string | undefined; notes: string[]; unpacked: boolean };
}
/** A shard's result as the store keeps it. */
interface KeptShard {
  result: ShardResult | undefined;
  setAside: SetAsideShard | undefined;
  outcome: BulkOutcome;
}

/** The entry, where this job is still wanted: a deleted, cancelled or replaced import stops here. */
async function wanted(c: Cluster, j: CaptureJob, status: CaptureStatus): Promise<CaptureEntry> {
  const order: CaptureStatus[] = ["queued", "surveying", "decoding", "indexing"];
  const entry = await c.catalog.update(j.capture, (e) =>
    e.generation === j.generation && order.includes(e.status) && order.indexOf(e.status) < order.indexOf(status)
      ? { ...e, status }
      : undefined,
  );
  if (entry?.generation !== j.generation || !order.includes(entry.status))
    throw new ThreatflowError("CANCELLED", "this import is no longer wanted");
  return entry;
}

async function readKept<T>(store: CaptureStore, id: string, part: "survey" | `shard-${string}`): Promise<T> {
  return deserialize(readFileSync(await store.fetch(id, part))) as T;
}
async function writeKept(ctx: JobContext, id: string, part: "survey" | `shard-${string}`, value: unknown): Promise<void> {
  const path = join(ctx.tmp, `${part}-${id}-${Math.random().toString(36).slice(2)}`);
  writeFileSync(path, serialize(value));
  await ctx.cluster.store.keep(id, part, path);
}

export async function surveyJob(j: CaptureJob, ctx: JobContext): Promise<void> {
  const { cluster, tmp } = ctx;
  const entry = await wanted(cluster, j, "surveying");
  const begun = performance.now();
  const decode = optionsOf(entry.key);
  await prepareIndices(cluster.elastic, entry.month, cluster.settings.retention);
  const given = await cluster.store.fetch(j.capture, "capture");
  mkdirSync(cluster.store.scratch, { recursive: true });
  const source = await openSource(given, { spoolDir: cluster.store.scratch, quota: unpackQuota(cluster.settings, DEFAULT_SPOOL_QUOTA) });
  const work = mkdtempSync(join(tmp, "survey-"));
  const index = new FileIndex(join(work, "index"), "create");
  try {
    source.name = entry.name;
    source.sha256 = j.capture;
    const { surveyed } = await survey(source, index, {
      decode,
      filter: decode.filter === undefined ? undefined : readFilter(decode.filter),
      windowBytes: j.windowBytes,
      progress: (done) => ctx.progress({ done, total: source.size }),
      signal: ctx.signal,
    });
    const shards = shardCount(surveyed.summary.read, Math.min(j.shards, Math.max(1, Math.ceil(source.size / DECODED_PER_SHARD)) * 2));
    index.close();
    await cluster.store.keep(j.capture, "index", index.path);
    if (source.path !== given) await cluster.store.keep(j.capture, "unpacked", source.path);
    const kept: Kept = {
      summary: surveyed.summary,
      linktypes: surveyed.linktypes,
      rows: index.rows,
      shards,
      seconds: (performance.now() - begun) / 1000,
      source: { givenBytes: source.givenBytes, compression: source.compression, notes: source.notes, unpacked: source.path !== given },
    };
    await writeKept(ctx, j.capture, "survey", kept);
    await addFlow(cluster, { ...j, shards });
    await wanted(cluster, j, "decoding");
  } finally {
    source.dispose();
    rmSync(work, { recursive: true, force: true });
  }
}

/** The finish job with one child a shard; added once, whatever happened to an earlier try of the survey. */
async function addFlow(c: Cluster, j: CaptureJob): Promise<void> {
  if (await c.queues.finish.getJob(jobId("finish", j))) return;
  const { priority } = j;
  await c.queues.flows.add({
    name: "finish",
    queueName: "finish",
    data: j,
    opts: jobOptions("finish", j, priority),
    children: Array.from({ length: j.shards }, (_, shard) => ({
      name: "shard",
      queueName: "shard",
      data: { ...j, shard } satisfies ShardPayload,
      opts: { ...jobOptions("shard", { ...j, shard }, priority), ignoreDependencyOnFailure: true },
    })),
  });
}

function sinkOf(ctx: JobContext, entry: CaptureEntry, waiting: (why: string) => void): ElasticsearchSink {
  return new ElasticsearchSink(ctx.cluster.elastic, {
    month: entry.month,
    generation: entry.generation,
    deadLetters: join(ctx.cluster.store.scratch, "..", "dead-letters", `${entry.id}.${entry.generation}.ndjson`),
    patience: PATIENCE,
    signal: ctx.signal,
    waiting,
  });
}

export async function shardJob(j: ShardPayload, ctx: JobContext): Promise<void> {
  const { cluster } = ctx;
  const entry = await wanted(cluster, j, "decoding");
  const kept = await readKept<Kept>(cluster.store, j.capture, "survey");
  const surveyed: Surveyed = { summary: kept.summary, linktypes: kept.linktypes };
  const path = await cluster.store.fetch(j.capture, kept.source.unpacked ? "unpacked" : "capture");
  const indexPath = await cluster.store.fetch(j.capture, "index");
  const decode: DecodeOptions = optionsOf(entry.key);
  const job = shardJobs(path, kept.shards, j.windowBytes, decode, surveyed)[j.shard];
  const runDir = mkdtempSync(join(ctx.tmp, "shard-"));
  const progress = { done: 0, total: kept.rows, records: 0 };
  const sink = sinkOf(ctx, entry, (waiting) => tell({ waiting }));
  const tell = (more: Partial<JobProgress>): void => {
    progress.records = sink.outcome.indexed + sink.outcome.present;
    ctx.progress({ ...progress, ...more });
  };
  const stop = new AbortController();
  const segments = new ShardSegments(cluster.store, j, sink, runDir, (error) => stop.abort(error));
  try {
    await segments.find();
    if (segments.resume) log.info({ capture: j.capture, shard: j.shard, rows: segments.resume.rows }, "goes on from its checkpoint");
    const done = await ctx.pool.run(
      { job, indexPath, indexRows: kept.rows, runDir, segmentRows: checkpointRows(cluster.settings), resume: segments.resume },
      Promise.resolve(j.capture),
      {
        progress: (packets) => {
          progress.done = packets;
          tell({});
        },
        signal: AbortSignal.any([ctx.signal, stop.signal]),
        segment: (r) => segments.reached(r),
        anew: () => segments.anew(),
      },
    );
    await segments.finish("runs" in done ? done.runs : []);
    tell({ done: kept.rows });
    const index = new FileIndex(indexPath, "open", kept.rows);
    const [setAside] = setAsideOf(done, index, j.shard, kept.shards);
    index.close();
    const value: KeptShard = { result: "result" in done ? done.result : undefined, setAside, outcome: segments.outcome };
    await writeKept(ctx, j.capture, `shard-${j.generation}-${j.shard}`, value);
    await segments.drop();
  } finally {
    await segments.quiet(); // who cancelled this deletes the records next
    if (ctx.signal.aborted) await segments.drop().catch(() => undefined);
    rmSync(runDir, { recursive: true, force: true });
  }
}

export async function finishJob(j: FinishPayload, ctx: JobContext, failures: readonly string[]): Promise<void> {
  const { cluster } = ctx;
  const { store, elastic } = cluster;
  const entry = await wanted(cluster, j, "indexing");
  if (failures.length)
    throw new ThreatflowError("WORKER_CRASH", failures[0], `\`threatflow jobs retry ${j.capture.slice(0, 12)}\` tries again`);
  const kept = await readKept<Kept>(store, j.capture, "survey");
  const shards = await Promise.all(
    Array.from({ length: kept.shards }, (_, k) => readKept<KeptShard>(store, j.capture, `shard-${j.generation}-${k}`)),
  );
  const setAside = shards.flatMap((s) => s.setAside ?? []);
  const accounting = accountingOf(
    kept.summary,
    setAside.reduce((a, x) => a + x.packets, 0),
  );
  const sink = sinkOf(ctx, entry, (waiting) => ctx.progress({ done: 0, total: 1, waiting }));
  const own = captureRuns(kept.summary, accounting, kept.source, j.capture);
  for (const [dataset, runs] of Map.groupBy(own, (r) => r.dataset)) await sink.dataset(dataset, runs);
  if (entry.replaces) await deleteRecords(elastic, j.capture, j.generation);
  await refresh(elastic, entry.month);
  const records: Record<string, number> = {};
  const count = (counts: Record<string, number>): void => {
    for (const [d, n] of Object.entries(counts)) records[d] = (records[d] ?? 0) + n;
  };
  for (const s of shards) if (s.result) count(s.result.counts);
  count(Object.fromEntries(own.map((r) => [r.dataset, r.count])));
  const digest = new DigestBuilder();
  for (const s of shards) if (s.result) digest.merge(s.result.digest);
  for (const a of fileAnomalies(kept.summary)) digest.anomaly(a.name, a.count);
  const summary = summarize(
    { name: entry.name, givenBytes: kept.source.givenBytes, compression: kept.source.compression, notes: kept.source.notes },
    j.capture,
    kept.summary,
    accounting,
    Object.fromEntries(Object.entries(records).sort(([a], [b]) => (a < b ? -1 : 1))),
    setAside,
    shards.flatMap((s) => s.result ?? []),
    Math.max(0, (Date.now() - Date.parse(entry.queued ?? entry.added)) / 1000),
  );
  summary.refused_documents = shards.reduce((a, s) => a + s.outcome.refused, 0) + sink.outcome.refused;
  await cluster.catalog.update(j.capture, (e) =>
    e.generation === j.generation ? { ...e, status: "done", error: undefined, summary, digest: digest.result(50) } : undefined,
  );
  for (let k = 0; k < kept.shards; k++) await store.drop(j.capture, `shard-${j.generation}-${k}`);
}
