/** `DIR/<dataset>.ndjson`, each sorted by time, packet and id. Written hidden, renamed when complete. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { systemError } from "../errors.js";
import { DATASETS } from "../records/fields.js";
import { mergeRuns, type StoredRun } from "./merge.js";
import type { Sink } from "./sink.js";

export function ndjsonSink(dir: string): Sink {
  const written: string[] = [];
  const hidden = (dataset: string): string => join(dir, `.${dataset}.ndjson.${process.pid}.part`);
  try {
    mkdirSync(dir, { recursive: true });
  } catch (error) {
    throw systemError(error, dir);
  }
  return {
    name: "ndjson",
    async dataset(dataset, runs) {
      const path = hidden(dataset);
      written.push(dataset);
      await writeLines(path, runs);
    },
    async commit() {
      for (const dataset of DATASETS) {
        const target = join(dir, `${dataset}.ndjson`);
        if (written.includes(dataset)) renameSync(hidden(dataset), target);
        else if (existsSync(target)) rmSync(target); // of an earlier analysis into the same folder
      }
    },
    async abort() {
      for (const dataset of written) rmSync(hidden(dataset), { force: true });
    },
  };
}

/** Writes merged runs to a new file. */
export async function writeLines(path: string, runs: readonly StoredRun[]): Promise<void> {
  let fd = -1;
  try {
    fd = openSync(path, "w", 0o644);
    await mergeRuns(runs, fd);
  } catch (error) {
    if (fd >= 0) closeSync(fd);
    fd = -1;
    rmSync(path, { force: true });
    throw systemError(error, path);
  }
  if (process.env.THREATFLOW_FSYNC) fsyncSync(fd);
  closeSync(fd);
}
