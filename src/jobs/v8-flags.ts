/** How V8 is set in processes that decode or record. The heap grows in small steps, or what was once used stays taken. Flags that Node 24 knows. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const KNOWN = Number(process.versions.node.split(".")[0]) >= 24;
const SMALL_STEPS: readonly string[] = KNOWN ? ["--heap-growing-percent=40"] : [];

/**
 * A shard lasts seconds: the optimizing compiler costs more than it gives. A larger young generation is no faster, and V8 lets as much more garbage lie about
 * in the old one.
 */
export const SHARD_FLAGS: readonly string[] = KNOWN
  ? ["--min-semi-space-size=6", "--max-semi-space-size=6", ...SMALL_STEPS, "--max-opt=2"]
  : ["--max-semi-space-size=4"];
/** A live capture may last weeks, beside what it watches: garbage is collected before much of it lies about. */
export const LIVE_FLAGS: readonly string[] = ["--max-semi-space-size=4", ...SMALL_STEPS];
/** The process that records makes little garbage (bin/threatflow sets the same), and what DuckDB's threads gave back is not kept for each of them. */
export const RECORD_FLAGS: readonly string[] = ["--max-semi-space-size=2"];
export const RECORD_ENV: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: "2" };

const GARBAGE_EVERY_MS = 60_000;
let collect: (() => void) | undefined;
let collected = performance.now();
/**
 * Once a minute, garbage is collected: of a process that does little, V8 lets some megabytes more lie about each hour, and nobody can tell them from a
 * leak. It takes some ms. To be called now and then.
 */
export function collectGarbage(): void {
  if (performance.now() - collected < GARBAGE_EVERY_MS) return;
  if (!collect) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
  collected = performance.now();
}
