/**
 * Which files of the embedded store hold a capture's records: `DIR/records/<dataset>/<capture>.parquet`. While it is still recorded, a folder
 * `<capture>.live` beside it: parts that grow in number and are joined now and then, and in that of `flow` the flows that are open. A file that has its
 * name never changes.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DATASETS } from "./fields.js";

const folder = (dataDir: string, dataset: string): string => join(dataDir, "records", dataset);
export const recordFile = (dataDir: string, dataset: string, captureId: string): string =>
  join(folder(dataDir, dataset), `${captureId}.parquet`);
export const liveFolder = (dataDir: string, dataset: string, captureId: string): string =>
  join(folder(dataDir, dataset), `${captureId}.live`);
/** In a live folder: records of the deliveries `from` to `to`. */
export const partName = (from: number, to: number): string => `part-${from}-${to}.parquet`;
/** In a live folder: flows that were open at delivery `n`; the newest counts. */
export const openName = (n: number): string => `open-${n}.parquet`;

/** Paths of all that holds records of a dataset, of these captures or of all; none holds what another one does. Throws ENOENT where one goes meanwhile. */
export function recordFiles(dataDir: string, dataset: string, captures: readonly string[] | undefined): string[] {
  const dir = folder(dataDir, dataset);
  if (!existsSync(dir)) return [];
  const names = new Set(readdirSync(dir));
  return [...names].sort().flatMap((name) => {
    const [, id, kind] = /^([^.]+)\.(parquet|live)$/.exec(name) ?? [];
    if (!id || (captures && !captures.includes(id))) return [];
    if (kind === "parquet") return [join(dir, name)];
    return names.has(`${id}.parquet`) ? [] : growing(join(dir, name));
  });
}
/** Parts that were joined stay for those who are reading them: one is left out where another covers it. */
function growing(dir: string): string[] {
  const parts: { name: string; from: number; to: number }[] = [];
  let open = -1;
  for (const name of readdirSync(dir)) {
    const [, from, to, n] = /^(?:part-(\d+)-(\d+)|open-(\d+))\.parquet$/.exec(name) ?? [];
    if (from) parts.push({ name, from: Number(from), to: Number(to) });
    else if (n) open = Math.max(open, Number(n));
  }
  parts.sort((a, b) => a.from - b.from || b.to - a.to);
  const paths: string[] = [];
  let covered = 0;
  for (const p of parts) {
    if (p.to <= covered) continue;
    covered = p.to;
    paths.push(join(dir, p.name));
  }
  return open < 0 ? paths : [...paths, join(dir, openName(open))];
}

/** Deletes all records of a capture. */
export function removeRecordFiles(dataDir: string, captureId: string): void {
  for (const dataset of DATASETS) rmSync(recordFile(dataDir, dataset, captureId), { force: true });
  removeLiveFiles(dataDir, captureId);
}
/** Deletes what a capture had while it was recorded, and what a process that died left half-written. */
export function removeLiveFiles(dataDir: string, captureId: string): void {
  for (const dataset of DATASETS) rmSync(liveFolder(dataDir, dataset, captureId), { recursive: true, force: true });
}
