/**
 * Which files of the embedded store hold a capture's records: `DIR/records/<dataset>/<capture>.parquet`, and while it is still recorded, parts that
 * grow in number and are joined now and then, and the flows that are open. All are written hidden and never changed afterwards.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DATASETS } from "./fields.js";

const folder = (dataDir: string, dataset: string): string => join(dataDir, "records", dataset);
export const recordFile = (dataDir: string, dataset: string, captureId: string): string =>
  join(folder(dataDir, dataset), `${captureId}.parquet`);
/** Records of the deliveries `from` to `to`. */
export const partFile = (dataDir: string, dataset: string, captureId: string, from: number, to: number): string =>
  join(folder(dataDir, dataset), `${captureId}.live-${from}-${to}.parquet`);
/** Flows that were open at delivery `n`. */
export const openFile = (dataDir: string, captureId: string, n: number): string =>
  join(folder(dataDir, "flow"), `${captureId}.open-${n}.parquet`);

export const isOpenFile = (path: string): boolean => /\.open-\d+\.parquet$/.test(path);

interface Found {
  whole: boolean;
  parts: { name: string; from: number; to: number }[];
  open?: { name: string; n: number };
}

/** Paths of all that holds records of a dataset, of these captures or of all; none holds what another one does. */
export function recordFiles(dataDir: string, dataset: string, captures: readonly string[] | undefined): string[] {
  const dir = folder(dataDir, dataset);
  if (!existsSync(dir)) return [];
  const all = new Map<string, Found>();
  for (const name of readdirSync(dir)) {
    const m = /^([^.]+)(?:\.live-(\d+)-(\d+)|\.open-(\d+))?\.parquet$/.exec(name);
    if (!m || (captures && !captures.includes(m[1]))) continue;
    const f = all.get(m[1]) ?? { whole: false, parts: [] };
    all.set(m[1], f);
    if (m[2]) f.parts.push({ name, from: Number(m[2]), to: Number(m[3]) });
    else if (m[4]) {
      if (!f.open || f.open.n < Number(m[4])) f.open = { name, n: Number(m[4]) };
    } else f.whole = true;
  }
  return [...all]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([id, f]) => (f.whole ? [`${id}.parquet`] : growing(f)))
    .map((name) => join(dir, name));
}
/** Parts that were joined stay for those who are reading them: a part is left out where another one covers it. */
function growing(f: Found): string[] {
  const parts = f.parts.sort((a, b) => a.from - b.from || b.to - a.to);
  const names: string[] = [];
  let covered = 0;
  for (const p of parts) {
    if (p.to <= covered) continue;
    covered = p.to;
    names.push(p.name);
  }
  return f.open ? [...names, f.open.name] : names;
}

/** Deletes all records of a capture, and what a process that died left half-written; with `keepWhole` only what it had while it was recorded. */
export function removeRecordFiles(dataDir: string, captureId: string, keepWhole = false): void {
  const kept = `${captureId}.parquet`;
  for (const dataset of DATASETS) {
    const dir = folder(dataDir, dataset);
    if (!existsSync(dir)) continue;
    for (const name of readdirSync(dir)) {
      const growing = name.startsWith(`${captureId}.`) ? name !== kept : name.startsWith(`.${captureId}.live.`);
      if (growing || (!keepWhole && (name === kept || name.startsWith(`.${captureId}.`)))) rmSync(join(dir, name), { force: true });
    }
  }
}
