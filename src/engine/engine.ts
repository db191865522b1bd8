/** One shard's engine and the batch that crosses: buffers that live as long as the engine, reread after each push. */
import { randomBytes } from "node:crypto";
import { addon, COLUMNS, EVENT_WORDS, type NativeEngine, OVERLAP, type OverlapPolicy } from "./native.js";

/** Event rows, closed flows, text bytes and arena bytes of one batch. The native side keeps a reserve free in each. */
const ROWS = 48 * 1024;
const CLOSED = 1024;
const TEXT = 2 << 20;
const ARENA = 14 << 20;

/** What native/binding/engine.cc knows. */
const WISH = { skip: 0, stop: 1, forget: 2 } as const;

export interface EngineOptions {
  shard: number;
  shards: number;
  tcpOverlap: OverlapPolicy;
  ipOverlap: OverlapPolicy;
  /** ns of the capture's clock between interim records of an open flow; left out: none. */
  interimNs?: bigint;
}

/** What one push told: views that are good until the next push. */
export class Batch {
  readonly words: Uint32Array = new Uint32Array(ROWS * EVENT_WORDS);
  readonly doubles: Float64Array = new Float64Array(this.words.buffer);
  readonly closed: Float64Array = new Float64Array(CLOSED * COLUMNS);
  readonly text: Buffer = Buffer.alloc(TEXT);
  readonly arena: Uint8Array = new Uint8Array(ARENA);
  readonly status: Uint32Array = new Uint32Array(4);
  get rows(): number {
    return this.status[0];
  }
}

/** Batches of engines that are done, for the next: 20 MB to allocate and clear cost more than a small capture takes. */
const spare: Batch[] = [];
const MAX_SPARE = 2;

export class Engine {
  readonly batch: Batch = spare.pop() ?? new Batch();
  private readonly native: NativeEngine;
  /** [slot, serial, side, wish, upto] of what decoders want no more of; handed over at the next push. */
  private suppress: Float64Array = new Float64Array(5 * 1024);
  private suppressed = 0;

  constructor(options: EngineOptions) {
    const b = this.batch;
    b.status.fill(0);
    this.native = new addon.Engine(
      {
        shard: options.shard,
        shards: options.shards,
        tcpOverlap: OVERLAP.indexOf(options.tcpOverlap),
        ipOverlap: OVERLAP.indexOf(options.ipOverlap),
        interimNs: options.interimNs ?? 0n,
        key: randomBytes(16),
      },
      new Uint8Array(b.words.buffer),
      b.closed,
      b.text,
      b.arena,
      b.status,
    );
  }
  interfaces(linktypes: Uint32Array): void {
    this.native.interfaces(linktypes);
  }
  /** Takes index rows [from, from+count) whose bytes lie in the window; returns how many it took before the batch was full. */
  push(rows: Uint8Array, from: number, count: number, firstPacket: number, window: Uint8Array, base: number): number {
    this.handOver();
    return this.native.push(rows, from, count, firstPacket, window, base);
  }
  /** False: take the batch and call again. */
  finish(clock: bigint): boolean {
    this.handOver();
    return this.native.finish(clock);
  }
  limits(): Record<string, number> {
    return this.native.limits();
  }
  /** No more of this side: for good (`stop`), or not before stream offset `upto`. */
  skip(slot: number, serial: number, side: number, stop: boolean, upto: number): void {
    this.tell(slot, serial, side, stop ? WISH.stop : WISH.skip, upto);
  }
  /** Nothing that was told of this flow is kept: it is opened again with its next bytes, or told whole with its close. */
  forget(slot: number, serial: number): void {
    this.tell(slot, serial, 0, WISH.forget, 0);
  }
  private tell(slot: number, serial: number, side: number, wish: number, upto: number): void {
    if ((this.suppressed + 1) * 5 > this.suppress.length) {
      const bigger = new Float64Array(this.suppress.length * 2);
      bigger.set(this.suppress);
      this.suppress = bigger;
    }
    const at = this.suppressed++ * 5;
    this.suppress[at] = slot;
    this.suppress[at + 1] = serial;
    this.suppress[at + 2] = side;
    this.suppress[at + 3] = wish;
    this.suppress[at + 4] = upto === Infinity ? 1e16 : upto;
  }
  /** All that is open, in blocks; an engine of the same shard goes on from it. */
  save(take: (block: Buffer) => void): void {
    this.handOver();
    this.native.save(take);
  }
  /** False: these blocks are not of such an engine, and this one is not to be used. */
  restore(more: () => Uint8Array | undefined): boolean {
    return this.native.restore(more);
  }
  /** Gives the batch to the next engine: nothing is to be pushed or finished after this. */
  release(): void {
    if (spare.length < MAX_SPARE) spare.push(this.batch);
  }
  private handOver(): void {
    if (this.suppressed) this.native.suppress(this.suppress, this.suppressed);
    this.suppressed = 0;
  }
}
