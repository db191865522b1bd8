/** One side of a stream: bytes not yet consumed, where each came from, and what is being skipped. Plain state and small steps. */
import type { At, Locate } from "../decoders/contract.js";

/** Unconsumed bytes that one side may hold; past it the decoder is stopped. */
export const MAX_UNCONSUMED = 256 * 1024;

export class Half {
  /** Stream offset of the first unconsumed byte. */
  pos = 0;
  need = 1;
  stopped = false;
  ended = false;
  waiting = false;
  handed = false;
  /** Probing found that these bytes are none of the known protocols. */
  exhausted = false;
  skipFrom = -1;
  skipUntil = -1;
  missing = 0;
  /** The last packet of this side that brought anything. */
  last: At = { packet: 0, seconds: 0, nanos: 0 };
  private view: Uint8Array = EMPTY;
  private owned: Uint8Array = EMPTY;
  private length = 0;
  private borrowed = false;
  /** [stream offset, packet, seconds, nanos] of each packet that lies in the bytes at hand. */
  private marks: number[] = [];
  readonly locate: Locate = (offset) => this.find(this.pos + offset);

  get available(): number {
    return this.length;
  }
  get skipping(): boolean {
    return this.skipUntil >= 0;
  }
  bytes(): Uint8Array {
    return this.view;
  }
  private find(stream: number): At {
    const m = this.marks;
    let i = m.length - 4;
    while (i > 0 && m[i] > stream) i -= 4;
    return i < 0 ? this.last : { packet: m[i + 1], seconds: m[i + 2], nanos: m[i + 3] };
  }
  /** Takes bytes that stand at `stream`; they are borrowed until `keep` copies what is left of them. */
  append(bytes: Uint8Array, stream: number, at: At): void {
    this.last = at;
    if (this.length === 0) {
      this.pos = stream;
      this.view = bytes;
      this.length = bytes.length;
      this.borrowed = true;
      this.marks.length = 0;
    } else {
      this.keep();
      const total = this.length + bytes.length;
      if (total > this.owned.length) {
        const bigger = new Uint8Array(Math.max(1024, total * 2));
        bigger.set(this.view);
        this.owned = bigger;
      } else if (this.view.byteOffset + total > this.owned.length) {
        this.owned.copyWithin(0, this.view.byteOffset, this.view.byteOffset + this.length);
        this.view = this.owned.subarray(0, this.length);
      }
      const start = this.view.buffer === this.owned.buffer ? this.view.byteOffset : 0;
      this.owned.set(bytes, start + this.length);
      this.view = this.owned.subarray(start, start + total);
      this.length = total;
    }
    this.marks.push(stream, at.packet, at.seconds, at.nanos);
  }
  consume(n: number): void {
    if (n <= 0) return;
    this.pos += n;
    this.length -= n;
    this.view = this.length ? this.view.subarray(n) : EMPTY;
    const m = this.marks;
    let drop = 0;
    while (drop + 4 < m.length && m[drop + 4] <= this.pos) drop += 4;
    if (drop) m.splice(0, drop);
  }
  /** Copies bytes that are only borrowed: the window they lie in is about to go. */
  keep(): void {
    if (!this.borrowed || this.length === 0) return;
    if (this.owned.length < this.length) this.owned = new Uint8Array(Math.max(1024, this.length * 2));
    this.owned.set(this.view);
    this.view = this.owned.subarray(0, this.length);
    this.borrowed = false;
  }
  clear(): void {
    this.length = 0;
    this.view = EMPTY;
    this.owned = EMPTY;
    this.marks.length = 0;
    this.need = 1;
  }
}
const EMPTY = new Uint8Array(0);
