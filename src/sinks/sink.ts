/** What records go to. One interface; every implementation passes test/sinks.test.ts. */
import type { StoredRun } from "./merge.js";

export interface Sink {
  readonly name: string;
  /** Tells the id of the capture whose records come. */
  begin?(captureId: string): void;
  /** Takes all records of one dataset of the capture as sorted runs; nothing is visible before `commit`. */
  dataset(dataset: string, runs: readonly StoredRun[]): Promise<void>;
  /** Everything is there: make it visible at once. */
  commit(): Promise<void>;
  /** Something went wrong: leave nothing behind. */
  abort(): Promise<void>;
}

/** What records of a capture that is still recorded go to. */
export interface LiveSink {
  readonly name: string;
  begin(captureId: string): Promise<void>;
  /** More records by dataset, and flows that are still open as they stand (a later one of a flow replaces it): visible when it resolves. One that failed is given again as it was. */
  grow(more: ReadonlyMap<string, readonly StoredRun[]>, open: readonly StoredRun[]): Promise<void>;
  /** Everything is told once more, from the first record on. */
  anew(): Promise<void>;
  /** No more comes. */
  end(): Promise<void>;
}

/** Takes everything, keeps nothing. */
export function nullSink(): Sink {
  return { name: "null", dataset: async () => undefined, commit: async () => undefined, abort: async () => undefined };
}
