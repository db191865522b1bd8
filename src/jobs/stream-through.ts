/**
 * A stream analysed while it comes, and not kept (`analyze - --no-evidence`): one shard beside an online survey. Only records lie on disk, unsealed until
 * the last byte has told the capture's id. The records are those of the same bytes in a file.
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import type { DecodeOptions } from "../config.js";
import type { NativeSummary } from "../engine/native.js";
import { systemError, ThreatflowError } from "../errors.js";
import { readFully } from "../file-bytes.js";
import type { Filter } from "../ingest/filter.js";
import { unpack } from "../ingest/unpack.js";
import { Online } from "../online.js";
import type { ShardResult } from "../pipeline.js";
import { accountingOf, fileAnomalies } from "../records/capture-record.js";
import { DigestBuilder } from "../records/digest.js";
import type { StoredRun } from "../sinks/merge.js";
import { Scratch, Sealer, type Unsealed } from "../sinks/parts.js";
import type { Sink } from "../sinks/sink.js";
import { type Analyzed, writeRuns } from "./analyze.js";
import { captureRuns, observersOf } from "./plan.js";
import { type Progress, summarize } from "./summary.js";

export interface ThroughRequest {
  name: string;
  input: AsyncIterable<Buffer>;
  decode: DecodeOptions;
  filter: Filter | undefined;
  sinks: readonly Sink[];
  workDir: string;
  signal: AbortSignal;
  progress?: (p: Progress) => void;
  /** False: these bytes are there already. */
  known?: (captureId: string) => Promise<boolean>;
}

interface Spilled extends Omit<Unsealed, "rows" | "text"> {
  base: string;
}

export async function analyzeThrough(r: ThroughRequest): Promise<Analyzed> {
  const begun = performance.now();
  // A stream may be endless: the heap grows in small steps, or what was once used stays taken.
  setFlagsFromString("--heap-growing-percent=40");
  const work = mkdtempSync(join(r.workDir, ".through-"));
  try {
    const { id, given, notes, summary, result, spilled } = await decodeThrough(r, work);
    if (r.known && !(await r.known(id))) throw new ThreatflowError("CANCELLED", "already imported");
    const compression = notes.shift();
    const source = { name: r.name, givenBytes: given, compression: compression === "plain" ? undefined : compression, notes };
    const accounting = accountingOf(summary);
    const seal = sealer();
    const runs: StoredRun[] = spilled.map((s) => seal(s, id));
    const records = await writeRuns(r.sinks, [...runs, ...captureRuns(summary, accounting, source, id)], id);
    const digest = new DigestBuilder();
    digest.merge(result.digest);
    for (const a of fileAnomalies(summary)) digest.anomaly(a.name, a.count);
    const told = summarize(source, id, summary, accounting, records, [], [result], (performance.now() - begun) / 1000);
    return { summary: { ...told, evidence: false }, digest: digest.result() };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

interface Through {
  id: string;
  given: number;
  notes: string[];
  summary: NativeSummary;
  result: ShardResult;
  spilled: Spilled[];
}
/** Decodes the stream to its end; what decoding holds is free when this returns. */
async function decodeThrough(r: ThroughRequest, work: string): Promise<Through> {
  const spilled: Spilled[] = [];
  const hash = createHash("sha256");
  const notes: string[] = [];
  let given = 0;
  const online = new Online(r.decode, observersOf, r.filter, 0n, work);
  const spill = (): void => {
    for (const u of online.spill()) {
      const base = join(work, `${u.dataset}.${spilled.length}`);
      try {
        writeFileSync(`${base}.rows`, u.rows);
        writeFileSync(`${base}.lines`, u.text);
      } catch (error) {
        throw systemError(error, work);
      }
      spilled.push({ dataset: u.dataset, count: u.count, base });
    }
  };
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of r.input) {
      r.signal.throwIfAborted();
      hash.update(chunk);
      given += chunk.length;
      yield chunk;
    }
  };
  for await (const chunk of unpack(counted(), undefined, notes)) {
    online.push(chunk, false);
    if (online.full) spill();
    r.progress?.({ stage: "decode", done: 0, total: 0 });
  }
  if (given === 0)
    throw new ThreatflowError("EMPTY_FILE", `${r.name === "-" ? "standard input" : r.name} is empty`, "check where it comes from");
  online.push(new Uint8Array(0), true);
  const { summary } = online.finish(spill);
  spill();
  return { id: hash.digest("hex"), given, notes, summary, result: online.result(), spilled };
}

/** Stamps and sorts what was set apart; the files of a run take its place. Its buffers serve for all: it is called for very many. */
function sealer(): (s: Spilled, captureId: string) => StoredRun {
  const runs = new Sealer();
  const [rows, lines] = [new Scratch(), new Scratch()];
  return (s, captureId) => {
    const run = runs.seal({ ...s, rows: wholeFile(`${s.base}.rows`, rows), text: wholeFile(`${s.base}.lines`, lines) }, captureId);
    writeFileSync(`${s.base}.text`, run.text);
    writeFileSync(`${s.base}.keys`, run.keys);
    rmSync(`${s.base}.rows`);
    rmSync(`${s.base}.lines`);
    return { dataset: s.dataset, count: s.count, longest: run.longest, text: `${s.base}.text`, keys: `${s.base}.keys` };
  };
}
function wholeFile(path: string, into: Scratch): Buffer {
  const fd = openSync(path, "r");
  try {
    const all = into.of(fstatSync(fd).size);
    readFully(fd, all, all.length, 0);
    return all;
  } finally {
    closeSync(fd);
  }
}
