/** The embedded store: one immutable Parquet file per capture and dataset, `DIR/records/<dataset>/<capture>.parquet`, written by DuckDB. */
import { mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { systemError, ThreatflowError } from "../errors.js";
import { ADDRESS_MACROS, quoteText, selectList, structureOf } from "../records/columns.js";
import { DATASETS } from "../records/fields.js";
import { recordFile, removeLiveFiles } from "../records/files.js";
import { openDuck } from "../search/duck.js";
import { writeLines } from "./ndjson.js";
import type { Sink } from "./sink.js";

/** DuckDB is told the longest line to expect, and how much to read at once: its own 32 MB a buffer would be most of what writing takes. */
const LINE_BYTES = 1 << 20;
const BUFFER_BYTES = 8 << 20;
export const FORM = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 8192)";
/** For what did not fit into the usual limit (src/search/duck.ts). */
const MORE_MEMORY = "768MB";

/** Connections that know the macros. */
const prepared = new WeakSet<DuckDBConnection>();

/** Lines in order → a Parquet file with the columns of their dataset. `longest`: bytes of the longest line. */
export async function parquetOf(c: DuckDBConnection, dataset: string, lines: string, longest: number, target: string): Promise<void> {
  if (!prepared.has(c)) {
    for (const macro of ADDRESS_MACROS) await c.run(macro);
    prepared.add(c);
  }
  const line = Math.max(LINE_BYTES, longest + 1);
  const copy = `COPY (SELECT ${selectList(dataset)} FROM (SELECT line, json_transform(line, ${quoteText(structureOf(dataset))}) AS s
       FROM read_csv(${quoteText(lines)}, columns={line:'VARCHAR'}, header=false, auto_detect=false, delim='\x01', quote='', escape='', max_line_size=${line}, buffer_size=${Math.max(BUFFER_BYTES, line)})))
     TO ${quoteText(target)} ${FORM}`;
  try {
    await c.run(copy);
  } catch (error) {
    if (!/Out of Memory/i.test((error as Error).message)) throw error;
    // Rows that wait on each other's threads can take more than is allowed: once more, on one thread and with more room.
    await c.run("SET threads=1");
    await c.run(`SET memory_limit='${MORE_MEMORY}'`);
    await c.run(copy);
  }
}
export function storeError(error: unknown, dataDir: string): unknown {
  return /No space left|disk/i.test((error as Error).message)
    ? new ThreatflowError("DISK_FULL", `${dataDir}: no space left for the records`, "free some space and run the same command again")
    : error;
}

type Duck = Awaited<ReturnType<typeof openDuck>>;
/** The DuckDB of a small capture serves the next one: to start it takes as long as to write a small file. One is kept. */
let spare: { spill: string; duck: Duck } | undefined;
/** After more text than that it goes, and the memory that it took with it. */
const SMALL_BYTES = 8 << 20;

async function borrow(spill: string): Promise<Duck> {
  const there = spare;
  if (there?.spill !== spill) return openDuck(spill);
  spare = undefined;
  return there.duck;
}
function giveBack(spill: string, duck: Duck, bytes: number): void {
  if (bytes > SMALL_BYTES || spare) duck.close();
  else spare = { spill, duck };
}

export function parquetSink(dataDir: string): Sink {
  let captureId = "";
  const written: string[] = [];
  const lines = new Map<string, { path: string; longest: number }>();
  const hidden = (dataset: string): string => join(dataDir, "records", dataset, `.${captureId}.${process.pid}.part`);
  return {
    name: "parquet",
    begin(id) {
      captureId = id;
    },
    async dataset(dataset, runs) {
      try {
        mkdirSync(join(dataDir, "records", dataset), { recursive: true });
      } catch (error) {
        throw systemError(error, dataDir);
      }
      const path = `${hidden(dataset)}.lines`;
      lines.set(dataset, { path, longest: Math.max(...runs.map((r) => r.longest)) });
      await writeLines(path, runs);
    },
    async commit() {
      const spill = join(dataDir, ".tmp");
      const duck = await borrow(spill);
      try {
        let bytes = 0;
        for (const [dataset, { path, longest }] of lines) {
          written.push(dataset);
          bytes += statSync(path).size;
          await parquetOf(duck.connection, dataset, path, longest, hidden(dataset));
          rmSync(path, { force: true });
        }
        giveBack(spill, duck, bytes);
      } catch (error) {
        duck.close();
        throw storeError(error, dataDir);
      }
      for (const dataset of DATASETS) {
        const target = recordFile(dataDir, dataset, captureId);
        if (written.includes(dataset)) renameSync(hidden(dataset), target);
        else rmSync(target, { force: true });
      }
      removeLiveFiles(dataDir, captureId);
    },
    async abort() {
      for (const [dataset, { path }] of lines) {
        rmSync(path, { force: true });
        rmSync(hidden(dataset), { force: true });
      }
    },
  };
}
