/**
 * Texts of idle flows on disk, by slot: where there are many, memory holds only where they stand. The file has no name from the moment it is open, so
 * nothing of it stays when the process ends. What was taken is a hole in it; where holes are most of it, the rest moves to a new file.
 */
import { closeSync, openSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { readFully, writeAll } from "../file-bytes.js";

/** Bytes that wait to be written. */
const PENDING = 256 << 10;
/** A file is not written anew for fewer bytes of holes. */
const HOLES = 16 << 20;

export class Shelf {
  private readonly dir: string;
  private fd = -1;
  private full = false;
  private pending = Buffer.allocUnsafe(0);
  private waiting = 0;
  /** Bytes written, and of them those of texts that are still here (what waits included). */
  private written = 0;
  private live = 0;
  /** Where a slot's text begins, and its bytes; none: it has none here. */
  private at = new Float64Array(0);
  private bytes = new Uint32Array(0);
  private slots = 0;

  constructor(dir: string) {
    this.dir = dir;
  }

  /** False: it was not taken, as the disk is full or out of reach, or the text is too long. */
  put(slot: number, text: string): boolean {
    if (this.full || text.length * 3 > PENDING) return false;
    try {
      this.open();
      if (this.waiting + text.length * 3 > PENDING) this.write();
    } catch {
      this.full = true;
      return false;
    }
    if (slot >= this.at.length) this.grow(slot);
    const length = this.pending.write(text, this.waiting);
    this.at[slot] = this.written + this.waiting;
    this.bytes[slot] = length;
    this.waiting += length;
    this.live += length;
    this.slots = Math.max(this.slots, slot + 1);
    return true;
  }
  read(slot: number): string {
    const at = this.at[slot] - this.written;
    const length = this.bytes[slot];
    if (at >= 0) return this.pending.toString("utf8", at, at + length);
    const text = Buffer.allocUnsafe(length);
    fill(this.fd, text, this.at[slot]);
    return text.toString("utf8");
  }
  /** The slot's text goes. */
  drop(slot: number): void {
    this.live -= this.bytes[slot];
    this.bytes[slot] = 0;
    if (this.live === 0) this.waiting = this.written = 0;
    else if (!this.full && this.written - this.live > HOLES && this.written > 2 * this.live) this.renew();
  }
  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }

  private open(): void {
    if (this.fd >= 0) return;
    const path = join(this.dir, `.idle-flows.${process.pid}`);
    this.fd = openSync(path, "wx+", 0o600);
    unlinkSync(path);
    if (this.pending.length === 0) this.pending = Buffer.allocUnsafeSlow(PENDING);
  }
  private write(): void {
    writeAll(this.fd, this.pending.subarray(0, this.waiting), this.written);
    this.written += this.waiting;
    this.waiting = 0;
  }
  private grow(slot: number): void {
    const length = Math.max(1024, 2 * slot);
    const { at, bytes } = this;
    this.at = new Float64Array(length);
    this.bytes = new Uint32Array(length);
    this.at.set(at);
    this.bytes.set(bytes);
  }
  /** All texts to a new file; where that cannot be, they stay where they are. */
  private renew(): void {
    const old = {
      fd: this.fd,
      written: this.written,
      waiting: this.waiting,
      at: this.at.slice(),
      pending: Buffer.from(this.pending.subarray(0, this.waiting)),
    };
    const one = Buffer.allocUnsafe(PENDING);
    this.fd = -1;
    try {
      this.open();
      this.written = this.waiting = 0;
      for (let slot = 0; slot < this.slots; slot++) {
        const length = this.bytes[slot];
        if (length === 0) continue;
        if (this.waiting + length > PENDING) this.write();
        const at = old.at[slot] - old.written;
        if (at >= 0) old.pending.copy(this.pending, this.waiting, at, at + length);
        else {
          fill(old.fd, one.subarray(0, length), old.at[slot]);
          one.copy(this.pending, this.waiting, 0, length);
        }
        this.at[slot] = this.written + this.waiting;
        this.waiting += length;
      }
      closeSync(old.fd);
    } catch {
      this.close();
      this.full = true;
      Object.assign(this, { fd: old.fd, written: old.written, waiting: old.waiting, at: old.at });
      old.pending.copy(this.pending);
    }
  }
}

function fill(fd: number, into: Uint8Array, from: number): void {
  if (readFully(fd, into, into.length, from) < into.length)
    throw new RangeError(`a text of an idle flow is not where it was written: ${from} + ${into.length}`);
}
