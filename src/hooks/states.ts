/** What the survey's side and the hooks' thread say to each other. */
import type { MessagePort } from "node:worker_threads";

export interface HookMemory {
  path: string;
  port: MessagePort;
  /** State, packets, exceptions, bytes of the window. */
  control: Int32Array;
  /** Number of the first packet; where the window begins in the capture. */
  places: Float64Array;
  rows: SharedArrayBuffer;
  headers: SharedArrayBuffer;
  verdicts: SharedArrayBuffer;
}
export const STATE = { loading: 0, idle: 1, asked: 2, broken: 3 } as const;
export const VERDICT = { keep: 0, drop: 1, failed: 2 } as const;
