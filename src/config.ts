/** Settings that change what is done, each once: name, unit, default. Command-line flags and the environment fill them in src/cli. */
import { availableParallelism } from "node:os";
import type { OverlapPolicy } from "./engine/native.js";

/** Bytes of capture that are read and pushed at a time. */
export const DEFAULT_WINDOW_BYTES = 1 << 20;
/** Largest record: what a window must be able to grow to. */
export const MAX_RECORD_BYTES = 16 << 20;
/** Look-ahead of the walker's resync, which the survey's window must be able to hold. */
export const RESYNC_BYTES = 2 << 20;
/** Index rows in a block. */
export const INDEX_BLOCK_ROWS = 32 * 1024;
/** Bytes that a compressed capture or stdin may unpack to, by default. */
export const DEFAULT_SPOOL_QUOTA = 200 * 2 ** 30;
/** Rows of the index after which a shard's state is written out, so that who does it again goes on from there. */
export const SEGMENT_ROWS = 5_000_000;
/** Clock between two interim records of a flow that stays open while it is recorded, ns (SEMANTICS 3; the first comes sooner, native/flow/flow.h). */
export const INTERIM_NS = 60_000_000_000n;
/** How often a shard's process may die before the shard is set aside. */
export const MAX_DEATHS = 2;

/** What changes records: part of the import key (SEMANTICS 14). */
export interface DecodeOptions {
  /** Filter as given: expression, or the program in canonical form. */
  filter: string | undefined;
  tcpOverlap: OverlapPolicy;
  ipOverlap: OverlapPolicy;
  /** Nanoseconds of clock in which an identical packet is a duplicate; 0: off. */
  dedupNs: bigint;
  credentials: boolean;
  /** SHA-256 of a file of hooks, and where it lies on this machine. */
  hooks?: { path: string; sha256: string };
}
export const DEFAULT_DECODE: DecodeOptions = {
  filter: undefined,
  tcpOverlap: "linux",
  ipOverlap: "linux",
  dedupNs: 0n,
  credentials: false,
};

export interface RunOptions {
  workers: number;
  shards: number;
  windowBytes: number;
  /** Rows of the index between two checkpoints; SEGMENT_ROWS where it is left out. */
  segmentRows?: number;
}
export function defaultRun(): RunOptions {
  const workers = availableParallelism();
  return { workers, shards: workers, windowBytes: DEFAULT_WINDOW_BYTES };
}

/** Version of the record schema: a change of field names or meanings raises it. */
export const SCHEMA_VERSION = 1;
