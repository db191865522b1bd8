/** `threatflow analyze FILE|DIR|-…`: captures → records. Where the work is done (here, or spread over workers) is decided by the settings. */
import { statSync } from "node:fs";
import { basename, join } from "node:path";
import type { Command } from "commander";
import { OVERLAP } from "../engine/native.js";
import { ThreatflowError } from "../errors.js";
import { readFilter } from "../ingest/filter.js";
import { capturesIn } from "../ingest/folder.js";
import { isRolling } from "../ingest/live/join.js";
import type { Summary } from "../jobs/summary.js";
import type { Digest } from "../records/digest.js";
import { checkpointRows, isDistributed } from "../settings.js";
import { analyzeHere } from "./analyze-here.js";
import { EXIT } from "./exit.js";
import { type DecodeFlags, decodeOptions, type RunFlags, runOptions } from "./options.js";
import { settings } from "./place.js";
import { report } from "./report.js";

export interface Flags extends RunFlags, DecodeFlags {
  ndjson?: string;
  data?: string;
  filter?: string;
  json?: boolean;
  strict?: boolean;
  force?: boolean;
  keep?: boolean;
  quiet?: boolean;
  spoolQuota?: string;
  wait: boolean;
  evidence: boolean;
  join?: boolean;
  discard?: boolean;
}
/** Analyses one capture; `ndjson` is the folder for its records. */
export interface Analyst {
  /** `file`: a path, `-`, or the files that make up one capture. */
  one(file: string | readonly string[], ndjson: string | undefined): Promise<{ summary: Summary; digest: Digest | undefined }>;
  /** How many captures it can have in hand at once. */
  readonly atOnce: number;
  /** The folder of a rolling capture is one capture to it. */
  readonly rolling: boolean;
  /** Words for `next:`, or undefined: nothing is stored. */
  readonly stored: string | undefined;
  readonly signal: AbortSignal;
  close(): Promise<void>;
}

export function analyzeCommand(program: Command, exit: (status: number) => void): void {
  program
    .command("analyze <capture...>")
    .description("turn captures into records (FILE, DIR or - for standard input; pcap, pcapng, .gz, .zst)")
    .option("--ndjson <dir>", "write <dir>/<dataset>.ndjson; without --data nothing is stored")
    .option("--discard", "keep no records: only the summary")
    .option("--data <dir>", "data folder (default: $THREATFLOW_DATA or ~/.local/share/threatflow)")
    .option("--filter <expr>", "libpcap expression, @file, or pasted `tcpdump -dd` output")
    .option("--hooks <file>", "your own drop(packet) and verify(packet), a TypeScript or JavaScript module; behind the filter")
    .option("--workers <n>", "worker processes (default: all cores)")
    .option("--shards <n>", "shards (default: as many as workers)")
    .option("--window <bytes>", "bytes read at a time (default 1 MiB)")
    .option("--json", "print the summary as one JSON object a line")
    .option("--strict", "exit 3 when a capture is damaged")
    .option("--force", "analyse again and replace what is there")
    .option("--join", "the captures are one: a ring of files, in name order")
    .option("--keep", "copy the capture into the data folder")
    .option("--no-evidence", "of standard input: keep no copy of the capture, analyse it as it comes")
    .option("--quiet", "no progress")
    .option("--no-wait", "with Redis and Elasticsearch: queue the captures and return")
    .option("--credentials", "keep credentials in HTTP headers instead of [redacted]")
    .option("--tcp-overlap <policy>", `who wins where TCP segments overlap: ${OVERLAP.join(", ")}`, "linux")
    .option("--ip-overlap <policy>", "the same for IPv4 fragments", "linux")
    .option("--dedup <duration>", "leave out packets repeated within this time, e.g. 2s, 500ms")
    .option("--spool-quota <bytes>", "most bytes that stdin or a compressed capture may unpack to")
    .action(async (captures: string[], flags: Flags) => exit(await analyzeAll(captures, flags)));
}

async function analyzeAll(captures: string[], flags: Flags): Promise<number> {
  const s = settings(flags.data);
  const run = { ...runOptions(flags), segmentRows: checkpointRows(s) };
  const filter = flags.filter === undefined ? undefined : readFilter(flags.filter);
  const decode = decodeOptions(flags, filter);
  if (flags.discard && (flags.ndjson || flags.data || flags.keep))
    throw new ThreatflowError("USAGE", "--discard keeps nothing: --ndjson, --data and --keep say otherwise", "leave one of them out");
  const analyst =
    isDistributed(s) && !flags.discard
      ? await (await import("./analyze-spread.js")).analyzeSpread(s, flags, run, decode)
      : analyzeHere(s, flags, run, decode, filter);
  try {
    return await each(captures, flags, analyst);
  } finally {
    await analyst.close();
  }
}

/** Each capture in turn, or some at once; told in the order in which they were named. */
async function each(captures: string[], flags: Flags, analyst: Analyst): Promise<number> {
  /** A folder of captures; that of a rolling capture is one. */
  const folder = (c: string): boolean => c !== "-" && isDirectory(c) && !(analyst.rolling && isRolling(c));
  const files = function* (): Generator<string | readonly string[]> {
    if (flags.join) {
      yield captures.flatMap((c) => (isDirectory(c) ? [...capturesIn(c)] : [c])).sort();
      return;
    }
    for (const c of captures)
      if (folder(c)) yield* capturesIn(c, analyst.rolling);
      else yield c;
  };
  const several = !flags.join && (captures.length > 1 || captures.some(folder));
  const total = { captures: 0, failed: 0, packets: 0, records: {} as Record<string, number> };
  let status: number = EXIT.done;
  let any = false;
  const flying: { file: string; outcome: Promise<{ summary: Summary; digest: Digest | undefined } | { error: unknown }> }[] = [];
  const settle = async (): Promise<void> => {
    const { file, outcome } = flying.shift() as (typeof flying)[number];
    const done = await outcome;
    if ("error" in done) {
      status = Math.max(status, failed(file, done.error, several, flags, analyst.signal));
      total.failed++;
      return;
    }
    const sum = done.summary;
    print(sum, done.digest, flags, analyst.stored);
    total.captures++;
    total.packets += sum.capture.packets;
    for (const [d, n] of Object.entries(sum.records)) total.records[d] = (total.records[d] ?? 0) + n;
    if (sum.status === "partial" || (flags.strict && sum.damage)) status = Math.max(status, EXIT.damaged);
  };
  for (const file of files()) {
    any = true;
    const ndjson = flags.ndjson && several ? join(flags.ndjson, basename(String(file))) : flags.ndjson;
    flying.push({ file: String(file), outcome: analyst.one(file, ndjson).catch((error: unknown) => ({ error })) });
    if (flying.length >= analyst.atOnce) await settle();
  }
  while (flying.length) await settle();
  if (!any)
    throw new ThreatflowError("NOT_A_CAPTURE", `no capture in ${captures.join(", ")}`, "pcap and pcapng are read, plain or as .gz or .zst");
  if (several && flags.json) process.stdout.write(`${JSON.stringify({ total })}\n`);
  return status;
}

/** Among several, one that fails is told and the others go on. */
function failed(file: string, error: unknown, several: boolean, flags: Flags, signal: AbortSignal): number {
  if (!several || signal.aborted) throw signal.aborted ? signal.reason : error;
  const e = error as Error;
  process.stderr.write(
    `threatflow: ${e instanceof ThreatflowError ? `${e.message}${e.remedy ? `; ${e.remedy}` : ""}` : `${file}: a bug of ours: ${e.stack}`}\n`,
  );
  if (flags.json) process.stdout.write(`${JSON.stringify({ capture: { name: file }, status: "failed", error: e.message })}\n`);
  return EXIT.failed;
}

function print(s: Summary, digest: Digest | undefined, flags: Flags, stored: string | undefined): void {
  if (flags.json) process.stdout.write(`${JSON.stringify(s)}\n`);
  else process.stdout.write(report(s, digest, stored));
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
