/** Sorted runs → one sorted stream of lines (SEMANTICS 27: by time, packet, id). Runs lie in memory or in files. */
import { closeSync, openSync, rmSync } from "node:fs";
import { getSystemErrorMap } from "node:util";
import { addon } from "../engine/native.js";

export interface StoredRun {
  dataset: string;
  count: number;
  longest: number;
  /** In memory, or paths of files that hold the same. */
  text: Buffer | string;
  keys: Buffer | string;
}

/**
 * Runs read at once by one merge. More are merged in steps, each run's bytes written once more a step: what a merge needs of memory and open files
 * does not grow with the capture.
 */
export const MOST_AT_ONCE = 32;

/** Writes all lines in order to an open file, in a thread of its own. Throws as a system call does. */
export async function mergeRuns(runs: readonly StoredRun[], fd: number, mostAtOnce = MOST_AT_ONCE): Promise<void> {
  const made: string[] = [];
  const inMemory = runs.filter((r) => typeof r.text !== "string");
  let files = runs.filter((r) => typeof r.text === "string");
  try {
    for (let step = 0; files.length > mostAtOnce; step++) {
      const next: StoredRun[] = [];
      for (let at = 0; at < files.length; at += mostAtOnce) next.push(await join(files.slice(at, at + mostAtOnce), `${step}.${at}`, made));
      files = next;
    }
    await merge([...files, ...inMemory], fd, -1);
  } finally {
    for (const path of made) rmSync(path, { force: true });
  }
}

/** Several runs as one, beside the first of them. */
async function join(runs: readonly StoredRun[], name: string, made: string[]): Promise<StoredRun> {
  if (runs.length === 1) return runs[0];
  const base = `${runs[0].text}.merged.${name}`;
  const fds: number[] = [];
  try {
    for (const path of [`${base}.text`, `${base}.keys`]) {
      fds.push(openSync(path, "wx"));
      made.push(path);
    }
    await merge(runs, fds[0], fds[1]);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
  return {
    dataset: runs[0].dataset,
    count: runs.reduce((a, r) => a + r.count, 0),
    longest: Math.max(...runs.map((r) => r.longest)),
    text: `${base}.text`,
    keys: `${base}.keys`,
  };
}

async function merge(runs: readonly StoredRun[], fd: number, keysFd: number): Promise<void> {
  const result = await addon.mergeRuns(
    runs.map((r) => r.text),
    runs.map((r) => r.keys),
    fd,
    keysFd,
  );
  if (result === 0) return;
  const [code, text] = getSystemErrorMap().get(result) ?? ["EIO", "input/output error"];
  throw Object.assign(new Error(`${code}: ${text}`), { code, errno: result });
}
