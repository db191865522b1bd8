/** Sorted runs → one sorted stream of lines (SEMANTICS 27: by time, packet, id). Runs lie in memory or in files. */
import { closeSync, openSync, readSync } from "node:fs";
import { layout } from "../engine/native.js";

export interface StoredRun {
  dataset: string;
  count: number;
  longest: number;
  /** In memory, or paths of files that hold the same. */
  text: Buffer | string;
  keys: Buffer | string;
}

const KEY = layout.keyBytes;
const KEYS_AT_ONCE = 4096;
const TEXT_AT_ONCE = 256 * 1024;
const OUT_AT_ONCE = 1 << 20;

/** Reads a buffer or a file from front to back. */
class Bytes {
  private readonly source: Buffer | string;
  private readonly fd: number;
  private pos = 0;
  constructor(source: Buffer | string) {
    this.source = source;
    this.fd = typeof source === "string" ? openSync(source, "r") : -1;
  }
  next(most: number): Buffer {
    if (typeof this.source !== "string") {
      const out = this.source.subarray(this.pos, this.pos + most);
      this.pos += out.length;
      return out;
    }
    const out = Buffer.allocUnsafe(most);
    const n = readSync(this.fd, out, 0, most, this.pos);
    this.pos += n;
    return out.subarray(0, n);
  }
  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
  }
}

class Cursor {
  private readonly keyBytes: Bytes;
  private readonly textBytes: Bytes;
  private keys: Buffer = Buffer.alloc(0);
  private view: DataView = new DataView(new ArrayBuffer(0));
  private at = 0;
  private text: Buffer = Buffer.alloc(0);
  private textAt = 0;
  done = false;
  seconds = 0;
  nanos = 0;
  packet = 0;
  length = 0;
  constructor(run: StoredRun) {
    this.keyBytes = new Bytes(run.keys);
    this.textBytes = new Bytes(run.text);
    this.at = -KEY;
    this.advance();
  }
  /** Moves to the next record. The line of the current one must have been taken. */
  advance(): void {
    this.at += KEY;
    if (this.at >= this.keys.length) {
      this.keys = this.keyBytes.next(KEYS_AT_ONCE * KEY);
      this.view = new DataView(this.keys.buffer, this.keys.byteOffset, this.keys.length);
      this.at = 0;
      if (this.keys.length < KEY) {
        this.done = true;
        this.keyBytes.close();
        this.textBytes.close();
        return;
      }
    }
    this.seconds = this.view.getFloat64(this.at, true);
    this.packet = this.view.getFloat64(this.at + 8, true);
    this.nanos = this.view.getUint32(this.at + 16, true);
    this.length = this.view.getUint32(this.at + 20, true);
  }
  line(): Buffer {
    while (this.text.length - this.textAt < this.length) {
      const more = this.textBytes.next(Math.max(TEXT_AT_ONCE, this.length));
      this.text = this.textAt < this.text.length ? Buffer.concat([this.text.subarray(this.textAt), more]) : more;
      this.textAt = 0;
      if (more.length === 0) throw new Error("a run of records is shorter than its keys say");
    }
    const out = this.text.subarray(this.textAt, this.textAt + this.length);
    this.textAt += this.length;
    return out;
  }
  before(o: Cursor): boolean {
    if (this.seconds !== o.seconds) return this.seconds < o.seconds;
    if (this.nanos !== o.nanos) return this.nanos < o.nanos;
    if (this.packet !== o.packet) return this.packet < o.packet;
    return this.keys.compare(o.keys, o.at + 24, o.at + 40, this.at + 24, this.at + 40) < 0;
  }
}

/** Yields buffers of whole lines in order. */
export function* merge(runs: readonly StoredRun[]): Generator<Buffer> {
  if (runs.length === 1) {
    const all = new Bytes(runs[0].text);
    for (let b = all.next(OUT_AT_ONCE); b.length; b = all.next(OUT_AT_ONCE)) yield b;
    all.close();
    return;
  }
  const heap = runs.map((r) => new Cursor(r)).filter((c) => !c.done);
  const down = (i: number): void => {
    for (;;) {
      let least = i;
      for (const k of [2 * i + 1, 2 * i + 2]) if (k < heap.length && heap[k].before(heap[least])) least = k;
      if (least === i) return;
      [heap[i], heap[least]] = [heap[least], heap[i]];
      i = least;
    }
  };
  for (let i = (heap.length >> 1) - 1; i >= 0; i--) down(i);
  let out = Buffer.allocUnsafe(OUT_AT_ONCE);
  let used = 0;
  while (heap.length) {
    const c = heap[0];
    const line = c.line();
    if (used + line.length > out.length) {
      yield out.subarray(0, used);
      out = Buffer.allocUnsafe(Math.max(OUT_AT_ONCE, line.length));
      used = 0;
    }
    line.copy(out, used);
    used += line.length;
    c.advance();
    if (c.done) {
      const last = heap.pop() as Cursor;
      if (heap.length) heap[0] = last;
    }
    down(0);
  }
  if (used) yield out.subarray(0, used);
}
