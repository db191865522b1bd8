/** Sorted runs → one sorted stream of lines (SEMANTICS 27: by time, packet, id). Runs lie in memory or in files. */
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

/** Writes all lines in order to an open file, in a thread of its own. Throws as a system call does. */
export async function mergeRuns(runs: readonly StoredRun[], fd: number): Promise<void> {
  const result = await addon.mergeRuns(
    runs.map((r) => r.text),
    runs.map((r) => r.keys),
    fd,
  );
  if (result === 0) return;
  const [code, text] = getSystemErrorMap().get(result) ?? ["EIO", "input/output error"];
  throw Object.assign(new Error(`${code}: ${text}`), { code, errno: result });
}
