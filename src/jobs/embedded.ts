/** Imports of one machine that outlive the process: what is queued stands in the catalogue, a server that starts again goes on with it. */
import { mkdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import type { CaptureEntry, CaptureStatus, Catalog } from "../catalog/catalog.js";
import { DEFAULT_SPOOL_QUOTA, defaultRun } from "../config.js";
import { systemError, ThreatflowError } from "../errors.js";
import { readFilter } from "../ingest/filter.js";
import { openSource } from "../ingest/source.js";
import { removeRecordFiles } from "../records/files.js";
import { parquetSink } from "../sinks/parquet.js";
import { analyze } from "./analyze.js";
import { optionsOf } from "./import-key.js";
import { Pool } from "./pool.js";
import type { Progress } from "./summary.js";

export const UNFINISHED: readonly CaptureStatus[] = ["queued", "surveying", "decoding", "indexing"];
const STAGE: Readonly<Record<Progress["stage"], CaptureStatus>> = {
  store: "queued",
  survey: "surveying",
  decode: "decoding",
  write: "indexing",
};

/** What a capture says whose import was stopped. */
export const CANCELLED = { code: "CANCELLED", message: "the import was cancelled", remedy: "analyse it again" } as const;

export class EmbeddedImports {
  private readonly dataDir: string;
  private readonly catalog: Catalog;
  private readonly quota: number;
  private readonly pool = new Pool(defaultRun().workers);
  private readonly changed: (id: string) => void;
  private readonly progress = new Map<string, Progress>();
  private readonly aborts = new Map<string, AbortController>();
  private running = false;
  private ended = false;

  /** `changed` is told of every step of a capture; `quota`: bytes that one may unpack to. */
  constructor(dataDir: string, catalog: Catalog, changed: (id: string) => void, quota = DEFAULT_SPOOL_QUOTA) {
    this.dataDir = dataDir;
    this.quota = quota;
    this.catalog = catalog;
    this.changed = changed;
  }

  progressOf(id: string): Progress | undefined {
    return this.progress.get(id);
  }
  /** There is work, or there may be: the smallest first. */
  wake(): void {
    if (this.running || this.ended) return;
    this.running = true;
    void this.run()
      .catch((error: unknown) => process.stderr.write(`threatflow: imports stopped: ${(error as Error).message}\n`)) // the next upload wakes them
      .finally(() => {
        this.running = false;
      });
  }
  /** Stops the import of a capture, if it is under way. */
  cancel(id: string): void {
    this.aborts.get(id)?.abort(new ThreatflowError(CANCELLED.code, CANCELLED.message, CANCELLED.remedy));
  }
  close(): void {
    this.ended = true;
    for (const a of this.aborts.values()) a.abort(new ThreatflowError("CANCELLED", "the server stops"));
    this.pool.close();
  }

  private async run(): Promise<void> {
    for (;;) {
      const waiting = (await this.catalog.list()).filter((e) => UNFINISHED.includes(e.status) && !e.live).sort((a, b) => a.bytes - b.bytes);
      if (waiting.length === 0 || this.ended) return;
      await this.one(waiting[0]);
    }
  }

  private async one(e: CaptureEntry): Promise<void> {
    const abort = new AbortController();
    this.aborts.set(e.id, abort);
    const workDir = join(this.dataDir, ".tmp");
    let status: CaptureStatus | undefined;
    const step = async (next: Partial<CaptureEntry>): Promise<boolean> => {
      // One that was cancelled stays so.
      let mine = false;
      await this.catalog.update(e.id, (x) => {
        mine = x.generation === e.generation && UNFINISHED.includes(x.status);
        return mine ? { ...x, ...next } : undefined;
      });
      this.changed(e.id);
      return mine;
    };
    try {
      mkdirSync(workDir, { recursive: true });
      const decode = optionsOf(e.key);
      const fs = statfsSync(this.dataDir);
      const source = await openSource(e.path as string, {
        spoolDir: workDir,
        quota: Math.min(this.quota, Math.floor((fs.bavail * fs.bsize) / 2)),
      });
      source.name = e.name;
      try {
        const { summary, digest } = await analyze({
          source,
          decode,
          filter: decode.filter === undefined ? undefined : readFilter(decode.filter),
          run: defaultRun(),
          sinks: [parquetSink(this.dataDir)],
          workDir,
          pool: this.pool,
          signal: abort.signal,
          progress: (p) => {
            this.progress.set(e.id, p);
            if (STAGE[p.stage] === status) return;
            status = STAGE[p.stage];
            void step({ status }).catch(() => undefined);
          },
        });
        const wanted = await step({
          status: "done",
          summary,
          digest: { ...digest, talkers: digest.talkers.slice(0, 50) },
          error: undefined,
        });
        // Deleted or cancelled while its records were written: they go too.
        if (!wanted) removeRecordFiles(this.dataDir, e.id);
      } finally {
        source.dispose();
      }
    } catch (raw) {
      if (this.ended) return; // it goes on when the server does
      const error = systemError(abort.signal.aborted ? abort.signal.reason : raw, e.name);
      const known = error instanceof ThreatflowError ? error : new ThreatflowError("INTERNAL", String((error as Error).stack ?? error));
      await step({
        status: known.code === "CANCELLED" ? "cancelled" : "failed",
        error: { code: known.code, message: known.message, remedy: known.remedy },
      }).catch(() => undefined);
    } finally {
      this.aborts.delete(e.id);
      this.progress.delete(e.id);
    }
  }
}
