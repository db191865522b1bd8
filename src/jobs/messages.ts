/** What goes between the pool and its worker processes: references and counts, never packets. */
import type { ShardJob, ShardResult } from "../pipeline.js";

export interface ShardTask {
  job: ShardJob;
  /** The packet index: a file, and its rows. */
  indexPath: string;
  indexRows: number;
  /** Folder for runs and checkpoints. */
  runDir: string;
  /** Rows of the index after which a checkpoint is written. */
  segmentRows: number;
  /** Where an earlier try came to. `only`: what lies behind it killed its process: nothing is taken of that. */
  resume?: Reached & { only?: boolean };
}
/** The end of a segment: its checkpoint, and all runs of the shard until there. */
export interface Reached {
  checkpoint: string;
  rows: number;
  runs: RunFile[];
}
export type ToWorker =
  | { type: "shard"; id: number; task: ShardTask }
  | { type: "capture-id"; id: number; captureId: string }
  | { type: "exit" };

/** A run that lies in files. */
export interface RunFile {
  dataset: string;
  count: number;
  longest: number;
  text: string;
  keys: string;
}
export type FromWorker =
  | { type: "ready" }
  | { type: "progress"; id: number; packets: number }
  | { type: "segment"; id: number; reached: Reached }
  /** The checkpoint that it was to go on from does not fit: it begins at the beginning. */
  | { type: "anew"; id: number }
  | { type: "done"; id: number; result: ShardResult; runs: RunFile[] }
  | { type: "failed"; id: number; code: string; message: string; remedy: string };
