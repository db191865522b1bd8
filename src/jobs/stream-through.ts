/**
 * A stream analysed while it comes, and not kept (`analyze - --no-evidence`): one shard beside an online survey. Only records lie on disk, unsealed until
 * the last byte has told the capture's id. The records are those of the same bytes in a file.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DecodeOptions } from "../config.js";
import { systemError, ThreatflowError } from "../errors.js";
import type { Filter } from "../ingest/filter.js";
import { unpack } from "../ingest/unpack.js";
import { Online } from "../online.js";
import { accountingOf, fileAnomalies } from "../records/capture-record.js";
import { DigestBuilder } from "../records/digest.js";
import type { StoredRun } from "../sinks/merge.js";
import { sealUnsealed, type Unsealed } from "../sinks/parts.js";
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
  const work = mkdtempSync(join(r.workDir, ".through-"));
  const spilled: Spilled[] = [];
  const hash = createHash("sha256");
  const notes: string[] = [];
  let given = 0;
  try {
    const online = new Online(r.decode, observersOf, r.filter);
    const spill = (): void => {
      for (const u of online.spill()) {
        const base = join(work, `${u.dataset}.${spilled.length}`);
        try {
          writeFileSync(`${base}.rows`, u.rows);
          writeFileSync(`${base}.lines`, u.text);
        } catch (error) {
          throw systemError(error, work);
        }
        spilled.push({ dataset: u.dataset, count: u.count, longest: u.longest, base });
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
    const { summary } = online.finish();
    spill();
    const id = hash.digest("hex");
    if (r.known && !(await r.known(id))) throw new ThreatflowError("CANCELLED", "already imported");
    const compression = notes.shift();
    const source = { name: r.name, givenBytes: given, compression: compression === "plain" ? undefined : compression, notes };
    const accounting = accountingOf(summary);
    const runs: StoredRun[] = spilled.map((s) => sealed(s, id));
    const records = await writeRuns(r.sinks, [...runs, ...captureRuns(summary, accounting, source, id)], id);
    const result = online.result();
    const digest = new DigestBuilder();
    digest.merge(result.digest);
    for (const a of fileAnomalies(summary)) digest.anomaly(a.name, a.count);
    const told = summarize(source, id, summary, accounting, records, [], [result], (performance.now() - begun) / 1000);
    return { summary: { ...told, evidence: false }, digest: digest.result() };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Stamps and sorts what was set apart; the files of a run take its place. */
function sealed(s: Spilled, captureId: string): StoredRun {
  const run = sealUnsealed({ ...s, rows: readFileSync(`${s.base}.rows`), text: readFileSync(`${s.base}.lines`) }, captureId);
  writeFileSync(`${s.base}.text`, run.text);
  writeFileSync(`${s.base}.keys`, run.keys);
  rmSync(`${s.base}.rows`);
  rmSync(`${s.base}.lines`);
  return { dataset: s.dataset, count: s.count, longest: s.longest, text: `${s.base}.text`, keys: `${s.base}.keys` };
}
