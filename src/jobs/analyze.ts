/** The import of one capture on one machine: survey, shards, finish. Where the shards run is the pool's business. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type DecodeOptions, type RunOptions, SEGMENT_ROWS } from "../config.js";
import { systemError, ThreatflowError } from "../errors.js";
import type { Filter } from "../ingest/filter.js";
import { FileIndex, MemoryIndex, type PacketIndex } from "../ingest/packet-index.js";
import type { Source } from "../ingest/source.js";
import { survey } from "../ingest/survey.js";
import { decodeShard, type ShardJob, type ShardResult } from "../pipeline.js";
import { accountingOf, fileAnomalies } from "../records/capture-record.js";
import { type Digest, DigestBuilder } from "../records/digest.js";
import type { StoredRun } from "../sinks/merge.js";
import { keptRun } from "../sinks/parts.js";
import type { Sink } from "../sinks/sink.js";
import { captureRuns, setAsideOf, shardCount, shardJobs } from "./plan.js";
import type { Pool, SetAside, ShardOutcome } from "./pool.js";
import { type Progress, type Summary, summarize } from "./summary.js";

/** For a capture of this size, or with so many records, starting workers anew costs less than keeping their memory while records are written. */
const LARGE = 256 << 20;
const MANY_RECORDS = 100_000;

export interface AnalyzeRequest {
  source: Source;
  decode: DecodeOptions;
  filter: Filter | undefined;
  run: RunOptions;
  sinks: readonly Sink[];
  /** Folder for the index and runs, on the same disk as the results. */
  workDir: string;
  /** Undefined: shards run in this process (tests, tiny captures in a warm process). */
  pool: Pool | undefined;
  progress?: (p: Progress) => void;
  signal?: AbortSignal;
  /** Called when the id is known, before anything is visible; false: stop here, it is there already. */
  known?: (captureId: string) => Promise<boolean>;
}
export interface Analyzed {
  summary: Summary;
  digest: Digest;
}

export async function analyze(r: AnalyzeRequest): Promise<Analyzed> {
  const begun = performance.now();
  const { source, run } = r;
  let work: string;
  try {
    mkdirSync(r.workDir, { recursive: true });
    work = mkdtempSync(join(r.workDir, ".work-"));
  } catch (error) {
    throw systemError(error, r.workDir);
  }
  const index: PacketIndex = r.pool ? new FileIndex(join(work, "index"), "create") : new MemoryIndex();
  try {
    r.pool?.warm(run.shards);
    const { surveyed, hash } = await survey(source, index, {
      decode: r.decode,
      filter: r.filter,
      windowBytes: run.windowBytes,
      progress: (done) => r.progress?.({ stage: "survey", done, total: source.size }),
      signal: r.signal,
    });
    const s = surveyed.summary;
    const decided = hash.then(async (id) => {
      if (r.known && !(await r.known(id))) throw new ThreatflowError("CANCELLED", "already imported");
      return id;
    });
    decided.catch(() => undefined);
    const jobs = shardJobs(source.path, r.pool ? shardCount(s.read, run.shards) : run.shards, run.windowBytes, r.decode, surveyed);
    const total = index.rows * jobs.length;
    const reached = jobs.map(() => 0);
    const progress = (n: number, packets: number): void => {
      reached[n] = packets;
      r.progress?.({ stage: "decode", done: reached.reduce((a, b) => a + b, 0), total });
    };
    const outcomes = await Promise.all(
      jobs.map((job, n) =>
        r.pool
          ? pooled(r.pool, job, index as FileIndex, work, decided, run.segmentRows ?? SEGMENT_ROWS, (p) => progress(n, p))
          : inProcess({ ...job, scratch: work }, index, decided, (p) => progress(n, p)),
      ),
    );
    r.signal?.throwIfAborted();
    const captureId = await decided;
    const setAside = outcomes.flatMap((o, shard) => setAsideOf(o, index, shard, jobs.length));
    const accounting = accountingOf(
      s,
      setAside.reduce((a, x) => a + x.packets, 0),
    );
    const runs = [...outcomes.flatMap((o) => ("runs" in o ? o.runs : [])), ...captureRuns(s, accounting, source, captureId)];
    if (source.size > LARGE || runs.reduce((n, x) => n + x.count, 0) > MANY_RECORDS) r.pool?.rest();
    r.progress?.({ stage: "write", done: 0, total: 1 });
    const records = await writeRuns(r.sinks, runs, captureId);
    r.progress?.({ stage: "write", done: 1, total: 1 });
    const digest = new DigestBuilder();
    for (const o of outcomes) if ("result" in o) digest.merge(o.result.digest);
    for (const a of fileAnomalies(s)) digest.anomaly(a.name, a.count);
    return {
      summary: summarize(
        source,
        captureId,
        s,
        accounting,
        records,
        setAside,
        outcomes.flatMap((o) => ("result" in o ? [o.result] : [])),
        (performance.now() - begun) / 1000,
      ),
      digest: digest.result(),
    };
  } finally {
    index.close();
    rmSync(work, { recursive: true, force: true });
  }
}

type MemoryOutcome = { result: ShardResult; runs: StoredRun[]; setAside?: undefined };

async function inProcess(
  job: ShardJob,
  index: PacketIndex,
  captureId: Promise<string>,
  progress: (packets: number) => void,
): Promise<MemoryOutcome> {
  const runs: StoredRun[] = [];
  const result = await decodeShard(job, index, captureId, (run) => runs.push(keptRun(run)), progress);
  return { result, runs };
}

function pooled(
  pool: Pool,
  job: ShardJob,
  index: FileIndex,
  work: string,
  captureId: Promise<string>,
  segmentRows: number,
  progress: (packets: number) => void,
): Promise<ShardOutcome | SetAside> {
  return pool.run({ job, indexPath: index.path, indexRows: index.rows, runDir: work, segmentRows }, captureId, { progress });
}

/** Sorted runs to every sink; nothing is visible before all is written. */
export async function writeRuns(sinks: readonly Sink[], runs: readonly StoredRun[], captureId: string): Promise<Record<string, number>> {
  const byDataset = Map.groupBy(runs, (x) => x.dataset);
  const records: Record<string, number> = {};
  for (const dataset of [...byDataset.keys()].sort())
    records[dataset] = (byDataset.get(dataset) as StoredRun[]).reduce((a, x) => a + x.count, 0);
  try {
    for (const sink of sinks) sink.begin?.(captureId);
    // The largest first: datasets are written beside each other.
    const order = [...byDataset].sort(([, a], [, b]) => b.reduce((n, x) => n + x.count, 0) - a.reduce((n, x) => n + x.count, 0));
    for (const sink of sinks) {
      const written = await Promise.allSettled(order.map(([dataset, list]) => sink.dataset(dataset, list)));
      for (const w of written) if (w.status === "rejected") throw w.reason;
    }
    for (const sink of sinks) await sink.commit();
  } catch (error) {
    for (const sink of sinks) await sink.abort();
    throw error;
  }
  return records;
}
