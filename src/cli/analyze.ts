/** `threatflow analyze FILE|DIR|-`: captures → records. */
import type { Command } from "commander";
import { tmpdir } from "node:os";
import { DEFAULT_DECODE, DEFAULT_SPOOL_QUOTA, defaultRun } from "../config.js";
import { readFilter } from "../ingest/filter.js";
import { openSource } from "../ingest/source.js";
import { analyze } from "../jobs/analyze.js";
import { Pool } from "../jobs/pool.js";
import { ndjsonSink } from "../sinks/ndjson.js";

interface Flags { ndjson?: string; json?: boolean; workers?: string; shards?: string; filter?: string; window?: string }

export function analyzeCommand(program: Command, exit: (status: number) => void): void {
  program
    .command("analyze <file...>")
    .option("--ndjson <dir>")
    .option("--json")
    .option("--workers <n>")
    .option("--shards <n>")
    .option("--window <bytes>")
    .option("--filter <expr>")
    .action(async (files: string[], f: Flags) => {
      const run = defaultRun();
      if (f.workers) { run.workers = Number(f.workers); run.shards = run.workers; }
      if (f.shards) run.shards = Number(f.shards);
      if (f.window) run.windowBytes = Number(f.window);
      const filter = f.filter ? readFilter(f.filter) : undefined;
      const pool = run.workers > 0 ? new Pool(run.workers) : undefined;
      for (const file of files) {
        const source = await openSource(file, { spoolDir: tmpdir(), quota: DEFAULT_SPOOL_QUOTA });
        const s = await analyze({ source, decode: { ...DEFAULT_DECODE, filter: filter?.text }, filter, run, sinks: f.ndjson ? [ndjsonSink(f.ndjson)] : [], workDir: tmpdir(), pool });
        if (f.json) process.stdout.write(`${JSON.stringify(s)}\n`);
        source.dispose();
      }
      pool?.close();
      exit(0);
    });
}
