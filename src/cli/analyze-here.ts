/** Analysis on this machine: worker processes, the embedded store, or NDJSON alone. */
import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { type CaptureEntry, freshAgain, freshEntry } from "../catalog/catalog.js";
import { sqliteCatalog } from "../catalog/sqlite.js";
import { DEFAULT_SPOOL_QUOTA, type DecodeOptions, type RunOptions } from "../config.js";
import { systemError, ThreatflowError } from "../errors.js";
import type { Filter } from "../ingest/filter.js";
import { joinedInput, joinedName } from "../ingest/joined.js";
import { openSource } from "../ingest/source.js";
import { analyze } from "../jobs/analyze.js";
import { difference, importKey } from "../jobs/import-key.js";
import { Pool } from "../jobs/pool.js";
import { analyzeThrough } from "../jobs/stream-through.js";
import type { Summary } from "../jobs/summary.js";
import { duckSearch } from "../search/duckdb.js";
import type { Settings } from "../settings.js";
import { ndjsonSink } from "../sinks/ndjson.js";
import { parquetSink } from "../sinks/parquet.js";
import { nullSink, type Sink } from "../sinks/sink.js";
import type { Analyst, Flags } from "./analyze.js";
import { keepEvidence } from "./evidence.js";
import { exportRecords } from "./export-records.js";
import { positive } from "./options.js";
import { ProgressLine } from "./progress.js";

/** A capture that is known, but not analysed. */
const WAITS: readonly CaptureEntry["status"][] = ["queued", "failed", "cancelled"];

export function analyzeHere(s: Settings, flags: Flags, run: RunOptions, decode: DecodeOptions, filter: Filter | undefined): Analyst {
  // --ndjson alone stores nothing.
  const store = flags.discard || (flags.ndjson && !flags.data) ? undefined : (s.data as string);
  const workDir = store
    ? join(store, ".tmp")
    : flags.discard
      ? join(tmpdir(), `threatflow-${process.pid}`)
      : resolve(flags.ndjson as string);
  try {
    mkdirSync(workDir, { recursive: true });
  } catch (error) {
    throw systemError(error, workDir);
  }
  const abort = new AbortController();
  const pool = new Pool(run.workers);
  const catalog = store ? sqliteCatalog(store) : undefined;
  const interrupted = (): void => {
    abort.abort(new ThreatflowError("CANCELLED", "cancelled: of this capture nothing was kept", "run the same command again"));
    pool.close();
  };
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  const key = importKey(decode);

  const remember = async (name: string, summary: Summary, path: string | undefined): Promise<void> => {
    const { id, bytes } = summary.capture;
    const entry: CaptureEntry = { ...freshEntry({ id, key, name, bytes, path }), status: "done", summary };
    await catalog?.claim(entry, (there) => freshAgain(entry, there));
  };
  const sinks = (ndjson: string | undefined): Sink[] =>
    flags.discard ? [nullSink()] : [...(ndjson ? [ndjsonSink(ndjson)] : []), ...(store ? [parquetSink(store)] : [])];
  /** Standard input that is not kept. */
  const through = async (progress: ProgressLine, ndjson: string | undefined): ReturnType<Analyst["one"]> => {
    let present: CaptureEntry | undefined;
    try {
      const analyzed = await analyzeThrough({
        name: "-",
        input: process.stdin as AsyncIterable<Buffer>,
        decode,
        filter,
        sinks: sinks(ndjson),
        workDir,
        signal: abort.signal,
        progress: progress.update,
        known: async (id) => {
          present = flags.force ? undefined : await catalog?.find(id);
          return present === undefined;
        },
      });
      await remember("-", analyzed.summary, undefined);
      return analyzed;
    } catch (error) {
      if (!present) throw error;
      return await already(present, key, ndjson, store as string);
    } finally {
      progress.clear();
    }
  };

  const one: Analyst["one"] = async (file, ndjson) => {
    const joined = typeof file !== "string";
    const name = joined ? joinedName(file) : file;
    const progress = new ProgressLine(name === "-" ? "standard input" : basename(name), flags.quiet === true);
    if (name === "-" && !flags.evidence) return through(progress, ndjson);
    const source = await openSource(joined ? "-" : name, {
      stdin: joined ? Readable.from(joinedInput(file)) : undefined,
      spoolDir: workDir,
      quota: flags.spoolQuota ? positive(flags.spoolQuota, "--spool-quota") : DEFAULT_SPOOL_QUOTA,
    });
    source.name = name;
    let present: CaptureEntry | undefined;
    try {
      const analyzed = await analyze({
        source,
        decode,
        filter,
        run,
        sinks: sinks(ndjson),
        workDir,
        pool,
        signal: abort.signal,
        progress: progress.update,
        known: async (id) => {
          const there = flags.force ? undefined : await catalog?.find(id);
          present = there && WAITS.includes(there.status) ? undefined : there;
          return present === undefined;
        },
      }).catch((error: unknown) => {
        if (!present) throw error;
        return undefined;
      });
      if (!analyzed) return await already(present as CaptureEntry, key, ndjson, store as string);
      if (store)
        await remember(source.name, analyzed.summary, keepEvidence(source, analyzed.summary.capture.id, store, flags.keep === true));
      return analyzed;
    } finally {
      progress.clear();
      source.dispose();
    }
  };
  return {
    one,
    atOnce: 1,
    rolling: true,
    stored: store ? (flags.data ? ` --data ${flags.data}` : "") : undefined,
    signal: abort.signal,
    async close() {
      process.off("SIGINT", interrupted);
      process.off("SIGTERM", interrupted);
      pool.close();
      catalog?.close();
      if (flags.discard) rmSync(workDir, { recursive: true, force: true });
    },
  };
}

/** The bytes are there already. The same options: nothing to do; others: say which and stop. */
async function already(
  entry: CaptureEntry,
  key: string,
  ndjson: string | undefined,
  store: string,
): Promise<Awaited<ReturnType<Analyst["one"]>>> {
  if (entry.key !== key)
    throw new ThreatflowError(
      "ALREADY_IMPORTED_OTHERWISE",
      `${entry.name} is imported already with other options: ${difference(entry.key, key)}`,
      "--force replaces its records",
    );
  if (ndjson) {
    const search = await duckSearch(store);
    try {
      await exportRecords(search, entry.id, ndjson);
    } finally {
      search.close();
    }
  }
  return { summary: { ...(entry.summary as NonNullable<CaptureEntry["summary"]>), already_imported: true }, digest: undefined };
}
