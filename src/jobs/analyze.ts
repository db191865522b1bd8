/** The import of one capture on one machine: survey, shards, finish. Where the shards run is the pool's business. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { DecodeOptions, RunOptions } from "../config.js";
import { anomalyLayer } from "../decoders/anomalies.js";
import type { Emission } from "../decoders/contract.js";
import { INDEX_BYTES, type NativeSummary } from "../engine/native.js";
import { systemError, ThreatflowError } from "../errors.js";
import type { Filter } from "../ingest/filter.js";
import { FileIndex, MemoryIndex, type PacketIndex } from "../ingest/packet-index.js";
import type { Source } from "../ingest/source.js";
import { survey } from "../ingest/survey.js";
import { decodeShard, type ShardJob, type ShardResult } from "../pipeline.js";
import { type Accounting, accountingOf, captureEmission, fileAnomalies, firstAt, lastAt } from "../records/capture-record.js";
import { type Digest, DigestBuilder } from "../records/digest.js";
import { envelope, type Observer } from "../records/envelope.js";
import { linktypeName } from "../records/protocols.js";
import { TextNotes, wireText } from "../records/text.js";
import { timestampAt } from "../records/time.js";
import type { StoredRun } from "../sinks/merge.js";
import { keptRun, Parts } from "../sinks/parts.js";
import type { Sink } from "../sinks/sink.js";
import type { Pool, SetAside, ShardOutcome } from "./pool.js";

/** For a capture of this size starting workers anew costs less than keeping their memory while records are written. */
const LARGE = 256 << 20;

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
  known?: (captureId: string) => boolean;
}
export interface Progress {
  stage: "survey" | "decode" | "write";
  done: number;
  total: number;
}
export interface SetAsideShard {
  shard: number;
  packets: number;
  first_offset: number;
  last_offset: number;
  reason: string;
}

/** What `--json` prints; also kept in the catalogue. */
export interface Summary {
  capture: {
    id: string;
    bytes: number;
    format: string;
    linktypes: string[];
    packets: number;
    first?: string;
    last?: string;
    name: string;
    compression?: string;
  };
  accounting: Accounting;
  records: Record<string, number>;
  seconds: number;
  status: "complete" | "partial" | "cancelled";
  set_aside: SetAsideShard[];
  limits: Record<string, number>;
  refused_documents: number;
  /** The first exception of a decoder, where there was one: a bug of ours. */
  firstException?: string;
  damage?: { truncated_at?: number; broken_records?: number; broken_bytes?: number; notes?: string[] };
  already_imported?: boolean;
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
    const decided = hash.then((id) => {
      if (r.known && !r.known(id)) throw new ThreatflowError("CANCELLED", "already imported");
      return id;
    });
    decided.catch(() => undefined);
    const jobs = shardJobs(r, surveyed.linktypes, s);
    const total = index.rows * jobs.length;
    const reached = jobs.map(() => 0);
    const progress = (n: number, packets: number): void => {
      reached[n] = packets;
      r.progress?.({ stage: "decode", done: reached.reduce((a, b) => a + b, 0), total });
    };
    const outcomes = await Promise.all(
      jobs.map((job, n) =>
        r.pool
          ? pooled(r.pool, job, index as FileIndex, work, decided, (p) => progress(n, p))
          : inProcess(job, index, decided, (p) => progress(n, p)),
      ),
    );
    r.signal?.throwIfAborted();
    const captureId = await decided;
    const setAside = outcomes.flatMap((o, shard) => ("reason" in o ? [describeSetAside(index, shard, jobs.length, o.reason)] : []));
    const accounting = accountingOf(
      s,
      setAside.reduce((a, x) => a + x.packets, 0),
    );
    const runs = [...outcomes.flatMap((o) => ("runs" in o ? o.runs : [])), ...captureRuns(s, accounting, source, captureId)];
    if (source.size > LARGE) r.pool?.rest();
    r.progress?.({ stage: "write", done: 0, total: 1 });
    const records = await write(r.sinks, runs, captureId);
    r.progress?.({ stage: "write", done: 1, total: 1 });
    const digest = new DigestBuilder();
    for (const o of outcomes) if ("result" in o) digest.merge(o.result.digest);
    for (const a of fileAnomalies(s)) digest.anomaly(a.name, a.count);
    return {
      summary: summary(source, captureId, s, accounting, records, setAside, outcomes, (performance.now() - begun) / 1000),
      digest: digest.result(),
    };
  } finally {
    index.close();
    rmSync(work, { recursive: true, force: true });
  }
}

function shardJobs(r: AnalyzeRequest, linktypes: Uint32Array, s: NativeSummary): ShardJob[] {
  const shards = Math.max(1, s.read < 20000 && r.pool ? Math.min(r.run.shards, 1 + Math.floor(s.read / 5000)) : r.run.shards);
  return Array.from({ length: shards }, (_, shard) => ({
    path: r.source.path,
    shard,
    shards,
    windowBytes: r.run.windowBytes,
    decode: r.decode,
    linktypes,
    observers: observersOf(s),
    clock: s.clock,
  }));
}

/** Interfaces are named in records where the capture has several, or where one has a name. */
function observersOf(s: NativeSummary): (Observer | undefined)[] {
  if (s.format !== "pcapng") return [];
  return s.interfaces.map((i, n) => {
    const name = i.name?.length ? wireText(i.name, 256, new TextNotes()) : undefined;
    return s.interfaces.length > 1 || name ? { id: String(n), name } : undefined;
  });
}

type MemoryOutcome = { result: ShardResult; runs: StoredRun[] };

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
  progress: (packets: number) => void,
): Promise<ShardOutcome | SetAside> {
  return pool.run({ job, indexPath: index.path, indexRows: index.rows, runDir: work }, captureId, progress);
}

/** What a shard that was given up would have decoded. */
function describeSetAside(index: PacketIndex, shard: number, shards: number, reason: string): SetAsideShard {
  const rows = Buffer.alloc(4096 * INDEX_BYTES);
  const out: SetAsideShard = { shard, packets: 0, first_offset: -1, last_offset: -1, reason };
  for (let from = 0; from < index.rows; from += 4096) {
    const n = index.read(from, 4096, rows);
    for (let i = 0; i < n; i++) {
      const at = i * INDEX_BYTES;
      const flags = rows.readUInt16LE(at + 38);
      if (flags & (1 | 4 | 8)) continue;
      if ((flags & 2 ? 0 : rows.readUInt32LE(at + 24) % shards) !== shard) continue;
      const offset = Number(rows.readBigUInt64LE(at));
      out.packets++;
      if (out.first_offset < 0) out.first_offset = offset;
      out.last_offset = offset;
    }
  }
  return out;
}

function captureRuns(s: NativeSummary, accounting: Accounting, source: Source, captureId: string): StoredRun[] {
  const parts = new Parts();
  const add = (e: Emission, index: number): void =>
    parts.add(e.dataset, envelope(e, undefined, undefined), { at: e.at, side: 0, stream: 0, index, seed: undefined, whole: false });
  const capture = captureEmission(s, accounting, source.givenBytes, source.compression);
  add(capture, 0);
  fileAnomalies(s).forEach((a, i) => {
    const body = { anomaly: { name: a.name, layer: anomalyLayer(a.name), count: a.count, offset: a.offset, needed_bytes: a.needed } };
    add({ dataset: "anomaly", at: a.at, side: 0, stream: 0, body, anomalies: [a.name] }, 0x80000000 + i);
  });
  return Array.from(parts.seal(captureId), keptRun);
}

async function write(sinks: readonly Sink[], runs: readonly StoredRun[], captureId: string): Promise<Record<string, number>> {
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

function summary(
  source: Source,
  id: string,
  s: NativeSummary,
  accounting: Accounting,
  records: Record<string, number>,
  setAside: SetAsideShard[],
  outcomes: readonly (MemoryOutcome | ShardOutcome | SetAside)[],
  seconds: number,
): Summary {
  const limits: Record<string, number> = {};
  const count = (name: string, n: number): void => {
    if (n) limits[name] = (limits[name] ?? 0) + n;
  };
  count("survey-fragments", s.fragmentLimit);
  for (const o of outcomes) {
    if (!("result" in o)) continue;
    for (const [name, n] of Object.entries(o.result.limits)) count(name, n);
    count("decoder-exceptions", o.result.exceptions);
  }
  const damaged = s.truncated || s.brokenRecords || source.notes.length;
  return {
    capture: {
      id,
      bytes: source.givenBytes,
      format: s.format,
      linktypes: s.linktypes.map(([n]) => linktypeName(n)),
      packets: s.read,
      first: s.read ? timestampAt(firstAt(s)) : undefined,
      last: s.read ? timestampAt(lastAt(s)) : undefined,
      name: source.name,
      compression: source.compression,
    },
    accounting,
    records,
    seconds: Math.round(seconds * 1000) / 1000,
    status: setAside.length ? "partial" : "complete",
    set_aside: setAside,
    limits,
    refused_documents: 0,
    firstException: outcomes.flatMap((o) => ("result" in o ? [o.result.firstException] : [])).find((x) => x !== undefined),
    damage: damaged
      ? {
          truncated_at: s.truncated ? s.truncatedAt : undefined,
          broken_records: s.brokenRecords || undefined,
          broken_bytes: s.brokenBytes || undefined,
          notes: source.notes.length ? source.notes : undefined,
        }
      : undefined,
  };
}
