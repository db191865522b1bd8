/** One side of a stream: bytes not yet consumed, where each came from, and what is being skipped. Plain state and small steps. */
import type { At, Locate } from "../decoders/contract.js";

/** Unconsumed bytes that one side may hold; past it the decoder is stopped. */
export const MAX_UNCONSUMED = 256 * 1024;

interface Mark {
  stream: number;
  at: At;
}

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
  last: At = NOWHERE;
  private view: Uint8Array = EMPTY;
  private owned: Uint8Array = EMPTY;
  private length = 0;
  private borrowed = false;
  /** The packet that brought the first byte at hand, and each further one with the place where it begins. */
  private first: At = NOWHERE;
  private more: Mark[] = NO_MARKS;

  get available(): number {
    return this.length;
  }
  get skipping(): boolean {
    return this.skipUntil >= 0;
  }
  bytes(): Uint8Array {
    return this.view;
  }
  /** The packet that brought the byte at `offset` of the bytes at hand. */
  packetOf(offset: number): At {
    if (this.length === 0) return this.last;
    const m = this.more;
    let [from, to] = [0, m.length]; // marks before `from` begin at or before the byte, those from `to` on behind it
    while (from < to) {
      const middle = (from + to) >> 1;
      if (m[middle].stream <= this.pos + offset) from = middle + 1;
      else to = middle;
    }
    return from === 0 ? this.first : m[from - 1].at;
  }
  /** Takes bytes that stand at `stream`; they are borrowed until `keep` copies what is left of them. */
  append(bytes: Uint8Array, stream: number, at: At): void {
    this.last = at;
    if (this.length === 0) {
      this.pos = stream;
      this.view = bytes;
      this.length = bytes.length;
      this.borrowed = true;
      this.first = at;
      this.more = NO_MARKS;
      return;
    }
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
    if (this.more === NO_MARKS) this.more = [];
    this.more.push({ stream, at });
  }
  consume(n: number): void {
    if (n <= 0) return;
    this.pos += n;
    this.length -= n;
    this.view = this.length ? this.view.subarray(n) : EMPTY;
    if (this.length === 0) {
      this.more = NO_MARKS;
      if (!this.borrowed) this.owned = EMPTY; // an idle side holds nothing
      return;
    }
    const m = this.more;
    let drop = 0;
    while (drop < m.length && m[drop].stream <= this.pos) drop++;
    if (drop) {
      this.first = m[drop - 1].at;
      m.splice(0, drop);
    }
  }
  /** Copies bytes that are only borrowed: the window they lie in is about to go. */
  keep(): void {
    if (!this.borrowed || this.length === 0) return;
    if (this.owned.length < this.length) this.owned = new Uint8Array(Math.max(SMALL, this.length * 2));
    this.owned.set(this.view);
    this.view = this.owned.subarray(0, this.length);
    this.borrowed = false;
  }
  /** After it was read back (src/flows/snapshot): the bytes are its own again, and what stands for nothing is shared. */
  settle(): void {
    this.owned = EMPTY;
    this.borrowed = this.length > 0;
    this.keep();
    if (this.length === 0) this.view = EMPTY;
    if (this.more.length === 0) this.more = NO_MARKS;
  }
  clear(): void {
    this.length = 0;
    this.view = EMPTY;
    this.owned = EMPTY;
    this.more = NO_MARKS;
    this.need = 1;
  }
}
const EMPTY = new Uint8Array(0);
const NOWHERE: At = { packet: 0, seconds: 0, nanos: 0 };
const NO_MARKS: Mark[] = [];
/** The least that is allocated for bytes that wait. */
const SMALL = 1024;

/** The half whose bytes a session is reading now; `locate` is good only during that call. */
let reading = new Half();
export const locate: Locate = (offset) => reading.packetOf(offset);
export function readFrom(half: Half): void {
  reading = half;
}
