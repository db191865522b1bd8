/** Records of one dataset that wait for the capture's id: a row of numbers for each, and pieces of text that rows point to (native/engine/part.h). */
import { layout } from "../engine/native.js";

const ROW_DOUBLES = layout.partBytes / 8;
const ROW_WORDS = layout.partBytes / 4;
/** Words of a row, in the order of native/engine/part.h: numbers, then pieces of two words each. */
const NANOS = 10;
const PIECES = 18;
/** A piece's place among the pieces. */
export const PIECE = {
  types: 0,
  flow: 1,
  transport: 2,
  protocol: 3,
  protocols: 4,
  anomalies: 5,
  observer: 6,
  ips: 7,
  names: 8,
  ends: 9,
  body: 10,
  columns: 11,
  history: 12,
} as const;
const PIECE_COUNT = 13;

export class Rows {
  text: Buffer = Buffer.allocUnsafe(64 * 1024);
  rows: Buffer = Buffer.alloc(64 * layout.partBytes);
  used = 0;
  count = 0;
  private doubles = new Float64Array(this.rows.buffer, this.rows.byteOffset, this.rows.length / 8);
  private words = new Uint32Array(this.rows.buffer, this.rows.byteOffset, this.rows.length / 4);
  /** Pieces that the next row may have again: what was written for each kind, and where. */
  private readonly last: unknown[] = new Array(PIECE_COUNT).fill(undefined);
  private readonly lastAt = new Uint32Array(2 * PIECE_COUNT);

  get bytes(): number {
    return this.used + this.count * layout.partBytes;
  }
  /** The row that was begun last is done with the next `begin`. */
  begin(
    seconds: number,
    nanos: number,
    packet: number,
    stream: number,
    side: number,
    index: number,
    flags: number,
    packed: number,
    ports: number,
  ): void {
    if ((this.count + 1) * layout.partBytes > this.rows.length) this.moreRows();
    const d = this.count * ROW_DOUBLES;
    const w = this.count * ROW_WORDS;
    this.count++;
    this.doubles[d] = seconds;
    this.doubles[d + 1] = packet;
    this.doubles[d + 2] = stream;
    const { words } = this;
    words[w + NANOS] = nanos;
    words[w + NANOS + 3] = side;
    words[w + NANOS + 4] = index;
    words[w + NANOS + 5] = flags;
    words[w + NANOS + 6] = packed;
    words[w + NANOS + 7] = ports;
    words.fill(0, w + PIECES, w + PIECES + 2 * PIECE_COUNT);
  }
  times(startSeconds: number, startNanos: number, endSeconds: number, endNanos: number): void {
    const d = (this.count - 1) * ROW_DOUBLES;
    const w = (this.count - 1) * ROW_WORDS;
    this.doubles[d + 3] = startSeconds;
    this.doubles[d + 4] = endSeconds;
    this.words[w + NANOS + 1] = startNanos;
    this.words[w + NANOS + 2] = endNanos;
  }
  /** A piece of the row at hand. */
  put(piece: number, text: string): void {
    this.room(text.length * 3);
    const at = this.used;
    this.used += this.text.utf8Write(text, at);
    this.point(piece, at, this.used - at);
  }
  /** A piece that the next row may have too: `what` says whose it is. */
  share<T>(piece: number, what: T, text: (what: T) => string): void {
    if (this.last[piece] !== what) {
      this.put(piece, text(what));
      this.last[piece] = what;
      const w = (this.count - 1) * ROW_WORDS + PIECES + 2 * piece;
      this.lastAt[2 * piece] = this.words[w];
      this.lastAt[2 * piece + 1] = this.words[w + 1];
    } else this.point(piece, this.lastAt[2 * piece], this.lastAt[2 * piece + 1]);
  }
  /** Bytes as they are; returns where they stand. */
  copy(from: Uint8Array): number {
    this.room(from.length);
    const at = this.used;
    this.text.set(from, at);
    this.used += from.length;
    return at;
  }
  point(piece: number, at: number, length: number): void {
    const w = (this.count - 1) * ROW_WORDS + PIECES + 2 * piece;
    this.words[w] = at;
    this.words[w + 1] = length;
  }
  clear(): void {
    this.used = 0;
    this.count = 0;
    this.last.fill(undefined);
  }

  private room(bytes: number): void {
    if (this.used + bytes <= this.text.length) return;
    const bigger = Buffer.allocUnsafe(Math.max(this.text.length * 2, this.used + bytes));
    this.text.copy(bigger, 0, 0, this.used);
    this.text = bigger;
  }
  private moreRows(): void {
    const bigger = Buffer.alloc(this.rows.length * 2);
    this.rows.copy(bigger);
    this.rows = bigger;
    this.doubles = new Float64Array(bigger.buffer, bigger.byteOffset, bigger.length / 8);
    this.words = new Uint32Array(bigger.buffer, bigger.byteOffset, bigger.length / 4);
  }
}
