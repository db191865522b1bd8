/** What processes hold: for scripts that look whether memory and descriptors stay flat. */
import { readdirSync, readFileSync } from "node:fs";

/** A process and all below it. */
export function tree(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
    return [pid, ...children.flatMap(tree)];
  } catch {
    return [];
  }
}

/** Memory (PSS, page cache left out) in MB, and open descriptors, of a process and all below it. */
export function held(pid: number): { memory: number; descriptors: number } {
  let memory = 0;
  let descriptors = 0;
  for (const p of tree(pid)) {
    try {
      const rollup = readFileSync(`/proc/${p}/smaps_rollup`, "utf8");
      for (const m of rollup.matchAll(/^Pss_(?:Anon|Shmem):\s+(\d+)/gm)) memory += Number(m[1]) / 1024;
      descriptors += readdirSync(`/proc/${p}/fd`).length;
    } catch {
      // it has just ended
    }
  }
  return { memory, descriptors };
}
