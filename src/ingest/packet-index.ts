/**
 * The packet index: a row of 40 bytes for each packet (native/engine/batch.h): where its bytes lie, its clock and time, and the hash of its
 * flow. Rows of fragments are filled when their datagram is known.
 */
import { closeSync, openSync, readSync, rmSync } from "node:fs";
import { INDEX_BYTES } from "../engine/native.js";
import { writeAll } from "../file-bytes.js";

const HASH_AT = 24;
const FLAGS_AT = 38;
const PENDING = 64;

export interface PacketIndex {
  readonly rows: number;
  append(rows: Uint8Array): void;
  /** [row, hash, flags] triples. */
  patch(patches: Float64Array): void;
  /** Reads up to `count` rows from `from` into `into`; returns how many. */
  read(from: number, count: number, into: Uint8Array): number;
  close(): void;
}

/** Small captures: in memory. */
export class MemoryIndex implements PacketIndex {
  rows = 0;
  private bytes: Buffer = Buffer.alloc(0);
  append(rows: Uint8Array): void {
    const used = this.rows * INDEX_BYTES;
    if (used + rows.length > this.bytes.length) {
      const bigger = Buffer.alloc(Math.max(this.bytes.length * 2, used + rows.length, 4096));
      this.bytes.copy(bigger, 0, 0, used);
      this.bytes = bigger;
    }
    this.bytes.set(rows, used);
    this.rows += rows.length / INDEX_BYTES;
  }
  patch(patches: Float64Array): void {
    for (let i = 0; i < patches.length; i += 3) fill(this.bytes, patches[i] * INDEX_BYTES, patches[i + 1], patches[i + 2]);
  }
  read(from: number, count: number, into: Uint8Array): number {
    const n = Math.max(0, Math.min(count, this.rows - from));
    this.bytes.copy(into, 0, from * INDEX_BYTES, (from + n) * INDEX_BYTES);
    return n;
  }
  close(): void {}
}

/** Large captures: a file that worker processes open too. */
export class FileIndex implements PacketIndex {
  rows: number;
  private readonly fd: number;
  readonly path: string;
  constructor(path: string, mode: "create" | "open", rows = 0) {
    this.path = path;
    this.rows = rows;
    this.fd = openSync(path, mode === "create" ? "wx+" : "r", 0o600);
  }
  append(rows: Uint8Array): void {
    writeAll(this.fd, rows, this.rows * INDEX_BYTES);
    this.rows += rows.length / INDEX_BYTES;
  }
  patch(patches: Float64Array): void {
    const row = Buffer.alloc(INDEX_BYTES);
    for (let i = 0; i < patches.length; i += 3) {
      const at = patches[i] * INDEX_BYTES;
      readSync(this.fd, row, 0, INDEX_BYTES, at);
      fill(row, 0, patches[i + 1], patches[i + 2]);
      writeAll(this.fd, row, at);
    }
  }
  read(from: number, count: number, into: Uint8Array): number {
    const n = Math.max(0, Math.min(count, this.rows - from));
    if (n) readSync(this.fd, into, 0, n * INDEX_BYTES, from * INDEX_BYTES);
    return n;
  }
  close(): void {
    closeSync(this.fd);
  }
  remove(): void {
    rmSync(this.path, { force: true });
  }
}

function fill(b: Buffer, at: number, hash: number, flags: number): void {
  b.writeUInt32LE(hash, at + HASH_AT);
  b.writeUInt16LE((b.readUInt16LE(at + FLAGS_AT) & ~PENDING) | flags, at + FLAGS_AT);
}
