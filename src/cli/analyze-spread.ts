/** Analysis by workers: the capture goes into the store and its jobs into the queue; this waits and shows how far they are. */

import { statSync } from "node:fs";
import { basename } from "node:path";
import type { CaptureEntry } from "../catalog/catalog.js";
import { DEFAULT_WINDOW_BYTES, type DecodeOptions, type RunOptions } from "../config.js";
import { systemError, ThreatflowError } from "../errors.js";
import { compressionOf } from "../ingest/compression.js";
import { isCapture } from "../ingest/folder.js";
import { joinedInput, joinedName } from "../ingest/joined.js";
import { looksLike, readHead } from "../ingest/source.js";
import { openCluster } from "../jobs/cluster.js";
import { importKey } from "../jobs/import-key.js";
import { follow, submit } from "../jobs/submit.js";
import { elasticSearch } from "../search/elasticsearch.js";
import type { Settings } from "../settings.js";
import type { Analyst, Flags } from "./analyze.js";
import { exportRecords } from "./export-records.js";
import { ProgressLine } from "./progress.js";

/** Captures of one command that are queued at once; shards of a capture where none are asked for. */
const AT_ONCE = 64;
const DEFAULT_SHARDS = 16;

export async function analyzeSpread(s: Settings, flags: Flags, run: RunOptions, decode: DecodeOptions): Promise<Analyst> {
  const cluster = await openCluster(s);
  const abort = new AbortController();
  const interrupted = (): void =>
    abort.abort(
      new ThreatflowError(
        "CANCELLED",
        "no longer waiting: what was queued goes on",
        "`threatflow jobs list` shows it, `threatflow jobs cancel CAPTURE` stops it",
      ),
    );
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  const key = importKey(decode);

  const one: Analyst["one"] = async (file, ndjson) => {
    const joined = typeof file !== "string";
    const name = joined ? joinedName(file) : file;
    const progress = new ProgressLine(name === "-" ? "standard input" : basename(name), flags.quiet === true);
    try {
      const plain = !joined && name !== "-";
      if (plain) check(name);
      const size = plain ? statSync(name).size : 0;
      const { entry, already } = await submit(
        cluster,
        {
          name,
          input: joined ? joinedInput(file) : plain ? undefined : (process.stdin as AsyncIterable<Buffer>),
          key,
          shards: flags.shards === undefined ? DEFAULT_SHARDS : run.shards,
          windowBytes: run.windowBytes || DEFAULT_WINDOW_BYTES,
          force: flags.force === true,
        },
        {
          bytes: (n) => progress.update({ stage: "store", done: n, total: size }),
          waiting: (why) => progress.update({ stage: "store", done: size, total: size, waiting: why }),
          signal: abort.signal,
        },
      );
      if (already && entry.summary) {
        if (ndjson) await exportRecords(elasticSearch(cluster.elastic), entry.id, ndjson);
        return { summary: { ...entry.summary, already_imported: true }, digest: undefined };
      }
      if (!flags.wait) return { summary: queued(entry), digest: undefined };
      const done = await follow(cluster, entry.id, entry.generation, progress.update, abort.signal);
      if (ndjson) await exportRecords(elasticSearch(cluster.elastic), entry.id, ndjson);
      return { summary: done.summary as NonNullable<CaptureEntry["summary"]>, digest: done.digest };
    } catch (error) {
      throw abort.signal.aborted ? abort.signal.reason : systemError(error, name);
    } finally {
      progress.clear();
    }
  };
  return {
    one,
    atOnce: AT_ONCE,
    rolling: false,
    stored: "",
    signal: abort.signal,
    async close() {
      process.off("SIGINT", interrupted);
      process.off("SIGTERM", interrupted);
      await cluster.close();
    },
  };
}

/** What is plainly no capture is refused before it is stored and queued. */
function check(file: string): void {
  let head: Buffer;
  try {
    const stat = statSync(file);
    if (stat.isDirectory()) throw new ThreatflowError("IS_A_DIRECTORY", `${file} is a directory`, "name a capture file");
    if (!stat.isFile()) return;
    if (stat.size === 0) throw new ThreatflowError("EMPTY_FILE", `${file} is empty`, "check how it was copied or captured");
    head = readHead(file);
  } catch (error) {
    throw systemError(error, file);
  }
  if (!isCapture(head) && compressionOf(head) === undefined)
    throw new ThreatflowError(
      "NOT_A_CAPTURE",
      `${file} is no capture: it looks like ${looksLike(head)}`,
      "pcap and pcapng are read, plain or as .gz or .zst",
    );
}

/** What can be said of a capture that waits in the queue. */
function queued(e: CaptureEntry): NonNullable<CaptureEntry["summary"]> {
  return {
    capture: { id: e.id, bytes: e.bytes, format: "unknown", linktypes: [], packets: 0, name: e.name },
    accounting: { read: 0, decoded: 0, filtered: 0, undecodable: {}, duplicate: 0 },
    records: {},
    seconds: 0,
    status: "queued",
    set_aside: [],
    limits: {},
    refused_documents: 0,
  };
}
