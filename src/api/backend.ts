/** What the server is made of: captures, records and imports, on this machine or in a cluster. Routes see it through a `View` (src/api/scope.ts). */
import type { CaptureEntry, Catalog } from "../catalog/catalog.js";
import type { Shelf } from "../catalog/shelf.js";
import type { Scheduler, Timer } from "../jobs/scheduler.js";
import type { Progress } from "../jobs/summary.js";
import type { Search } from "../search/search.js";

export interface Added {
  entry: CaptureEntry;
  /** Was there before. */
  known: boolean;
}
export interface Backend {
  readonly catalog: Catalog;
  readonly shelf: Shelf;
  /** Several machines share this catalogue. */
  readonly shared: boolean;
  /** What makes scheduled captures due. */
  readonly timer: Timer;
  /** Runs schedules on this machine. */
  schedule(told: (text: string) => void): Promise<Scheduler>;
  readonly search: Search;
  /** What this machine records lies here. */
  readonly dataDir: string;
  /** Folder for short-lived files. */
  readonly workDir: string;
  /**
   * Takes a capture's bytes as they come and queues its import; `cases` are those of a capture that is new.
   * Throws NOT_A_CAPTURE, EMPTY_FILE, QUOTA, DISK_FULL, ALREADY_IMPORTED_OTHERWISE.
   */
  add(name: string, input: AsyncIterable<Buffer>, key: string, force: boolean, cases: CaptureEntry["cases"]): Promise<Added>;
  /** A file with the original bytes. Throws NO_EVIDENCE. */
  evidence(entry: CaptureEntry): Promise<string>;
  remove(id: string): Promise<void>;
  /** Does a capture again, with these options. */
  again(entry: CaptureEntry, key: string): Promise<CaptureEntry>;
  /** Stops an import that waits or is under way; its records go. Throws NO_SUCH_JOB. */
  cancel(entry: CaptureEntry): Promise<CaptureEntry>;
  progress(entry: CaptureEntry): Promise<Progress | undefined>;
  /** Calls back with the id of a capture that changed, until the returned function is called. */
  watch(changed: (id: string) => void): () => void;
  close(): Promise<void>;
}
