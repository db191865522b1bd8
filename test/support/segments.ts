/** Decodes a capture in segments, each by an engine and decoders that know nothing but the checkpoint of the one before. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_DECODE } from "../../dist/config.js";
import { MemoryIndex } from "../../dist/ingest/packet-index.js";
import { openSource } from "../../dist/ingest/source.js";
import { survey } from "../../dist/ingest/survey.js";
import { captureRuns, shardJobs } from "../../dist/jobs/plan.js";
import { decodeShard, type Segments } from "../../dist/pipeline.js";
import { accountingOf } from "../../dist/records/capture-record.js";
import type { StoredRun } from "../../dist/sinks/merge.js";
import { writeLines } from "../../dist/sinks/ndjson.js";
import { keptRun } from "../../dist/sinks/parts.js";

class Died extends Error {}

/** `segments`: about how many; `spoil` may change a checkpoint before the next one reads it. Records by dataset, and how often it went on. */
export async function decodeInSegments(
  path: string,
  choice: { segments: number; shards?: number; spoil?: (checkpoint: string) => void },
): Promise<{ text: Map<string, string>; resumed: number; anew: number }> {
  const dir = mkdtempSync(join(tmpdir(), "threatflow-segments-"));
  const source = await openSource(path, { spoolDir: dir, quota: 1 << 30 });
  const index = new MemoryIndex();
  let resumed = 0;
  let anew = 0;
  try {
    const { surveyed, hash } = await survey(source, index, {
      decode: DEFAULT_DECODE,
      filter: undefined,
      windowBytes: 1 << 20,
      progress: () => undefined,
    });
    const id = await hash;
    const all = captureRuns(surveyed.summary, accountingOf(surveyed.summary, 0), source, id);
    for (const job of shardJobs(source.path, choice.shards ?? 1, 1 << 20, DEFAULT_DECODE, surveyed)) {
      let runs: StoredRun[] = [];
      let made: StoredRun[] = [];
      const segments: Segments = {
        rows: Math.max(1, Math.floor(index.rows / choice.segments)),
        path: (cut) => join(dir, `checkpoint.${job.shard}.${cut.rows}`),
        done: (_cut, checkpoint) => {
          runs = [...runs, ...made];
          made = [];
          segments.resume = checkpoint;
          choice.spoil?.(checkpoint);
          throw new Died();
        },
        anew: () => {
          anew++;
          runs = [];
          segments.rows = Infinity;
        },
      };
      for (let over = false; !over; ) {
        made = [];
        try {
          await decodeShard({ ...job, scratch: dir }, index, Promise.resolve(id), (run) => made.push(keptRun(run)), undefined, segments);
          over = true;
        } catch (error) {
          if (!(error instanceof Died)) throw error;
          resumed++;
        }
      }
      all.push(...runs, ...made);
    }
    const text = new Map<string, string>();
    for (const [dataset, list] of Map.groupBy(all, (r) => r.dataset)) {
      await writeLines(join(dir, dataset), list);
      text.set(dataset, readFileSync(join(dir, dataset), "utf8"));
    }
    return { text, resumed, anew };
  } finally {
    index.close();
    source.dispose();
    rmSync(dir, { recursive: true, force: true });
  }
}
