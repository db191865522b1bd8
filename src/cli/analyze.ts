/** `threatflow analyze FILE|DIR|-…`: captures → records, in the store (default), as NDJSON, or both. */
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Command } from "commander";
import { type CaptureEntry, type Catalog, openCatalog } from "../catalog/catalog.js";
import { DEFAULT_SPOOL_QUOTA, type DecodeOptions, defaultRun, type RunOptions, SCHEMA_VERSION } from "../config.js";
import { OVERLAP, type OverlapPolicy } from "../engine/native.js";
import { systemError, ThreatflowError } from "../errors.js";
import { type Filter, readFilter } from "../ingest/filter.js";
import { capturesIn } from "../ingest/folder.js";
import { openSource } from "../ingest/source.js";
import { type Analyzed, analyze, type Summary } from "../jobs/analyze.js";
import { Pool } from "../jobs/pool.js";
import { DATASETS } from "../records/fields.js";
import { duckSearch } from "../search/duckdb.js";
import { ndjsonSink } from "../sinks/ndjson.js";
import { parquetSink } from "../sinks/parquet.js";
import type { Sink } from "../sinks/sink.js";
import { dataDir } from "./data-dir.js";
import { keepEvidence } from "./evidence.js";
import { EXIT } from "./exit.js";
import { ProgressLine } from "./progress.js";
import { report } from "./report.js";

interface Flags {
  ndjson?: string;
  data?: string;
  filter?: string;
  workers?: string;
  shards?: string;
  window?: string;
  json?: boolean;
  strict?: boolean;
  force?: boolean;
  keep?: boolean;
  quiet?: boolean;
  credentials?: boolean;
  tcpOverlap: string;
  ipOverlap: string;
  dedup?: string;
  spoolQuota?: string;
}

/** Everything that one command line sets up for all its captures. */
interface Setup {
  flags: Flags;
  run: RunOptions;
  decode: DecodeOptions;
  filter: Filter | undefined;
  /** The store; undefined: --ndjson alone stores nothing. */
  store: string | undefined;
  catalog: Catalog | undefined;
  pool: Pool;
  signal: AbortSignal;
  workDir: string;
}

export function analyzeCommand(program: Command, exit: (status: number) => void): void {
  program
    .command("analyze <capture...>")
    .description("turn captures into records (FILE, DIR or - for standard input; pcap, pcapng, .gz, .zst)")
    .option("--ndjson <dir>", "write <dir>/<dataset>.ndjson; without --data nothing is stored")
    .option("--data <dir>", "data folder (default: $THREATFLOW_DATA or ~/.local/share/threatflow)")
    .option("--filter <expr>", "libpcap expression, @file, or pasted `tcpdump -dd` output")
    .option("--workers <n>", "worker processes (default: all cores)")
    .option("--shards <n>", "shards (default: as many as workers)")
    .option("--window <bytes>", "bytes read at a time (default 1 MiB)")
    .option("--json", "print the summary as one JSON object a line")
    .option("--strict", "exit 3 when a capture is damaged")
    .option("--force", "analyse again and replace what is there")
    .option("--keep", "copy the capture into the data folder")
    .option("--quiet", "no progress")
    .option("--credentials", "keep credentials in HTTP headers instead of [redacted]")
    .option("--tcp-overlap <policy>", `who wins where TCP segments overlap: ${OVERLAP.join(", ")}`, "linux")
    .option("--ip-overlap <policy>", "the same for IPv4 fragments", "linux")
    .option("--dedup <duration>", "leave out packets repeated within this time, e.g. 2s, 500ms")
    .option("--spool-quota <bytes>", "most bytes that stdin or a compressed capture may unpack to")
    .action(async (captures: string[], flags: Flags) => exit(await analyzeAll(captures, flags)));
}

async function analyzeAll(captures: string[], flags: Flags): Promise<number> {
  const run = runOptions(flags);
  const filter = flags.filter === undefined ? undefined : readFilter(flags.filter);
  const decode: DecodeOptions = {
    filter: filter?.text,
    tcpOverlap: policy(flags.tcpOverlap),
    ipOverlap: policy(flags.ipOverlap),
    dedupNs: flags.dedup ? durationNs(flags.dedup) : 0n,
    credentials: flags.credentials === true,
  };
  const store = flags.ndjson && !flags.data ? undefined : dataDir(flags.data);
  const workDir = store ? join(store, ".tmp") : resolve(flags.ndjson as string);
  try {
    mkdirSync(workDir, { recursive: true });
  } catch (error) {
    throw systemError(error, workDir);
  }
  const abort = new AbortController();
  const pool = new Pool(run.workers);
  const catalog = store ? openCatalog(store) : undefined;
  const interrupted = (): void => {
    abort.abort(new ThreatflowError("CANCELLED", "cancelled: of this capture nothing was kept", "run the same command again"));
    pool.close();
  };
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  const setup: Setup = { flags, run, decode, filter, store, catalog, pool, signal: abort.signal, workDir };
  try {
    return await each(captures, setup);
  } finally {
    process.off("SIGINT", interrupted);
    process.off("SIGTERM", interrupted);
    pool.close();
    catalog?.close();
  }
}

async function each(captures: string[], setup: Setup): Promise<number> {
  const { flags, signal } = setup;
  const files = captures.flatMap((c) => (c !== "-" && isDirectory(c) ? [...capturesIn(c)] : [c]));
  const several = files.length > 1 || captures.some((c) => c !== "-" && isDirectory(c));
  let status: number = EXIT.done;
  const total = { captures: 0, failed: 0, packets: 0, records: {} as Record<string, number> };
  if (several && files.length === 0)
    throw new ThreatflowError("NOT_A_CAPTURE", `no capture in ${captures.join(", ")}`, "pcap and pcapng are read, plain or as .gz or .zst");
  for (const file of files) {
    try {
      const ndjson = flags.ndjson && several ? join(flags.ndjson, basename(file)) : flags.ndjson;
      const s = await one(file, ndjson, setup);
      total.captures++;
      total.packets += s.capture.packets;
      for (const [d, n] of Object.entries(s.records)) total.records[d] = (total.records[d] ?? 0) + n;
      if (s.status === "partial" || (flags.strict && s.damage)) status = Math.max(status, EXIT.damaged);
    } catch (error) {
      if (!several || signal.aborted) throw signal.aborted ? signal.reason : error;
      const e = error as Error;
      process.stderr.write(
        `threatflow: ${e instanceof ThreatflowError ? `${e.message}${e.remedy ? `; ${e.remedy}` : ""}` : `${file}: a bug of ours: ${e.stack}`}\n`,
      );
      if (flags.json) process.stdout.write(`${JSON.stringify({ capture: { name: file }, status: "failed", error: e.message })}\n`);
      total.failed++;
      status = Math.max(status, EXIT.failed);
    }
  }
  if (several && flags.json) process.stdout.write(`${JSON.stringify({ total })}\n`);
  return status;
}

async function one(file: string, ndjson: string | undefined, setup: Setup): Promise<Summary> {
  const { flags, store, catalog, signal } = setup;
  const progress = new ProgressLine(file === "-" ? "standard input" : basename(file), flags.quiet === true);
  const source = await openSource(file, {
    spoolDir: setup.workDir,
    quota: flags.spoolQuota ? positive(flags.spoolQuota, "--spool-quota") : DEFAULT_SPOOL_QUOTA,
  });
  const key = importKey(setup.decode);
  let present: CaptureEntry | undefined;
  const sinks: Sink[] = [];
  try {
    if (ndjson) sinks.push(ndjsonSink(ndjson));
    if (store) sinks.push(parquetSink(store));
    let analyzed: Analyzed;
    try {
      analyzed = await analyze({
        source,
        decode: setup.decode,
        filter: setup.filter,
        run: setup.run,
        sinks,
        workDir: setup.workDir,
        pool: setup.pool,
        signal,
        progress: progress.update,
        known: (id) => {
          present = flags.force ? undefined : catalog?.find(id);
          return present === undefined;
        },
      });
    } catch (error) {
      if (!present) throw error;
      return await already(present, key, ndjson, setup, progress);
    }
    progress.clear();
    const { summary, digest } = analyzed;
    if (store && catalog) {
      const path = keepEvidence(source, summary.capture.id, store, flags.keep === true);
      catalog.put({ id: summary.capture.id, key, name: source.name, path, added: new Date().toISOString(), summary });
    }
    print(summary, digest, setup);
    return summary;
  } finally {
    progress.clear();
    source.dispose();
  }
}

function print(s: Summary, digest: Analyzed["digest"] | undefined, setup: Setup): void {
  if (setup.flags.json) process.stdout.write(`${JSON.stringify(s)}\n`);
  else process.stdout.write(report(s, digest, setup.store ? (setup.flags.data ? ` --data ${setup.flags.data}` : "") : undefined));
}

/** The bytes are there already. The same options: nothing to do; others: say which and stop. */
async function already(
  entry: CaptureEntry,
  key: string,
  ndjson: string | undefined,
  setup: Setup,
  progress: ProgressLine,
): Promise<Summary> {
  if (entry.key !== key)
    throw new ThreatflowError(
      "ALREADY_IMPORTED_OTHERWISE",
      `${entry.name} is imported already with other options: ${difference(entry.key, key)}`,
      "--force replaces its records",
    );
  if (ndjson) {
    const search = await duckSearch(setup.store as string);
    try {
      mkdirSync(ndjson, { recursive: true });
      for (const dataset of DATASETS) {
        const lines: string[] = [];
        for await (const line of search.records({ query: "*", datasets: [dataset], captures: [entry.id], limit: Infinity }))
          lines.push(line);
        const path = join(ndjson, `${dataset}.ndjson`);
        if (lines.length) writeFileSync(path, `${lines.join("\n")}\n`);
        else rmSync(path, { force: true });
      }
    } finally {
      search.close();
    }
  }
  progress.clear();
  const s = { ...entry.summary, already_imported: true };
  print(s, undefined, setup);
  return s;
}

/** SEMANTICS 14: what changes records. */
export function importKey(d: DecodeOptions): string {
  return JSON.stringify({
    schema: SCHEMA_VERSION,
    filter: d.filter,
    tcpOverlap: d.tcpOverlap,
    ipOverlap: d.ipOverlap,
    dedup: String(d.dedupNs),
    credentials: d.credentials,
  });
}
function difference(a: string, b: string): string {
  const x = JSON.parse(a) as Record<string, unknown>;
  const y = JSON.parse(b) as Record<string, unknown>;
  const names = [...new Set([...Object.keys(x), ...Object.keys(y)])].filter((k) => x[k] !== y[k]);
  return names.map((k) => `${k} was ${JSON.stringify(x[k] ?? null)}, now ${JSON.stringify(y[k] ?? null)}`).join("; ");
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
/** Files below a folder that begin as captures do, in name order. */
function runOptions(f: Flags): RunOptions {
  const run = defaultRun();
  if (f.workers !== undefined) run.workers = run.shards = positive(f.workers, "--workers");
  if (f.shards !== undefined) run.shards = positive(f.shards, "--shards");
  if (f.window !== undefined) run.windowBytes = Math.max(65536, positive(f.window, "--window"));
  return run;
}
function positive(text: string, flag: string): number {
  const n = Number(text);
  if (!Number.isSafeInteger(n) || n < 1)
    throw new ThreatflowError("USAGE", `${flag} takes a whole number from 1, not ${JSON.stringify(text)}`);
  return n;
}
function policy(text: string): OverlapPolicy {
  if (!(OVERLAP as readonly string[]).includes(text))
    throw new ThreatflowError("USAGE", `an overlap policy is one of ${OVERLAP.join(", ")}, not ${JSON.stringify(text)}`);
  return text as OverlapPolicy;
}
export function durationNs(text: string): bigint {
  const m = /^(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)?$/.exec(text);
  if (!m) throw new ThreatflowError("USAGE", `a duration is written like 2s or 500ms, not ${JSON.stringify(text)}`);
  const unit = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 }[m[2] ?? "s"] as number;
  return BigInt(Math.round(Number(m[1]) * unit));
}
