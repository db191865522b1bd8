/** A bounded reader of big-endian fields with a sticky error: check `bad` once at the end; what was read past the end is 0. */
export class Cursor {
  readonly bytes: Uint8Array;
  pos: number;
  readonly end: number;
  bad = false;
  /** The first read that failed: where, how many bytes it needed, how many there were. */
  story: { offset: number; needed: number; had: number } | undefined;

  constructor(bytes: Uint8Array, pos = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.pos = pos;
    this.end = Math.min(end, bytes.length);
  }
  get left(): number {
    return this.end - this.pos;
  }
  /** True when n more bytes are there; else the error sticks. */
  has(n: number): boolean {
    if (this.bad) return false;
    if (this.end - this.pos >= n) return true;
    this.bad = true;
    this.story = { offset: this.pos, needed: n, had: this.end - this.pos };
    return false;
  }
  u8(): number {
    return this.has(1) ? this.bytes[this.pos++] : 0;
  }
  u16(): number {
    if (!this.has(2)) return 0;
    const v = (this.bytes[this.pos] << 8) | this.bytes[this.pos + 1];
    this.pos += 2;
    return v;
  }
  u24(): number {
    if (!this.has(3)) return 0;
    const v = (this.bytes[this.pos] << 16) | (this.bytes[this.pos + 1] << 8) | this.bytes[this.pos + 2];
    this.pos += 3;
    return v;
  }
  u32(): number {
    if (!this.has(4)) return 0;
    const b = this.bytes;
    const p = this.pos;
    this.pos += 4;
    return ((b[p] << 24) | (b[p + 1] << 16) | (b[p + 2] << 8) | b[p + 3]) >>> 0;
  }
  take(n: number): Uint8Array {
    if (!this.has(n)) return this.bytes.subarray(this.pos, this.pos);
    const out = this.bytes.subarray(this.pos, this.pos + n);
    this.pos += n;
    return out;
  }
  skip(n: number): void {
    if (this.has(n)) this.pos += n;
  }
  /** A cursor over the next n bytes, which this one then has behind it. */
  sub(n: number): Cursor {
    const bytes = this.take(n);
    return new Cursor(bytes);
  }
}
