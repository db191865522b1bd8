/**
 * Read first: the way of a packet, as a staircase.
 *
 *   capture file ── windows of bytes ──▶ engine.push(rows of the index) ──▶ batch of events
 *                                                                             │
 *   runs of sorted records ◀── parts ◀── envelope ◀── decoders ◀── flows ◀────┘
 *
 * One call decodes one shard. It is synchronous between windows; it knows nothing of processes, queues or sinks.
 */
import { closeSync, fstatSync, openSync } from "node:fs";
import { type Cut, readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import { type DecodeOptions, INDEX_BLOCK_ROWS, MAX_RECORD_BYTES } from "./config.js";
import { Engine } from "./engine/engine.js";
import { INDEX_BYTES } from "./engine/native.js";
import { ThreatflowError } from "./errors.js";
import { readFully } from "./file-bytes.js";
import { Flows } from "./flows/flows.js";
import type { PacketIndex } from "./ingest/packet-index.js";
import type { Digest } from "./records/digest.js";
import type { Observer } from "./records/envelope.js";
import { Parts, type Run } from "./sinks/parts.js";

export interface ShardJob {
  /** The seekable capture. */
  path: string;
  shard: number;
  shards: number;
  windowBytes: number;
  decode: DecodeOptions;
  linktypes: Uint32Array;
  observers: readonly (Observer | undefined)[];
  /** The capture's clock at its end, ns. */
  clock: bigint;
  /** A folder for what memory need not hold; none: it does. */
  scratch?: string;
}
export interface ShardResult {
  counts: Record<string, number>;
  limits: Record<string, number>;
  digest: Digest;
  exceptions: number;
  firstException: string | undefined;
}

/** How a shard is cut into segments. */
export interface Segments {
  /** Rows of the index in a segment. */
  rows: number;
  /** Where its state is written; all runs until there have been handed over before `done`. */
  path(cut: Cut): string;
  done(cut: Cut, path: string): void;
  /** A checkpoint to go on from; where it does not fit, the shard begins at its beginning and `anew` is called. */
  resume?: string;
  anew?(): void;
  /** Nothing is taken behind the checkpoint: what is open there ends there. */
  only?: boolean;
}

/** Decodes one shard; `captureId` is awaited when the first run is sealed. */
export async function decodeShard(
  job: ShardJob,
  index: PacketIndex,
  captureId: Promise<string>,
  onRun: (run: Run) => void,
  progress?: (packets: number) => void,
  segments?: Segments,
): Promise<ShardResult> {
  const fresh = (): { engine: Engine; parts: Parts; flows: Flows } => {
    const parts = new Parts();
    const engine = new Engine({ shard: job.shard, shards: job.shards, tcpOverlap: job.decode.tcpOverlap, ipOverlap: job.decode.ipOverlap });
    engine.interfaces(job.linktypes);
    const options = { credentials: job.decode.credentials, observers: job.observers, scratch: job.scratch };
    return { engine, parts, flows: new Flows(engine, parts, options) };
  };
  let { engine, parts, flows } = fresh();
  let cut: Cut = { rows: 0, clock: 0n };
  if (segments?.resume !== undefined) {
    const there = readCheckpoint(segments.resume, engine, flows);
    if (there) cut = there;
    else {
      if (segments.only) throw new ThreatflowError("INTERNAL", "the checkpoint that the shard was to end at cannot be read");
      ({ engine, parts, flows } = fresh());
      segments.anew?.();
    }
  }
  const until = segments?.only ? cut.rows : Infinity;
  const seal = async (): Promise<void> => {
    for (const run of parts.seal(await captureId)) onRun(run);
  };
  const fd = openSync(job.path, "r");
  try {
    const rows = new Uint8Array(Math.min(INDEX_BLOCK_ROWS, index.rows) * INDEX_BYTES);
    const view = new DataView(rows.buffer);
    const window = new Window(fd, Math.min(job.windowBytes, fstatSync(fd).size));
    for (let first = cut.rows; first < until; ) {
      const count = index.read(first, Math.min(INDEX_BLOCK_ROWS, cut.rows + (segments?.rows ?? Infinity) - first), rows);
      if (count === 0) break;
      for (let from = 0; from < count; ) {
        const took = engine.push(rows, from, count - from, first + from + 1, window.bytes, window.base);
        flows.take(engine.batch, window.bytes);
        from += took;
        if (parts.full) await seal();
        if (from < count && took === 0 && engine.batch.rows === 0)
          window.moveTo(Number(view.getBigUint64(from * INDEX_BYTES, true)), view.getUint32(from * INDEX_BYTES + 28, true));
        else if (from < count)
          window.ensure(Number(view.getBigUint64(from * INDEX_BYTES, true)), view.getUint32(from * INDEX_BYTES + 28, true));
      }
      first += count;
      progress?.(first);
      if (segments && first - cut.rows >= segments.rows && first < index.rows) {
        cut = { rows: first, clock: view.getBigUint64((count - 1) * INDEX_BYTES + 8, true) };
        await seal();
        const path = segments.path(cut);
        if (written(path, cut, engine, flows)) segments.done(cut, path);
      }
    }
    for (let done = false; !done; ) {
      done = engine.finish(segments?.only ? cut.clock : job.clock);
      flows.take(engine.batch, window.bytes);
      if (parts.full) await seal();
    }
    flows.finish();
    await seal();
  } finally {
    closeSync(fd);
    flows.release();
    engine.release();
  }
  return {
    counts: parts.counts,
    limits: engine.limits(),
    digest: flows.digest.result(),
    exceptions: flows.exceptions,
    firstException: flows.firstException === undefined ? undefined : String((flows.firstException as Error).stack ?? flows.firstException),
  };
}

/** A checkpoint that cannot be written (a full disk) costs nothing but itself. */
function written(path: string, cut: Cut, engine: Engine, flows: Flows): boolean {
  try {
    writeCheckpoint(path, cut, engine, flows);
    return true;
  } catch (error) {
    if ((error as { syscall?: string }).syscall === undefined) throw error;
    return false;
  }
}

/** The bytes at hand: a buffer that is reread from wherever the next packet of the shard lies. */
class Window {
  bytes: Uint8Array = new Uint8Array(0);
  base = 0;
  private buffer: Uint8Array;
  private readonly fd: number;
  constructor(fd: number, size: number) {
    this.fd = fd;
    this.buffer = new Uint8Array(size);
  }
  moveTo(offset: number, caplen: number): void {
    if (caplen > MAX_RECORD_BYTES) throw new ThreatflowError("INTERNAL", `index names a packet of ${caplen} bytes at ${offset}`);
    if (caplen > this.buffer.length) this.buffer = new Uint8Array(caplen);
    const got = readFully(this.fd, this.buffer, this.buffer.length, offset);
    if (got < caplen)
      throw new ThreatflowError(
        "EVIDENCE_CHANGED",
        `the capture is shorter than it was: ${caplen} bytes wanted at offset ${offset}, ${got} there`,
        "do not change a capture while it is analysed",
      );
    this.base = offset;
    this.bytes = this.buffer.subarray(0, got);
  }
  /** Moves only where the packet does not lie in the window. */
  ensure(offset: number, caplen: number): void {
    if (offset < this.base || offset + caplen > this.base + this.bytes.length) this.moveTo(offset, caplen);
  }
}
